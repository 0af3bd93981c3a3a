//! Restored images of one split with the truth: scored one by one, averaged over all of them or any draw.

use std::borrow::Cow;

use kd_image::{GridMismatch, Image, Interpolation, Outside, ResampleError, Resampling, Shrinking};
use kd_metrics::{
    CaseProtocol, CaseScores, EnhanceCases, EnhanceProtocol, EnhanceTable, Grouping, ImagePair, Score, Undefined,
};

use super::{Metric, OutsideRange, ScoreRange};
use crate::pair::{PairError, SAME_GRID_MM, check_pair};

/// Why images could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// Colour, or an input that does not belong to the truth.
    #[error("image `{id}` {source}")]
    Pair {
        /// The image.
        id: String,
        /// What is wrong.
        source: PairError,
    },
    /// An answer on another grid than the truth.
    #[error("image `{id}`: {source}")]
    Grid {
        /// The image.
        id: String,
        /// What differs.
        source: GridMismatch,
    },
    /// A truth that the range does not cover.
    #[error("image `{id}`: {source}")]
    Range {
        /// The image.
        id: String,
        /// What was found.
        source: OutsideRange,
    },
    /// An input that cannot be brought to the grid of the truth.
    #[error("image `{id}`: {source}")]
    Input {
        /// The image.
        id: String,
        /// What is wrong with it.
        source: ResampleError,
    },
    /// Everything that the metrics refuse.
    #[error("image `{id}`: {source}")]
    Undefined {
        /// The image.
        id: String,
        /// The reason.
        source: Undefined,
    },
}

/// What doing nothing answers: the input itself, or, where the truth is finer, the input interpolated to its grid.
///
/// # Policy
/// Interpolation is the cubic B-spline through all points, outermost values repeated; both grids cover the same field of
/// view. Cubic convolution ("bicubic" in other programs) blurs a little more.
///
/// # Errors
/// [`ResampleError`] where one grid is placed in the patient and the other is not.
///
/// # Example
/// ```
/// use kd_enhance::score::untouched;
/// use kd_image::{Geometry, Image, Intensity};
/// let image = |shape: [usize; 2], value| {
///     let grid = Geometry::without_spacing(shape).expect("points");
///     Image::new(1, grid, Intensity::Unit, vec![value; shape[0] * shape[1]])
/// };
/// let (input, truth) = (image([2, 3], 0.5)?, image([4, 6], 0.25)?);
/// assert_eq!(untouched(&input, &truth)?.geometry().shape(), [4, 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn untouched<'a>(input: &'a Image<2>, truth: &Image<2>) -> Result<Cow<'a, Image<2>>, ResampleError> {
    if input.geometry().shape() == truth.geometry().shape() {
        return Ok(Cow::Borrowed(input));
    }
    let interpolation = Interpolation::Cubic;
    let how = Resampling { interpolation, shrinking: Shrinking::Plain, outside: Outside::Edge };
    how.image(input, truth.geometry()).map(Cow::Owned)
}

/// The scores of restored images, and of doing nothing beside them.
///
/// # Policy
/// Images are in the unit of the range: the caller has undone its preparation. Each image is scored by itself; a number
/// over several is a mean of scores, with the policy for images without a score and the weight of an image that
/// [`CaseProtocol`] states. One infinite score (identical images) makes a mean infinite.
///
/// # Example
/// ```
/// use kd_enhance::{Metric, ScoreRange, ScoredImages};
/// use kd_image::{Geometry, Image, Intensity};
/// use kd_metrics::{BootstrapMethod, BootstrapPlan, CaseProtocol, CaseWeight, UndefinedCases};
/// let image = |value: f32| {
///     let grid = Geometry::without_spacing([1, 2]).expect("points");
///     Image::new(1, grid, Intensity::Hounsfield, vec![0.0, value])
/// };
/// let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 200, level: 0.95, seed: 0 };
/// let cases = CaseProtocol { undefined: UndefinedCases::Refuse, weight: CaseWeight::EachCase, plan };
/// let mut scored = ScoredImages::new(ScoreRange::new([0.0, 100.0], false)?, vec![Metric::Mae], cases)?;
/// let (truth, input) = (image(50.0)?, image(58.0)?);
/// scored.add("slice 1", "anna", &image(52.0)?, &truth, Some(&input))?;
/// scored.add("slice 2", "bert", &image(46.0)?, &truth, Some(&input))?;
/// assert_eq!(scored.value(Metric::Mae, None), Ok(1.5));
/// assert_eq!(scored.value(Metric::Mae, Some(&[1, 1])), Ok(2.0));
/// assert_eq!(scored.do_nothing(Metric::Mae, None), Ok(4.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredImages {
    range: ScoreRange,
    cases: EnhanceCases,
}

impl ScoredImages {
    /// No images yet.
    ///
    /// # Errors
    /// [`Undefined`] for no metrics or one twice, and for a bootstrap plan outside its range.
    pub fn new(range: ScoreRange, metrics: Vec<Metric>, cases: CaseProtocol) -> Result<Self, Undefined> {
        let metrics = metrics.iter().map(|metric| metric.within(&range)).collect();
        Ok(Self { range, cases: EnhanceCases::new(EnhanceProtocol { metrics, cases })? })
    }

    /// Scores an image and keeps its scores. `input` is what the restoration started from, coarser where it made the image
    /// finer; given for all images or for none.
    ///
    /// # Errors
    /// [`ScoreError`] for images of several channels, on different grids or beyond the range, and for an image that was
    /// added before. Nothing is kept then.
    pub fn add(
        &mut self,
        id: &str,
        subject: &str,
        restored: &Image<2>,
        truth: &Image<2>,
        input: Option<&Image<2>>,
    ) -> Result<(), ScoreError> {
        let undefined = |source| ScoreError::Undefined { id: id.into(), source };
        let no_pair = |source| ScoreError::Pair { id: id.into(), source };
        if let Some(found) = [restored, truth].map(Image::channels).into_iter().find(|&channels| channels != 1) {
            return Err(no_pair(PairError::Channels { found }));
        }
        if let Some(input) = input {
            let factor = truth.geometry().shape()[0] / input.geometry().shape()[0];
            check_pair(input, truth, factor.max(1)).map_err(no_pair)?;
        }
        restored
            .geometry()
            .check_same_grid(truth.geometry(), SAME_GRID_MM, "restored image")
            .map_err(|source| ScoreError::Grid { id: id.into(), source })?;
        self.range.check(truth.values()).map_err(|source| ScoreError::Range { id: id.into(), source })?;
        let shape = truth.geometry().shape();
        let true_values = self.range.applied(truth.values());
        let restored_values = self.range.applied(restored.values());
        let pair = ImagePair::plane(shape, &restored_values, &true_values).map_err(undefined)?;
        match input {
            None => self.cases.add(id, subject, &pair, None).map_err(undefined),
            Some(input) => {
                let input = untouched(input, truth).map_err(|source| ScoreError::Input { id: id.into(), source })?;
                let values = self.range.applied(input.values());
                let before = ImagePair::plane(shape, &values, &true_values).map_err(undefined)?;
                self.cases.add(id, subject, &pair, Some(&before)).map_err(undefined)
            }
        }
    }

    /// Averages a metric over all images, or over a draw of them (an index may stand several times).
    ///
    /// # Errors
    /// [`Undefined`] where there is no image, where the metric is not measured, or where it has no value.
    pub fn value(&self, metric: Metric, draw: Option<&[usize]>) -> Score {
        self.mean(self.cases.restored_scores(metric.name()), draw)
    }

    /// The same of the untouched images.
    ///
    /// # Errors
    /// As [`value`](Self::value), and where images came without their input.
    pub fn do_nothing(&self, metric: Metric, draw: Option<&[usize]>) -> Score {
        self.mean(self.cases.untouched_scores(metric.name()), draw)
    }

    /// The scores of a metric, image by image; none for a metric that is not measured.
    #[must_use]
    pub fn scores(&self, metric: Metric) -> Option<Vec<Score>> {
        self.cases.restored_scores(metric.name())
    }

    /// The same of the untouched images; none where images came without their input.
    #[must_use]
    pub fn do_nothing_scores(&self, metric: Metric) -> Option<Vec<Score>> {
        self.cases.untouched_scores(metric.name())
    }

    /// The subject of each image, in order.
    #[must_use]
    pub fn subjects(&self) -> &[String] {
        self.cases.subjects()
    }

    /// The range that the scores are measured by.
    #[must_use]
    pub fn range(&self) -> &ScoreRange {
        &self.range
    }

    /// How many images there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Means with intervals over subjects, and every image's scores.
    ///
    /// # Errors
    /// [`Undefined`] where there is no image.
    pub fn table(&self) -> Result<EnhanceTable, Undefined> {
        self.cases.table()
    }

    fn mean(&self, scores: Option<Vec<Score>>, draw: Option<&[usize]>) -> Score {
        let scores = scores.ok_or(Undefined::NotEnough { what: "scores of the metric", expected: 1, found: 0 })?;
        let grouping = Grouping::new(self.cases.subjects())?;
        let CaseProtocol { undefined, weight, .. } = self.cases.protocol().cases;
        let scores = CaseScores::new(&scores, &grouping, undefined, weight)?;
        match draw {
            Some(draw) => scores.mean(draw),
            None => scores.mean(&(0..self.len()).collect::<Vec<_>>()),
        }
    }
}
