//! Why a metric has no value.
//!
//! A metric without a value is common in small medical sets (a resample with one class only, a class nobody predicted).
//! Returning NaN would let it slip into a mean or a table, so every function here returns [`Score`] and names the reason.

/// A metric's value, or the reason why it has none. Never NaN; infinite where the metric's policy says so (the PSNR of
/// identical images, a distance to an empty mask under [`OneEmpty::Infinite`](crate::OneEmpty::Infinite)).
pub type Score = Result<f64, Undefined>;

/// Why a metric or an interval has no value, or why its input was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Undefined {
    /// There is nothing to measure.
    #[error("expected at least one sample, found none")]
    NoSamples,
    /// Two inputs that go together differ in length.
    #[error("{what}: expected {expected} values, found {found}")]
    LengthMismatch {
        /// The input that does not fit.
        what: &'static str,
        /// The length that the other inputs ask for.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// A value that should be a probability is not.
    #[error(
        "sample {sample}, column {column}: expected a probability in 0..1, found {found}\nhint: pass logits through `softmax` or `sigmoid` first"
    )]
    NotAProbability {
        /// Row of the value.
        sample: usize,
        /// Column of the value.
        column: usize,
        /// The value.
        found: f64,
    },
    /// The probabilities of one sample do not add up to one.
    #[error(
        "sample {sample}: expected probabilities with the sum 1, found {found}\nhint: a multi-label head needs `Predictions::multi_label`; logits need `softmax` first"
    )]
    RowSum {
        /// Row of the sample.
        sample: usize,
        /// The sum.
        found: f64,
    },
    /// A score, logit or p-value is NaN or infinite.
    #[error("{what} {index}: expected a finite number, found {found}")]
    NotFinite {
        /// What the value is.
        what: &'static str,
        /// Where it stands.
        index: usize,
        /// The value.
        found: f64,
    },
    /// A class label that the head does not have.
    #[error("sample {sample}: expected a label below {classes}, found {label}")]
    LabelOutOfRange {
        /// Row of the sample.
        sample: usize,
        /// The label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// An argument lies outside its range.
    #[error("{what}: expected {expected}, found {found}")]
    OutOfRange {
        /// The argument.
        what: &'static str,
        /// Its range, in words.
        expected: &'static str,
        /// The value.
        found: f64,
    },
    /// The metric belongs to another kind of head.
    #[error("expected {expected} predictions, found {found} predictions")]
    HeadMismatch {
        /// What the metric asks for.
        expected: &'static str,
        /// What it was given.
        found: &'static str,
    },
    /// Two predictions that should be paired do not belong to the same samples.
    #[error("sample {sample}: expected the same truth on both sides of a paired comparison, found another")]
    TruthMismatch {
        /// The first sample that differs.
        sample: usize,
    },
    /// The method asked for does not exist for this estimate.
    #[error("{what} expects {expected}, found another")]
    MethodMismatch {
        /// What is estimated.
        what: &'static str,
        /// The method it has.
        expected: &'static str,
    },
    /// Every sample belongs to one class, so nothing can be ranked against anything.
    #[error("expected positive and negative samples, found {}", if *.positive { "positive ones only" } else { "negative ones only" })]
    OneClassOnly {
        /// Whether the samples present are positive.
        positive: bool,
    },
    /// A class (or label column) has no value of its own, and the policy is not to leave it out.
    #[error("class {class}: {cause}")]
    InClass {
        /// The class or label column.
        class: usize,
        /// Why it has no value.
        cause: Box<Undefined>,
    },
    /// A case has no score, and the policy is not to leave it out.
    #[error("case {case}: {cause}")]
    InCase {
        /// The case.
        case: usize,
        /// Why it has no score.
        cause: Box<Undefined>,
    },
    /// A class has no sample in the truth, and the policy is not to leave it out.
    #[error("class {class}: expected at least one sample of it, found none")]
    ClassAbsent {
        /// The class.
        class: usize,
    },
    /// A rate is 0 / 0.
    #[error("{rate} is 0 / 0: {reason}")]
    ZeroDenominator {
        /// The rate.
        rate: &'static str,
        /// Which count is zero, in words.
        reason: &'static str,
    },
    /// What should vary is constant, so a ratio to its variance has no value.
    #[error("{what} does not vary")]
    ZeroVariance {
        /// What is constant.
        what: &'static str,
    },
    /// A log loss is infinite: probability 0 was given to what happened.
    #[error(
        "sample {sample}: the true outcome has probability 0, so the log loss is infinite\nhint: choose `Clip::At`, and report the value of the clip"
    )]
    InfiniteLoss {
        /// Row of the sample.
        sample: usize,
    },
    /// No threshold meets the criterion.
    #[error("no threshold among the scores meets the criterion: {criterion}")]
    NoOperatingPoint {
        /// The criterion in words.
        criterion: &'static str,
    },
    /// No finite temperature minimizes the loss.
    #[error("temperature cannot be fitted: {reason}")]
    TemperatureNotIdentifiable {
        /// Why.
        reason: &'static str,
    },
    /// Too few independent subjects for a resampling or variance estimate.
    #[error("expected at least {expected} {what}, found {found}")]
    NotEnough {
        /// What is too few.
        what: &'static str,
        /// The least number.
        expected: usize,
        /// The number there is.
        found: usize,
    },
    /// The statistic had no value in too many bootstrap draws.
    #[error(
        "the statistic has no value in {undefined} of {resamples} bootstrap draws, more than 5 %; first reason: {first}"
    )]
    TooManyUndefinedDraws {
        /// Draws without a value.
        undefined: usize,
        /// All draws.
        resamples: usize,
        /// The reason in the first of them.
        first: Box<Undefined>,
    },
    /// The jackknife of BCa has no value when one subject is left out.
    #[error(
        "without subject {subject} the statistic has no value: {cause}\nhint: the percentile method needs no jackknife"
    )]
    UndefinedWithout {
        /// The subject's index in the grouping.
        subject: usize,
        /// Why.
        cause: Box<Undefined>,
    },
    /// Teacher and lone student do not differ beyond chance (or the teacher is worse), so no share can be recovered.
    #[error("no gap to recover: the interval of the teacher's lead over the lone student is {low}..{high}")]
    NoGap {
        /// Low end of the interval of the lead (positive means that the teacher is better).
        low: f64,
        /// High end of it.
        high: f64,
    },
    /// An arm that the experiment does not have.
    #[error("expected an arm below {arms}, found {arm}")]
    NoSuchArm {
        /// The arm asked for.
        arm: usize,
        /// The number of arms.
        arms: usize,
    },
    /// Both classifiers are right and wrong on the same samples.
    #[error("no discordant pair: both classifiers are right and wrong on the same samples")]
    NoDiscordantPairs,
    /// There is no point to measure at or from.
    #[error("{which}: expected at least one point, found none")]
    EmptyMask {
        /// What is empty.
        which: &'static str,
    },
    /// A product of powers meets a negative factor.
    #[error("scale {scale}: expected a contrast-structure term of 0 or more, found {found}")]
    NegativeStructure {
        /// The scale, 1 is the finest.
        scale: usize,
        /// The mean of the term.
        found: f64,
    },
    /// A label map holds a label that the protocol does not have.
    #[error(
        "{which}, point {point}: expected 0 or the label of a class, found {label}\nhint: name every class that the files hold"
    )]
    UnknownLabel {
        /// Prediction or truth.
        which: &'static str,
        /// The first such point, last axis fastest.
        point: usize,
        /// The label.
        label: u16,
    },
    /// A case was added to a table twice.
    #[error("case `{id}`: expected a case that is not in the table yet")]
    DuplicateCase {
        /// The case.
        id: String,
    },
    /// Something in mm³ was asked of a plane.
    #[error("{what}: expected a volume, found a plane")]
    NotAVolume {
        /// The metric.
        what: &'static str,
    },
}

/// Refuses a confidence level outside the open interval 0..1.
pub(crate) fn check_level(level: f64) -> Result<(), Undefined> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(Undefined::OutOfRange { what: "confidence level", expected: "above 0 and below 1", found: level })
    }
}

/// Refuses inputs of different length.
pub(crate) fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), Undefined> {
    if expected == found { Ok(()) } else { Err(Undefined::LengthMismatch { what, expected, found }) }
}

/// Refuses NaN and infinities.
pub(crate) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), Undefined> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Undefined::NotFinite { what, index, found: values[index] }),
    }
}

/// Takes a caller's statistic, refusing one that came out as NaN or infinite.
pub(crate) fn finite(score: Score) -> Score {
    match score {
        Ok(found) if !found.is_finite() => Err(Undefined::NotFinite { what: "statistic", index: 0, found }),
        score => score,
    }
}
