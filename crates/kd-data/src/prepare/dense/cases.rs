//! The cases of a data set with an answer for each point, split and checked for leaks, whatever files they come from.

use kd_image::{Geometry, Image, LabelMap, SampleId, Split, SubjectId};

use crate::decode::{DecodeError, MaskedDataset, MaskedSample, ReadMasked};
use crate::digest::sha256_hex;
use crate::leak::{self, LeakError, LeakPolicy, LeakReport};
use crate::manifest::{Layout, Manifest};
use crate::root::Root;
use crate::split::{SplitError, SplitTable, split_of_masked};

/// Why a set of cases could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file is missing, damaged or not as the manifest says.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The split cannot be made.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A volume that cannot be turned or cut.
    #[error("volume cannot be laid on the axes of the patient: {reason}")]
    Turn {
        /// Why.
        reason: String,
    },
    /// Subjects or images stand in two splits.
    #[error(transparent)]
    Leak(#[from] LeakError),
}

/// One case: a volume, or a picture as a volume of one slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Pixels with their place.
    pub image: Image<3>,
    /// Classes on the image's grid.
    pub labels: LabelMap<3>,
    /// Objects, where the mask tells them apart.
    pub instances: Option<LabelMap<3>>,
}

#[derive(Debug)]
enum Files {
    Volumes(MaskedDataset<3>),
    Pictures(MaskedDataset<2>),
}

#[derive(Debug)]
struct Row {
    position: usize,
    sample: SampleId,
    subject: SubjectId,
    split: Split,
}

/// A split set of cases, without those that the leak check left out.
#[derive(Debug)]
pub struct CaseSet {
    files: Files,
    rows: Vec<Row>,
    split_hash: String,
    leaks: LeakReport,
}

impl CaseSet {
    /// Opens the raw folder of a data set with masks, splits it and looks for leaks.
    ///
    /// # Policy
    /// As [`MaskedDataset::open`], [`split_of_masked`] and [`leak::check`].
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn open(root: &Root, manifest: &Manifest, policy: LeakPolicy) -> Result<Self, CaseError> {
        match manifest.source.layout {
            Layout::ImageMasks => {
                let set = MaskedDataset::<2>::open(root, manifest)?;
                let table = split_of_masked(&set, manifest.split)?;
                let hashes = leak::masked_pixel_hashes(&set)?;
                Self::checked(Files::Pictures(set), &table, &hashes, policy)
            }
            _ => {
                let set = MaskedDataset::<3>::open(root, manifest)?;
                let table = split_of_masked(&set, manifest.split)?;
                let hashes = leak::masked_pixel_hashes(&set)?;
                Self::checked(Files::Volumes(set), &table, &hashes, policy)
            }
        }
    }

    fn checked(
        files: Files,
        table: &SplitTable,
        hashes: &[leak::PixelHash],
        policy: LeakPolicy,
    ) -> Result<Self, CaseError> {
        let (leaks, keep) = leak::check(&leak::rows(table, hashes), policy)?;
        let mut text = format!("{}\n", table.hash());
        let mut rows = Vec::new();
        for (position, row) in table.rows().iter().enumerate().filter(|(position, _)| keep[*position]) {
            text.push_str(row.sample.as_str());
            text.push('\n');
            let (sample, subject) = (row.sample.clone(), row.subject.clone());
            rows.push(Row { position, sample, subject, split: row.split });
        }
        Ok(Self { files, rows, split_hash: sha256_hex(text.as_bytes()), leaks })
    }

    /// How many cases there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The case's name; `index` is below [`len`](Self::len).
    #[must_use]
    pub fn sample(&self, index: usize) -> &SampleId {
        &self.rows[index].sample
    }

    /// Who it shows.
    #[must_use]
    pub fn subject(&self, index: usize) -> &SubjectId {
        &self.rows[index].subject
    }

    /// Where it belongs.
    #[must_use]
    pub fn split(&self, index: usize) -> Split {
        self.rows[index].split
    }

    /// The cases of a split, ascending.
    #[must_use]
    pub fn positions(&self, split: Split) -> Vec<usize> {
        (0..self.len()).filter(|&index| self.split(index) == split).collect()
    }

    /// A hash of the split and of what was left out.
    #[must_use]
    pub fn split_hash(&self) -> &str {
        &self.split_hash
    }

    /// What the leak check found.
    #[must_use]
    pub fn leaks(&self) -> &LeakReport {
        &self.leaks
    }

    /// Reads a case; `index` is below [`len`](Self::len).
    ///
    /// # Errors
    /// As [`ReadMasked::read`].
    pub fn read(&self, index: usize) -> Result<Case, DecodeError> {
        let position = self.rows[index].position;
        match &self.files {
            Files::Volumes(set) => {
                let MaskedSample { image, labels, instances } = set.read(position)?;
                Ok(Case { image, labels, instances })
            }
            Files::Pictures(set) => {
                let MaskedSample { image, labels, instances } = set.read(position)?;
                let grid = one_slice(image.geometry());
                let map = |map: LabelMap<2>| {
                    LabelMap::new(grid.clone(), map.labels().to_vec(), map.n_classes())
                        .expect("as many points as before")
                };
                let (channels, intensity) = (image.channels(), image.intensity());
                let image = Image::new(channels, grid.clone(), intensity, image.into_values());
                let image = image.expect("as many finite values as before");
                Ok(Case { image, labels: map(labels), instances: instances.map(map) })
            }
        }
    }
}

/// A picture's grid as a volume's of one slice, as thick as the picture's rows are apart.
fn one_slice(picture: &Geometry<2>) -> Geometry<3> {
    let [rows, columns] = picture.shape();
    let grid = match picture.spacing_mm() {
        Some([row, column]) => Geometry::with_spacing([1, rows, columns], [row, row, column]),
        None => Geometry::without_spacing([1, rows, columns]),
    };
    grid.expect("a picture's grid was checked")
}
