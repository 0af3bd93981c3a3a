//! What an expert learns from: the samples of the classes that it knows.

use kd_data::store::PreparedSource;
use kd_image::{Sample, SampleId, SampleSource, SourceError, SubjectId, Target};

use crate::recipe::Expert;

/// The samples of some classes, which are counted anew.
pub(super) struct OfClasses<'a> {
    source: &'a PreparedSource,
    classes: &'a [usize],
    places: Vec<usize>,
}

impl<'a> OfClasses<'a> {
    pub(super) fn of(source: &'a PreparedSource, expert: &'a Expert) -> Self {
        let classes = expert.classes.as_slice();
        let is_known = |index: &usize| place(source.target(*index), classes).is_some();
        Self { source, classes, places: (0..source.len()).filter(is_known).collect() }
    }

    fn counted_anew(&self, mut sample: Sample<2>) -> Sample<2> {
        if let Some(class) = place(&sample.target, self.classes) {
            sample.target = Target::Class(class);
        }
        sample
    }
}

/// The place of a sample's class among those known.
fn place(target: &Target, classes: &[usize]) -> Option<u16> {
    let Target::Class(class) = target else { return None };
    let place = classes.iter().position(|known| *known == usize::from(*class))?;
    u16::try_from(place).ok()
}

impl SampleSource<2> for OfClasses<'_> {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn id(&self, index: usize) -> &SampleId {
        self.source.id(self.places[index])
    }

    fn subject(&self, index: usize) -> &SubjectId {
        self.source.subject(self.places[index])
    }

    fn read(&self, index: usize) -> Result<Sample<2>, SourceError> {
        self.source.read(self.places[index]).map(|sample| self.counted_anew(sample))
    }

    fn read_view(&self, index: usize, view: u32) -> Result<Sample<2>, SourceError> {
        self.source.read_view(self.places[index], view).map(|sample| self.counted_anew(sample))
    }
}
