//! Losses: what a student is asked to match.
//!
//! One convention for all of them, because published code uses at least five and a weight means nothing without its
//! divisor: **sum over classes, mean over valid samples (pooled output) or valid pixels (dense output), times τ²**.
//! On a map of any size the loss of a constant difference is therefore the same number.
//!
//! Raw logits come in. Both sides go through `log_softmax` or a stable softplus; no loss takes the logarithm of a
//! softmax, so logits of ±10⁴ give finite values and gradients. Burn's own Kullback–Leibler loss is not used: it clamps
//! the target and divides by the batch only.
//!
//! Distillation losses implement [`DistillLoss`] and are listed in [`CATALOG`]; [`build`] makes one from a name and
//! checks that it fits the head; [`build_image`] does so for networks that answer images, and
//! [`build_feature`] for features at taps. The task losses [`CrossEntropy`] and [`BinaryCrossEntropy`] compare with labels.

mod adaptive;
mod axes;
mod bernoulli;
mod binary_cross_entropy;
mod boundary;
mod build;
mod build_feature;
mod catalog;
mod channel_wise;
mod compared;
mod correlation;
mod cross_entropy;
mod curriculum;
mod dist;
mod dkd;
mod error;
pub mod feature;
mod hinton;
pub mod image;
mod logit_mse;
mod multi_level;
mod nkd;
mod operands;
mod pixel_weights;
mod published;
mod reduce;
mod scheduled;
mod soft_cross_entropy;
mod standardize;
mod target;
mod virtual_teacher;

pub use adaptive::{AdaptiveHinton, Certainty};
pub use bernoulli::BernoulliKd;
pub use binary_cross_entropy::{BinaryCrossEntropy, BinaryWeights, cumulative_targets};
pub use boundary::BoundaryKd;
pub use build::{Parameters, Value, build, build_image, image_distance};
pub use build_feature::build_feature;
pub use catalog::{CATALOG, LossEntry, On, Output, ParameterEntry, Range, Refusal, find};
pub use channel_wise::ChannelWiseKd;
pub use compared::Beside;
pub use cross_entropy::CrossEntropy;
pub use curriculum::{CurriculumKd, CurriculumTemperature};
pub use dist::Dist;
pub use dkd::Dkd;
pub use error::LossError;
pub use hinton::HintonKd;
pub use logit_mse::LogitMse;
pub use multi_level::MultiLevel;
pub use nkd::Nkd;
pub use operands::check_shapes;
pub use pixel_weights::{PixelWeights, Weighted};
pub use published::{PUBLISHED, PaperDivisor, Published, Setting, Sizes, find_published};
pub use reduce::mean_over_valid;
pub use scheduled::ScheduledHinton;
pub use soft_cross_entropy::SoftCrossEntropy;
pub use standardize::{Standardized, standardize};
pub use virtual_teacher::VirtualTeacher;

use burn::tensor::Tensor;

/// A loss that pulls the logits of a student toward those of a teacher.
///
/// # Shapes
/// Logits are `[batch, class]` (pooled) or `[batch, class, (depth,) height, width]` (dense, rank 3 to 5); the class
/// axis is always axis 1. A mask is `[batch, 1, …spatial]`, where a spatial axis may also have length 1 (one weight for
/// the whole image): 0 does not count, 1 counts, and w counts like w copies of that position. Labels are
/// `[batch, 1, …spatial]`. The result is one number, shape `[1]`.
///
/// # Policy
/// Whatever stands at a masked position, NaN included, changes neither value nor gradient. A mask without a valid
/// position gives exactly 0 with gradient 0. The teacher's logits and the mask are taken off the autodiff graph inside,
/// so no gradient can reach them, and are converted to the student's floating type. A loss that needs labels leaves out
/// positions whose label is negative: they have none.
///
/// # Panics
/// [`DistillLoss::evaluate`] panics with the text of [`LossError`] when [`DistillLoss::check`] would fail, or when the
/// loss needs labels and there are none.
pub trait DistillLoss<const D: usize>: Send + Sync + std::fmt::Debug {
    /// The name in the catalog.
    fn name(&self) -> &'static str;

    /// Checks shapes once before training, so that a mistake is an error with words rather than a panic in step one.
    ///
    /// # Errors
    /// [`LossError`] when the shapes break the rules of [`check_shapes`] or this loss needs more classes.
    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        check_shapes(student, teacher, mask)
    }

    /// Whether hard labels are needed beside the teacher's logits.
    fn needs_labels(&self) -> bool {
        false
    }

    /// Whether a temperature is learned for it, and stands [beside](Beside::learned) the teacher's logits.
    fn learns_temperature(&self) -> bool {
        false
    }

    /// Computes the loss, shape `[1]`, from the student's logits and what stands [beside](Beside) them.
    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1>;

    /// [`evaluate`](Self::evaluate) for a loss that needs no labels.
    fn forward(&self, student_logits: Tensor<D>, teacher_logits: Tensor<D>, mask: Option<Tensor<D>>) -> Tensor<1> {
        self.evaluate(student_logits, Beside::new(teacher_logits).with_mask(mask))
    }
}
