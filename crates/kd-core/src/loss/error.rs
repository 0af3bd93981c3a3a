//! Everything that can be wrong with a loss before it is computed.

use thiserror::Error;

use super::catalog::Refusal;
use crate::temperature::TemperatureError;

/// Why a loss cannot be built or applied.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LossError {
    /// Logits with a rank that has no meaning here.
    #[error("logits must be [batch, class] or [batch, class, (depth,) height, width], found shape {found:?}")]
    Rank {
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// An axis of length 0, over which no mean exists.
    #[error("logits must hold at least one sample, class and pixel, found shape {found:?}")]
    EmptyAxis {
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// Student and teacher do not answer the same question on the same grid.
    #[error("teacher logits must have the shape of the student logits {student:?}, found {teacher:?}")]
    TeacherShape {
        /// Shape of the student's logits.
        student: Vec<usize>,
        /// Shape of the teacher's logits.
        teacher: Vec<usize>,
    },
    /// A mask that does not fit the logits.
    #[error(
        "mask must have shape {expected:?} (class axis as shown, spatial axes may be 1) for logits {logits:?}, found {mask:?}"
    )]
    MaskShape {
        /// Shape of the logits.
        logits: Vec<usize>,
        /// Shape of the mask that would fit.
        expected: Vec<usize>,
        /// Shape of the mask that was found.
        mask: Vec<usize>,
    },
    /// Labels that do not fit the logits.
    #[error("labels must have shape {expected:?} for logits {logits:?}, found {found:?}")]
    LabelShape {
        /// Shape of the logits.
        logits: Vec<usize>,
        /// Shape of the labels that would fit.
        expected: Vec<usize>,
        /// Shape of the labels that was found.
        found: Vec<usize>,
    },
    /// Images with a rank that has no meaning here.
    #[error("images must be [batch, channel, (depth,) height, width], found shape {found:?}")]
    ImageRank {
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// Two images on different grids.
    #[error(
        "image to compare with must have the shape of the student's {student:?}, found {reference:?}\n\
         hint: networks that answer a finer grid must all have the same `factor`"
    )]
    ImageShape {
        /// Shape of the student's images.
        student: Vec<usize>,
        /// Shape of the other images.
        reference: Vec<usize>,
    },
    /// A window that does not fit into the images.
    #[error(
        "ssim window of {window} points needs images at least as long along each axis, found {image:?}\n\
         hint: use larger patches or a smaller `window`"
    )]
    Window {
        /// Length of the window.
        window: usize,
        /// Points of the images along each axis.
        image: Vec<usize>,
    },
    /// A grid that is finer than the map, or of other axes.
    #[error("a map {found:?} cannot be brought to the grid {grid:?}: expected as many spatial axes, none finer")]
    Grid {
        /// Shape of the mask or the labels.
        found: Vec<usize>,
        /// The grid that was asked for.
        grid: Vec<usize>,
    },
    /// A loss over a softmax of one class, which is constant.
    #[error("{loss} needs at least 2 classes on axis 1, found {found}\nhint: use bernoulli for one channel")]
    TooFewClasses {
        /// Name of the loss.
        loss: &'static str,
        /// Length of the class axis.
        found: usize,
    },
    /// A loss over the classes beside the target, of which there are too few.
    #[error(
        "{loss} needs at least 3 classes on axis 1, found {found}\nhint: use hinton for two classes, bernoulli for one channel"
    )]
    FewerThanThree {
        /// Name of the loss.
        loss: &'static str,
        /// Length of the class axis.
        found: usize,
    },
    /// A loss that compares with hard labels, evaluated without them.
    #[error(
        "{loss} needs a label per sample or pixel, found none\nhint: choose a loss that needs only the teacher (kd losses)"
    )]
    NoLabels {
        /// Name of the loss.
        loss: &'static str,
    },
    /// A number outside of what it can be.
    #[error("{what} of {loss} must be {expected}, found {found}")]
    Number {
        /// Name of the loss.
        loss: &'static str,
        /// Which number.
        what: &'static str,
        /// What is accepted.
        expected: &'static str,
        /// The number that was refused.
        found: f64,
    },
    /// Weights that are not one finite, non-negative number per class.
    #[error("{what} must be finite numbers of at least 0, not all 0, {expected}, found {found:?}")]
    Weights {
        /// Which weights.
        what: &'static str,
        /// How many are needed, in words.
        expected: String,
        /// The weights that were refused.
        found: Vec<f64>,
    },
    /// A label smoothing outside 0 to 1.
    #[error("label_smoothing must be at least 0 and below 1, found {found}")]
    LabelSmoothing {
        /// The number that was refused.
        found: f64,
    },
    /// A name that is not in the catalog.
    #[error("unknown loss `{name}`, expected one of {known}\nhint: {hint}")]
    UnknownLoss {
        /// The name that was asked for.
        name: String,
        /// Every name in the catalog.
        known: String,
        /// The nearest name, or how to list them.
        hint: String,
    },
    /// A published setting that the loss does not have.
    #[error("loss `{loss}` has no published setting `{name}`, expected one of {known}\nhint: {hint}")]
    UnknownPreset {
        /// Name of the loss.
        loss: String,
        /// The setting that was asked for.
        name: String,
        /// Every setting of the loss.
        known: String,
        /// The nearest name, or how to list them.
        hint: String,
    },
    /// A parameter that the loss does not have.
    #[error("loss `{loss}` has no parameter `{name}`, expected {known}\nhint: {hint}")]
    UnknownParameter {
        /// Name of the loss.
        loss: &'static str,
        /// The parameter that was given.
        name: String,
        /// Every parameter of the loss.
        known: String,
        /// The nearest name, or how to list them.
        hint: String,
    },
    /// A required parameter that was not given.
    #[error("loss `{loss}` needs parameter `{name}`, found none\nhint: {name} is {meaning}")]
    MissingParameter {
        /// Name of the loss.
        loss: &'static str,
        /// The parameter that is missing.
        name: &'static str,
        /// What the parameter means.
        meaning: &'static str,
    },
    /// A parameter of the wrong kind.
    #[error("parameter `{name}` of loss `{loss}` must be {expected}, found {found}")]
    ParameterKind {
        /// Name of the loss.
        loss: &'static str,
        /// Name of the parameter.
        name: &'static str,
        /// What is accepted.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A temperature out of range.
    #[error("parameter `{name}` of loss `{loss}`: {source}")]
    Temperature {
        /// Name of the loss.
        loss: &'static str,
        /// Name of the parameter.
        name: &'static str,
        /// What is wrong with it.
        source: TemperatureError,
    },
    /// A loss that makes no sense on this head, or on this kind of output.
    #[error("loss `{loss}` does not fit {what}: {}\nhint: {}", refusal.reason, refusal.instead)]
    Refused {
        /// Name of the loss.
        loss: &'static str,
        /// The head, the kind of output or the parameter that it does not fit.
        what: String,
        /// Why, and what to use.
        refusal: Refusal,
    },
}
