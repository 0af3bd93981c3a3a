//! Stored values to values with a meaning: modality table or slope and intercept (PS3.3 C.11.1).

use super::super::error::Problem;
use super::data_set::DataSet;
use super::frames::FrameGroups;
use super::lookup::LookupTable;
use super::tag;

/// `stored · slope + intercept`
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rescale {
    pub(super) slope: f64,
    pub(super) intercept: f64,
}

/// The modality step of a file.
#[derive(Clone)]
pub(super) struct ModalityStep {
    pub(super) table: Option<LookupTable>,
    /// One for all frames, or one a frame; `None` where the file has none.
    rescales: Vec<Option<Rescale>>,
    /// Whether every frame that is rescaled says its unit is Hounsfield, or says nothing.
    pub(super) unit_may_be_hu: bool,
}

impl ModalityStep {
    pub(super) fn read(set: &DataSet<'_>, groups: &FrameGroups<'_>, signed: bool) -> Result<Self, Problem> {
        let table = set.items(tag::MODALITY_LUT).first().map(|item| LookupTable::read(item, signed)).transpose()?;
        let mut unit_may_be_hu = table.is_none();
        let mut rescales = Vec::new();
        for frame in 0..groups.distinct() {
            let Some(set) = groups.holding(frame, tag::PIXEL_TRANSFORMATION, tag::RESCALE_SLOPE) else {
                rescales.push(None);
                continue;
            };
            let rescale = match (set.decimal(tag::RESCALE_SLOPE)?, set.decimal(tag::RESCALE_INTERCEPT)?) {
                (Some(slope), Some(intercept)) => Some(Rescale { slope, intercept }),
                // Half a step would be a guess at the other half.
                _ => None,
            };
            unit_may_be_hu &= matches!(set.code(tag::RESCALE_TYPE), None | Some("HU"));
            rescales.push(rescale);
        }
        Ok(Self { table, rescales, unit_may_be_hu })
    }

    pub(super) fn rescale(&self, frame: usize) -> Option<Rescale> {
        *self.rescales.get(frame).or_else(|| self.rescales.first())?
    }

    /// Whether all frames have slope and intercept and no table comes first.
    pub(super) fn rescales_all(&self) -> bool {
        self.table.is_none() && self.rescales.iter().all(Option::is_some)
    }

    /// Whether stored values stay as they are.
    pub(super) fn is_none(&self) -> bool {
        self.table.is_none() && self.rescales.iter().all(Option::is_none)
    }

    /// The modality value of a stored one. The table wins, as C.11.1 has no place for both.
    pub(super) fn value(&self, frame: usize, stored: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation)] // tables stand in front of whole numbers only
        match (&self.table, self.rescale(frame)) {
            (Some(table), _) => f64::from(table.at(stored as i64)),
            (None, Some(Rescale { slope, intercept })) => stored * slope + intercept,
            (None, None) => stored,
        }
    }
}
