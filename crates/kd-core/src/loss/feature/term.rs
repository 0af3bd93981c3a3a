//! A loss between a tap of the student and one of the teacher, with the adaptor that makes the pair fit.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use kd_image::SampleId;

use super::{
    FeatureLoss, GeneratedFeatures, MaskedGeneration, Projection, Tap, TapError, VariationalRegressor, kept_positions,
    labels_on_grid, mask_on_grid, variational_information,
};
use crate::loss::Beside;

/// What stands between the student's features and a loss: trained with the student, and left behind with it.
#[derive(Module, Debug)]
pub enum Adaptor {
    /// A linear map over channels.
    Projection(Projection),
    /// MGD's generator.
    Generator(MaskedGeneration),
    /// VID's regressor.
    Regressor(VariationalRegressor),
}

/// How a loss meets the student's features.
#[derive(Debug)]
pub(crate) enum Meeting<const I: usize> {
    /// As they are.
    Direct(Box<dyn FeatureLoss<I>>),
    /// Through a projection to the teacher's channels.
    Projected(Box<dyn FeatureLoss<I>>),
    /// Through MGD's generator, which fills in a share of the positions; images of two axes.
    Generated { masked: f64 },
    /// Through VID's regressor.
    Variational,
}

/// How features are compared with labels: which classes there are, and how much of a cell foreground has to cover.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TapLabels {
    pub(crate) classes: usize,
    pub(crate) least_share: f64,
}

/// When, and on what, a term is evaluated: what it draws is keyed by this.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Samples of the batch.
    pub ids: &'a [SampleId],
    /// Seed of the run.
    pub seed: u64,
    /// The epoch, from 0.
    pub epoch: usize,
}

/// A loss on features at a pair of taps.
///
/// Made by [`build_feature`](crate::loss::build_feature).
///
/// # Example
/// ```
/// use burn::tensor::Device;
/// use kd_core::loss::{Parameters, build_feature, feature::Tap};
///
/// let term = build_feature::<4>("hint", &Parameters::new(), ["layer1", "layer2"], None)?;
/// let (student, teacher) = (Tap::new("layer1", &[1, 4, 8, 8]), Tap::new("layer2", &[1, 16, 8, 8]));
/// assert!(term.adaptor(&student, &teacher, &Device::flex())?.is_some());
///
/// let refused = term.adaptor(&student, &Tap::new("layer2", &[1, 16, 4, 4]), &Device::flex()).err().unwrap();
/// assert!(refused.to_string().contains("`layer1` [1, 4, 8, 8]"), "{refused}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FeatureTerm<const I: usize> {
    /// Name of the loss in the catalog.
    pub loss: &'static str,
    /// The student's tap.
    pub student_tap: String,
    /// The teacher's tap.
    pub teacher_tap: String,
    pub(crate) meeting: Meeting<I>,
    /// For losses that look at labels.
    pub(crate) labels: Option<TapLabels>,
    /// Whether a map of one point says nothing to the loss.
    pub(crate) needs_map: bool,
}

impl<const I: usize> FeatureTerm<I> {
    /// Whether hard labels are needed.
    #[must_use]
    pub fn needs_labels(&self) -> bool {
        self.labels.is_some()
    }

    /// Checks a pair of taps, and makes the adaptor that they need, with Burn's default numbers.
    ///
    /// # Errors
    /// [`TapError`] with both shapes.
    pub fn adaptor(&self, student: &Tap, teacher: &Tap, device: &Device) -> Result<Option<Adaptor>, TapError> {
        let points: usize = student.shape.iter().skip(2).product();
        if self.needs_map && points <= 1 {
            return Err(TapError {
                loss: self.loss,
                student: Box::new(student.clone()),
                teacher: Box::new(teacher.clone()),
                expected: "maps of more than one point",
                hint: "choose taps before the pooling",
            });
        }
        let channels = (student.channels(), teacher.channels());
        let mut adapted = student.clone();
        if let Some(axis) = adapted.shape.get_mut(1) {
            *axis = channels.1;
        }
        // What is refused behind an adaptor is told with the shape before it.
        let refused = |error: TapError| TapError { student: Box::new(student.clone()), ..error };
        Ok(match &self.meeting {
            Meeting::Direct(loss) => {
                loss.check(student, teacher)?;
                None
            }
            Meeting::Projected(loss) => {
                loss.check(&adapted, teacher).map_err(refused)?;
                Some(Adaptor::Projection(Projection::new(channels.0, channels.1, device)))
            }
            Meeting::Generated { .. } => {
                FeatureLoss::<I>::check(&GeneratedFeatures, &adapted, teacher).map_err(refused)?;
                Some(Adaptor::Generator(MaskedGeneration::new(channels.0, channels.1, device)))
            }
            Meeting::Variational => {
                FeatureLoss::<I>::check(&GeneratedFeatures, &adapted, teacher).map_err(refused)?;
                Some(Adaptor::Regressor(VariationalRegressor::new(channels.0, channels.1, device)))
            }
        })
    }

    /// Computes the loss, shape `[1]`.
    ///
    /// `mask` and `labels` are those of the answer, of rank `I` (all spatial axes 1 where the answer has none); they are
    /// brought to the taps' grid here: a mask by area, labels by [`labels_on_grid`].
    ///
    /// # Panics
    /// When the adaptor is that of another term, or the taps are not those that it was made for.
    pub fn evaluate(
        &self,
        student: Tensor<I>,
        teacher: Tensor<I>,
        adaptor: Option<&Adaptor>,
        (mask, labels): (Option<Tensor<I>>, Option<Tensor<I, Int>>),
        moment: Moment<'_>,
    ) -> Tensor<1> {
        let grid = student.dims();
        let mask =
            mask.map(|mask| if mask.dims()[2..].iter().all(|&axis| axis == 1) { mask } else { on_grid(mask, &grid) });
        let labels = labels.zip(self.labels).map(|(labels, rule)| {
            labels_on_grid(labels, rule.classes, &grid[2..], rule.least_share).unwrap_or_else(|error| panic!("{error}"))
        });
        let beside = Beside::new(teacher).with_mask(mask).with_labels(labels).at_epoch(moment.epoch);
        match (&self.meeting, adaptor) {
            (Meeting::Direct(loss), _) => loss.evaluate(student, beside),
            (Meeting::Projected(loss), Some(Adaptor::Projection(projection))) => {
                loss.evaluate(projection.forward(student), beside)
            }
            (Meeting::Generated { masked }, Some(Adaptor::Generator(generator))) => {
                let [batch, channels, height, width] = four(grid);
                let device = student.device().inner();
                let kept = kept_positions(moment.ids, [height, width], *masked, moment.seed, moment.epoch, &device);
                let kept = Tensor::from_inner(kept);
                let generated = generator.forward(student.reshape([batch, channels, height, width]), kept);
                let mut dims = grid;
                dims[1] = generated.dims()[1];
                GeneratedFeatures.evaluate(generated.reshape(dims), beside)
            }
            (Meeting::Variational, Some(Adaptor::Regressor(regressor))) => {
                let (mean, variance) = regressor.forward(student);
                variational_information(mean, variance, beside.teacher, beside.mask)
            }
            _ => panic!("a term's adaptor is made by the term: `{}` met another", self.student_tap),
        }
    }
}

fn on_grid<const I: usize>(mask: Tensor<I>, grid: &[usize]) -> Tensor<I> {
    mask_on_grid(mask, &grid[2..]).unwrap_or_else(|error| panic!("{error}"))
}

fn four<const I: usize>(dims: [usize; I]) -> [usize; 4] {
    dims[..].try_into().expect("generated features have two spatial axes: checked when the term was made")
}
