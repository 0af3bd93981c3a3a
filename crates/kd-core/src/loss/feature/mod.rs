//! Losses on what a network computes on the way: features at a pair of taps.
//!
//! Each keeps the divisor of its paper and says so, since a feature has no unit. Student and teacher meet at taps whose
//! shapes a loss checks by name before anything runs; an adaptor ([`Projection`] and others) on the student's side makes
//! a pair fit, is trained with the student and is no part of it.
//!
//! A recipe's term names them with `student_tap` and `teacher_tap`; [`build_feature`](super::build_feature) then makes a
//! [`FeatureTerm`], which knows its adaptor.

mod adaptor;
mod affinity;
mod attention;
mod contrast;
mod cross_image;
mod fusion;
mod grid;
mod hint;
mod pearson;
mod prototype;
mod region;
mod relation;
mod review;
mod similarity;
mod term;
mod variational;

use burn::tensor::{Int, Tensor};
use thiserror::Error;

pub use adaptor::{MaskedGeneration, Projection, kept_positions};
pub use affinity::{AffinityNorm, PairAffinity};
pub use attention::AttentionTransfer;
pub use contrast::InBatchContrast;
pub use cross_image::CrossImage;
pub use fusion::ReviewFusion;
pub use grid::{labels_on_grid, mask_on_grid};
pub use hint::{FitNetHint, GeneratedFeatures};
pub use pearson::PearsonFeatures;
pub use prototype::IntraClassVariation;
pub use region::RegionAffinity;
pub use relation::{RelationAngle, RelationDistance};
pub use review::HierarchicalContext;
pub use similarity::SimilarityPreserving;
pub use term::{Adaptor, FeatureTerm, Moment};
pub(crate) use term::{Meeting, TapLabels};
pub use variational::{VariationalRegressor, variational_information};

use super::{
    Beside, LossError,
    operands::{blank_invalid, check_labels, check_mask, flatten},
};

/// A place in a network from which features are taken.
///
/// # Example
/// ```
/// use kd_core::loss::feature::Tap;
///
/// let tap = Tap::new("layer3", &[8, 64, 7, 7]);
/// assert_eq!((tap.channels(), tap.to_string().as_str()), (64, "`layer3` [8, 64, 7, 7]"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    /// Its name in the network.
    pub name: String,
    /// `[batch, channel, …spatial]`.
    pub shape: Vec<usize>,
}

impl Tap {
    /// Describes a tap.
    #[must_use]
    pub fn new(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// Number of channels, 0 for a shape that has no channel axis.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.shape.get(1).copied().unwrap_or(0)
    }
}

impl std::fmt::Display for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {:?}", self.name, self.shape)
    }
}

/// What student and teacher features must have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// The whole shape.
    Shape,
    /// Batch and spatial axes; channels may differ.
    Positions,
    /// The batch; channels and map size may differ.
    Batch,
}

/// Says why two taps cannot be paired.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{loss} cannot pair student tap {student} with teacher tap {teacher}: expected {expected}\nhint: {hint}")]
pub struct TapError {
    /// Name of the loss.
    pub loss: &'static str,
    /// The student's side.
    pub student: Box<Tap>,
    /// The teacher's side.
    pub teacher: Box<Tap>,
    /// What is needed, in words.
    pub expected: &'static str,
    /// What a user can do.
    pub hint: &'static str,
}

impl Pairing {
    fn check(self, loss: &'static str, student: &Tap, teacher: &Tap) -> Result<(), TapError> {
        let refuse = |expected, hint| {
            Err(TapError {
                loss,
                student: Box::new(student.clone()),
                teacher: Box::new(teacher.clone()),
                expected,
                hint,
            })
        };
        let (s, t) = (&student.shape, &teacher.shape);
        if s.len() != t.len() || !(2..=5).contains(&s.len()) || s.contains(&0) || t.contains(&0) {
            return refuse(
                "[batch, channel, …spatial] of one rank from 2 to 5 without an empty axis",
                "choose another tap",
            );
        }
        if s[0] != t[0] {
            return refuse("one batch", "both networks must see the same images");
        }
        if self != Self::Batch && s[2..] != t[2..] {
            return refuse("maps of one size", "choose taps of one stride, or resize the student's features");
        }
        if self == Self::Shape && s[1] != t[1] {
            return refuse("as many channels", "put a projection on the student's features");
        }
        Ok(())
    }
}

/// A loss that pulls features of a student toward those of a teacher.
///
/// # Shapes
/// Features are `[batch, channel, …spatial]`, rank 2 to 5. A mask is `[batch, 1, …spatial]` as for logits, labels
/// `[batch, 1, …spatial]` of the features' size. The result has shape `[1]`.
///
/// # Policy
/// As for logits: a masked position changes neither value nor gradient whatever stands there, nothing valid gives 0, and
/// no gradient reaches teacher or mask.
///
/// # Panics
/// [`FeatureLoss::evaluate`] panics with the text of [`TapError`] or [`LossError`] when shapes do not fit.
pub trait FeatureLoss<const D: usize>: Send + Sync + std::fmt::Debug {
    /// The name in messages.
    fn name(&self) -> &'static str;

    /// What the two sides must have in common.
    fn pairing(&self) -> Pairing;

    /// Whether hard labels at the features' size are needed.
    fn needs_labels(&self) -> bool {
        false
    }

    /// Checks a pair of taps once before training.
    ///
    /// # Errors
    /// [`TapError`] with both shapes.
    fn check(&self, student: &Tap, teacher: &Tap) -> Result<(), TapError> {
        self.pairing().check(self.name(), student, teacher)
    }

    /// Computes the loss, shape `[1]`; [`Beside::teacher`] holds the teacher's features.
    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1>;

    /// [`evaluate`](Self::evaluate) for a loss that needs no labels.
    fn forward(&self, student: Tensor<D>, teacher: Tensor<D>, mask: Option<Tensor<D>>) -> Tensor<1> {
        self.evaluate(student, Beside::new(teacher).with_mask(mask))
    }
}

/// Both sides with spatial axes as one, masked positions blanked, the teacher off the graph.
struct Taps {
    /// `[batch, channel, position]`.
    student: Tensor<3>,
    teacher: Tensor<3>,
    /// How much a position counts, `[batch, 1, position]`, on either side's grid.
    weight: Tensor<3>,
    teacher_weight: Tensor<3>,
    labels: Option<Tensor<3, Int>>,
    /// Spatial shape of the student's map.
    spatial: Vec<usize>,
}

impl Taps {
    fn new<const D: usize>(loss: &impl FeatureLoss<D>, student: Tensor<D>, beside: Beside<D>) -> Self {
        let Beside { teacher, mask, labels, .. } = beside;
        let labels = labels.filter(|_| loss.needs_labels());
        let (s, t) = (student.dims(), teacher.dims());
        if let Err(error) = loss.check(&Tap::new("student", &s), &Tap::new("teacher", &t)) {
            panic!("{error}");
        }
        let fits = match &labels {
            None if loss.needs_labels() => Err(LossError::NoLabels { loss: loss.name() }),
            None => Ok(()),
            Some(labels) => check_labels(&s, &labels.dims()),
        };
        let fits = fits.and_then(|()| match &mask {
            None => Ok(()),
            Some(mask) => check_mask(&s, &mask.dims(), false).and_then(|()| check_mask(&t, &mask.dims(), false)),
        });
        if let Err(error) = fits {
            panic!("{}: {error}", loss.name());
        }
        let (device, dtype) = (teacher.device().inner(), student.dtype());
        let mut mask = match mask {
            Some(mask) => mask.inner().cast(dtype),
            None => Tensor::ones(batch_only(s), (&device, dtype)),
        };
        let labels = labels.map(|labels| {
            let labels = labels.inner();
            let labelled = labels.clone().greater_equal_elem(0).float().cast(dtype);
            mask = mask.clone().expand(labels.dims()) * labelled;
            labels.clamp_min(0).reshape([s[0], 1, s[2..].iter().product()])
        });
        let student = blank_invalid(student, &mask);
        let teacher = blank_invalid(teacher.inner().cast(dtype), &mask);
        Self {
            student: flatten(student),
            teacher: flatten(teacher),
            weight: flatten(mask.clone().expand(one_channel(s))),
            teacher_weight: flatten(mask.expand(one_channel(t))),
            labels,
            spatial: s[2..].to_vec(),
        }
    }

    /// 1 for samples with a valid position, `[batch, 1]`.
    fn present(&self) -> Tensor<2> {
        let [batch, ..] = self.weight.dims();
        let any = self.weight.clone().max_dim(2).greater_elem(0.0).float().cast(self.weight.dtype());
        any.reshape([batch, 1])
    }

    /// Number of samples with a valid position, at least 1.
    fn samples(&self) -> Tensor<1> {
        self.present().sum().clamp_min(1.0)
    }
}

fn one_channel<const D: usize>(mut dims: [usize; D]) -> [usize; D] {
    dims[1] = 1;
    dims
}

fn batch_only<const D: usize>(dims: [usize; D]) -> [usize; D] {
    let mut batch = [1; D];
    batch[0] = dims[0];
    batch
}
