//! A predicted and a true mask on one grid, checked and counted once.
//!
//! What an empty mask is worth is the commonest silent choice in this field: one program gives Dice 1 and another leaves
//! the case out, and the two means differ by points. So no metric here answers an empty mask by itself: the caller says
//! [`BothEmpty`] and, for distances, [`OneEmpty`].

use crate::classify::confusion::Counts;
use crate::grid::Grid;
use crate::undefined::{Score, Undefined, check_length};

/// What a metric is worth where neither mask has a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BothEmpty {
    /// No value: the case is left out, and the report counts it.
    Undefined,
    /// The best value of the metric: 1 for a share, 0 mm for a distance.
    Perfect,
}

/// What a distance is worth where exactly one mask is empty, so that no surface is there to measure to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OneEmpty {
    /// No value.
    Undefined,
    /// Infinity, as surface-distance has it. A mean over such a case is infinite too.
    Infinite,
    /// A stated number of mm, as challenges have it (BraTS: 374, about the diagonal of its volumes).
    PenaltyMm(f64),
}

/// Both choices together, as the distances take them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmptyMasks {
    /// Neither mask has a point.
    pub both: BothEmpty,
    /// Exactly one mask has points.
    pub one: OneEmpty,
}

impl BothEmpty {
    /// The choice in words, for a protocol.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Undefined => "no value",
            Self::Perfect => "the best value",
        }
    }

    /// The value of a metric whose best value is `best`.
    pub(crate) fn score(self, best: f64) -> Score {
        match self {
            Self::Undefined => Err(Undefined::EmptyMask { which: "prediction and truth" }),
            Self::Perfect => Ok(best),
        }
    }
}

impl OneEmpty {
    /// The choice in words, for a protocol.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Undefined => "no value".to_owned(),
            Self::Infinite => "infinite".to_owned(),
            Self::PenaltyMm(mm) => format!("{mm} mm"),
        }
    }

    /// Refuses a penalty that is no distance, before a case asks for it.
    pub(crate) fn check(self) -> Result<(), Undefined> {
        match self {
            Self::PenaltyMm(_) => self.score("mask").map(|_| ()),
            Self::Undefined | Self::Infinite => Ok(()),
        }
    }

    /// The distance in mm where the mask named `which` is the empty one.
    pub(crate) fn score(self, which: &'static str) -> Score {
        match self {
            Self::Undefined => Err(Undefined::EmptyMask { which }),
            Self::Infinite => Ok(f64::INFINITY),
            Self::PenaltyMm(mm) if mm.is_finite() && mm >= 0.0 => Ok(mm),
            Self::PenaltyMm(found) => {
                Err(Undefined::OutOfRange { what: "penalty in mm", expected: "finite and not negative", found })
            }
        }
    }
}

/// A predicted and a true mask on one grid.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskPair {
    grid: Grid,
    prediction: Vec<bool>,
    truth: Vec<bool>,
    counts: Counts,
}

impl MaskPair {
    /// Checks and copies.
    ///
    /// # Shapes
    /// Both as the grid, last axis fastest.
    ///
    /// # Errors
    /// Another length than the grid has points.
    pub fn new(grid: Grid, prediction: &[bool], truth: &[bool]) -> Result<Self, Undefined> {
        check_length("prediction", grid.points(), prediction.len())?;
        check_length("truth", grid.points(), truth.len())?;
        Ok(Self::of_checked(grid, prediction.to_vec(), truth.to_vec()))
    }

    /// The masks of one class of two label maps.
    ///
    /// # Shapes
    /// Both as the grid, last axis fastest.
    ///
    /// # Errors
    /// Another length than the grid has points.
    ///
    /// # Example
    /// ```
    /// use kd_metrics::{BothEmpty, Grid, MaskPair, dice};
    /// let grid = Grid::plane([2, 3], [1.0, 1.0])?;
    /// let pair = MaskPair::of_class(grid, &[2, 2, 0, 1, 0, 0], &[2, 0, 0, 1, 1, 0], 2)?;
    /// assert_eq!(dice(&pair, BothEmpty::Undefined)?, 2.0 / 3.0);
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn of_class(grid: Grid, prediction: &[u16], truth: &[u16], class: u16) -> Result<Self, Undefined> {
        check_length("prediction", grid.points(), prediction.len())?;
        check_length("truth", grid.points(), truth.len())?;
        let mask = |labels: &[u16]| labels.iter().map(|&label| label == class).collect();
        Ok(Self::of_checked(grid, mask(prediction), mask(truth)))
    }

    fn of_checked(grid: Grid, prediction: Vec<bool>, truth: Vec<bool>) -> Self {
        let points = grid.points() as u64;
        let [predicted, positive, true_positive] = set_points(&prediction, &truth);
        let counts = Counts {
            true_positive,
            false_positive: predicted - true_positive,
            false_negative: positive - true_positive,
            true_negative: points + true_positive - predicted - positive,
        };
        Self { grid, prediction, truth, counts }
    }

    /// The grid.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The predicted mask, last axis fastest.
    #[must_use]
    pub fn prediction(&self) -> &[bool] {
        &self.prediction
    }

    /// The true mask, last axis fastest.
    #[must_use]
    pub fn truth(&self) -> &[bool] {
        &self.truth
    }

    /// Points by prediction and truth: what [`rate`](crate::rate) takes, so sensitivity is `Rate::Recall` of it.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Points of the predicted mask.
    #[must_use]
    pub fn predicted_points(&self) -> u64 {
        self.counts.true_positive + self.counts.false_positive
    }

    /// Points of the true mask.
    #[must_use]
    pub fn true_points(&self) -> u64 {
        self.counts.true_positive + self.counts.false_negative
    }
}

/// Points that are set in one mask, in the other, in both.
fn set_points(prediction: &[bool], truth: &[bool]) -> [u64; 3] {
    /// Points whose number fits a byte: so many are counted at once.
    const BLOCK: usize = 255;
    let mut counts = [0; 3];
    for (prediction, truth) in prediction.chunks(BLOCK).zip(truth.chunks(BLOCK)) {
        let of_block = prediction.iter().zip(truth).fold([0_u8; 3], |[p, t, both], (&prediction, &truth)| {
            let add = |count: u8, is_set: bool| count.wrapping_add(u8::from(is_set));
            [add(p, prediction), add(t, truth), add(both, prediction & truth)]
        });
        counts.iter_mut().zip(of_block).for_each(|(count, of_block)| *count += u64::from(of_block));
    }
    counts
}
