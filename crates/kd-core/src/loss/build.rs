//! From a name and parameters, as they stand in a recipe, to a loss that fits the head, or that compares images.
//!
//! Everything that can be wrong is found here, before data or a network is touched.

use std::{collections::BTreeMap, fmt};

use super::{
    AdaptiveHinton, BernoulliKd, BoundaryKd, Certainty, ChannelWiseKd, CurriculumKd, Dist, DistillLoss, Dkd, HintonKd,
    LogitMse, LossEntry, LossError, MultiLevel, Nkd, On, Output, ParameterEntry, PixelWeights, Range, Refusal,
    ScheduledHinton, SoftCrossEntropy, Standardized, VirtualTeacher, Weighted,
    catalog::{LABELS_REFUSAL, STANDARDIZE_REFUSAL, did_you_mean, find},
    image::{ImageDistance, SsimWindow},
};
use crate::{
    head::Head,
    temperature::{Temperature, TemperatureSchedule},
};

/// The value of a parameter as a recipe gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
    /// Text.
    Text(String),
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Text(text) => write!(f, "text `{text}`"),
        }
    }
}

/// Parameters of one loss, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(pub BTreeMap<String, Value>);

impl Parameters {
    /// No parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }
}

/// Makes a distillation loss from its name in the catalog, for logits of rank `D` and a head.
///
/// # Errors
/// [`LossError`]: a name that is not in the catalog, a parameter that the loss does not have or that is missing or of
/// the wrong kind, a temperature out of range, a head or a kind of output on which the loss means nothing, or a loss that
/// recipes cannot name yet.
///
/// # Example
/// ```
/// use kd_core::{Head, loss::{Parameters, build}};
///
/// let parameters = Parameters::new().with("temperature", 4.0);
/// assert!(build::<2>("hinton", &parameters, Head::TwoClassSoftmax).is_ok());
///
/// let error = build::<2>("hinton", &parameters, Head::OneChannel).err().unwrap();
/// assert!(error.to_string().ends_with("hint: use `bernoulli`"));
/// ```
pub fn build<const D: usize>(
    name: &str,
    parameters: &Parameters,
    head: Head,
) -> Result<Box<dyn DistillLoss<D>>, LossError> {
    let entry = find(name)?;
    let given = Given { entry, parameters };
    given.check_names()?;
    entry.fits_head(head).map_err(|refusal| refused(entry, format!("a {} head", head.name()), refusal))?;
    if entry.on == On::Features {
        return Err(refused(entry, "a term without taps".into(), FEATURES_REFUSAL));
    }
    let output = Output::of_rank(D);
    entry.fits_output(output).map_err(|refusal| refused(entry, format!("a {} output", output.name()), refusal))?;
    if let Some(refusal) = entry.not_in_recipes {
        return Err(refused(entry, "a recipe's term".into(), refusal));
    }
    let mut loss = given.bare::<D>(head)?;
    if given.has("standardize") && given.flag("standardize")? {
        if !matches!(head, Head::Softmax { .. }) {
            return Err(refused(entry, format!("a {} head when standardised", head.name()), STANDARDIZE_REFUSAL));
        }
        loss = Box::new(Standardized::new(loss));
    }
    let weights = match if given.has("pixels") { given.choice("pixels")? } else { "all" } {
        "class-balanced" => PixelWeights::ClassBalanced,
        "foreground-balanced" => PixelWeights::ForegroundBalanced,
        _ => return Ok(loss),
    };
    if matches!(head, Head::MultiLabel { .. } | Head::Ordinal { .. }) {
        return Err(refused(entry, format!("a {} head with weights by class", head.name()), LABELS_REFUSAL));
    }
    Ok(Box::new(Weighted::new(loss, weights)))
}

/// Makes a loss between images from its name in the catalog, for images of rank `D`: of a student and of whatever it is
/// to resemble, a teacher's answer or the truth.
///
/// # Errors
/// [`LossError`]: a name that is not in the catalog, a parameter that the loss does not have or that is missing or out of
/// range, a loss on logits or features, or one that compares with two images at once.
///
/// # Example
/// ```
/// use kd_core::loss::{Parameters, build_image};
///
/// let parameters = Parameters::new().with("epsilon", 0.001);
/// assert_eq!(build_image::<4>("charbonnier", &parameters)?.name(), "charbonnier");
///
/// let error = build_image::<4>("hinton", &Parameters::new().with("temperature", 4.0)).err().unwrap();
/// assert!(error.to_string().starts_with("loss `hinton` does not fit answers that are images"));
/// # Ok::<(), kd_core::loss::LossError>(())
/// ```
pub fn build_image<const D: usize>(name: &str, parameters: &Parameters) -> Result<Box<dyn DistillLoss<D>>, LossError> {
    Ok(Box::new(image_distance::<D>(name, parameters)?))
}

/// As [`build_image`], the loss by itself: what a restoration is compared with the truth by.
///
/// # Errors
/// As [`build_image`].
pub fn image_distance<const D: usize>(name: &str, parameters: &Parameters) -> Result<ImageDistance, LossError> {
    let entry = find(name)?;
    let given = Given { entry, parameters };
    given.check_names()?;
    match entry.on {
        On::Logits => return Err(refused(entry, "answers that are images".into(), IMAGES_REFUSAL)),
        On::Features => return Err(refused(entry, "a term without taps".into(), FEATURES_REFUSAL)),
        On::Images => {}
    }
    if let Some(refusal) = entry.not_in_recipes {
        return Err(refused(entry, "a recipe's term".into(), refusal));
    }
    let output = Output::of_rank(D);
    entry.fits_output(output).map_err(|refusal| refused(entry, format!("a {} output", output.name()), refusal))?;
    given.image_distance()
}

const IMAGES_REFUSAL: Refusal = Refusal {
    reason: "it compares what logits say about classes, and an intensity says nothing about a class",
    instead: "use `l1`, or another loss between images (`kd losses` lists them)",
};

const FEATURES_REFUSAL: Refusal = Refusal {
    reason: "it compares features at a pair of taps",
    instead: "use it with `student_tap` and `teacher_tap`",
};

const INTER_REFUSAL: Refusal = Refusal {
    reason: "the correlation of two numbers is 1 or −1 and has no gradient, and yes/no answers are not shares of a whole",
    instead: "set `inter = 0` and keep `intra`",
};

const CENTERED_REFUSAL: Refusal = Refusal {
    reason: "centering frees a constant that a softmax cannot see but a sigmoid can; one channel would always give 0",
    instead: "set `centered = false`",
};

pub(super) fn refused(entry: &LossEntry, what: String, refusal: Refusal) -> LossError {
    LossError::Refused { loss: entry.name, what, refusal }
}

/// The parameters that were given, read against a row of the catalog.
pub(super) struct Given<'a> {
    pub(super) entry: &'static LossEntry,
    pub(super) parameters: &'a Parameters,
}

impl Given<'_> {
    /// The loss without transforms of logits or weights.
    fn bare<const D: usize>(&self, head: Head) -> Result<Box<dyn DistillLoss<D>>, LossError> {
        let entry = self.entry;
        Ok(match entry.name {
            "hinton" => Box::new(HintonKd::new(self.temperature("temperature")?)),
            "soft-cross-entropy" => Box::new(SoftCrossEntropy::new(self.temperature("temperature")?)),
            "bernoulli" => Box::new(BernoulliKd::new(self.temperature("temperature")?)),
            "logit-mse" => {
                let centered = self.flag("centered")?;
                if centered && head.is_bernoulli() {
                    return Err(refused(entry, format!("a {} head when centered", head.name()), CENTERED_REFUSAL));
                }
                Box::new(LogitMse::new(centered))
            }
            "dkd" => Box::new(Dkd::new(self.temperature("temperature")?, self.number("alpha")?, self.number("beta")?)),
            "nkd" => Box::new(Nkd::new(self.temperature("temperature")?, self.number("gamma")?)),
            "dist" => {
                let inter = self.number("inter")?;
                if inter > 0.0 && !matches!(head, Head::Softmax { .. }) {
                    return Err(refused(entry, format!("a {} head with inter > 0", head.name()), INTER_REFUSAL));
                }
                Box::new(Dist::new(self.temperature("temperature")?, inter, self.number("intra")?, head)?)
            }
            "multi-level" => {
                let (lowest, highest) = (self.whole("lowest")?, self.whole("highest")?);
                Box::new(MultiLevel::new(lowest, highest)?)
            }
            "virtual-teacher" => {
                Box::new(VirtualTeacher::new(self.temperature("temperature")?, self.number("probability")?)?)
            }
            "channel-wise" => Box::new(ChannelWiseKd::new(self.temperature("temperature")?)),
            "boundary" => {
                let radius = self.whole("radius")? as usize;
                Box::new(BoundaryKd::new(self.temperature("temperature")?, head, radius, self.number("factor")?)?)
            }
            "curriculum" => Box::new(CurriculumKd::new(self.whole("reversal_epochs")? as usize)),
            "adaptive-hinton" => {
                let certainty = match self.choice("certainty")? {
                    "entropy" => Certainty::Entropy,
                    _ => Certainty::Confidence,
                };
                Box::new(AdaptiveHinton::new(certainty, self.temperature("lowest")?, self.temperature("highest")?))
            }
            "scheduled-hinton" => {
                let (start, end) = (self.temperature("start")?, self.temperature("end")?);
                let epochs = self.whole("epochs")? as usize;
                Box::new(ScheduledHinton::new(match self.choice("shape")? {
                    "linear" => TemperatureSchedule::Linear { start, end, epochs },
                    _ => TemperatureSchedule::Cosine { start, end, epochs },
                }))
            }
            other => unreachable!("catalog row `{other}` has a constructor: checked by a test over all rows"),
        })
    }

    /// A loss between images.
    fn image_distance(&self) -> Result<ImageDistance, LossError> {
        Ok(match self.entry.name {
            "l1" => ImageDistance::L1,
            "mse" => ImageDistance::Mse,
            "charbonnier" => ImageDistance::Charbonnier { epsilon: self.number("epsilon")? },
            "gradient" => ImageDistance::Gradient,
            "frequency" => ImageDistance::Frequency,
            "ssim" => {
                let size = self.whole("window")?;
                if size % 2 == 0 {
                    let expected =
                        self.parameter("window").range.to_string().replace("a number", "an odd whole number");
                    let (loss, found) = (self.entry.name, size.to_string());
                    return Err(LossError::ParameterKind { loss, name: "window", expected, found });
                }
                let window = SsimWindow { size: size as usize, sigma: self.number("sigma")? };
                ImageDistance::Ssim { range: self.number("range")?, window }
            }
            other => unreachable!("catalog row `{other}` has a constructor: checked by a test over all rows"),
        })
    }

    fn has(&self, name: &str) -> bool {
        self.entry.parameters.iter().any(|parameter| parameter.name == name)
    }

    pub(super) fn check_names(&self) -> Result<(), LossError> {
        let known = || self.entry.parameters.iter().map(|parameter| parameter.name);
        match self.parameters.0.keys().find(|name| !known().any(|k| k == name.as_str())) {
            None => Ok(()),
            Some(name) => Err(LossError::UnknownParameter {
                loss: self.entry.name,
                name: name.clone(),
                known: known().collect::<Vec<_>>().join(", "),
                hint: did_you_mean(name, known(), &format!("kd losses {}", self.entry.name)),
            }),
        }
    }

    pub(super) fn temperature(&self, name: &'static str) -> Result<Temperature, LossError> {
        let tau = self.read(name)?;
        Temperature::new(tau).map_err(|source| LossError::Temperature { loss: self.entry.name, name, source })
    }

    /// A number within its range.
    pub(super) fn number(&self, name: &str) -> Result<f64, LossError> {
        let number = self.read(name)?;
        let parameter = self.parameter(name);
        match parameter.range {
            Range::Number { min, max, .. } if (min..=max).contains(&number) => Ok(number),
            _ => Err(self.wrong_kind(parameter, &Value::Number(number))),
        }
    }

    /// A whole number within its range.
    pub(super) fn whole(&self, name: &str) -> Result<u32, LossError> {
        let number = self.number(name)?;
        if number.fract() == 0.0 {
            // Every range of a whole number lies far inside of u32.
            return Ok(number as u32);
        }
        let parameter = self.parameter(name);
        Err(LossError::ParameterKind {
            loss: self.entry.name,
            name: parameter.name,
            expected: parameter.range.to_string().replace("a number", "a whole number"),
            found: number.to_string(),
        })
    }

    fn read(&self, name: &str) -> Result<f64, LossError> {
        let parameter = self.parameter(name);
        match (self.parameters.0.get(name), parameter.range) {
            (Some(Value::Number(number)), _) => Ok(*number),
            (Some(other), _) => Err(self.wrong_kind(parameter, other)),
            (None, Range::Number { default: Some(number), .. }) => Ok(number),
            (None, _) => Err(self.missing(parameter)),
        }
    }

    /// One of some words; a number stands for the word that is written alike.
    pub(super) fn choice(&self, name: &str) -> Result<&'static str, LossError> {
        let parameter = self.parameter(name);
        match (self.parameters.0.get(name), parameter.range) {
            (Some(found @ (Value::Text(_) | Value::Number(_))), Range::Choice { options, .. }) => {
                let known = options.iter().find(|option| match found {
                    Value::Text(word) => *option == word,
                    other => **option == other.to_string(),
                });
                known.copied().ok_or_else(|| self.wrong_kind(parameter, found))
            }
            (Some(other), _) => Err(self.wrong_kind(parameter, other)),
            (None, Range::Choice { default: Some(word), .. }) => Ok(word),
            (None, _) => Err(self.missing(parameter)),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, LossError> {
        let parameter = self.parameter(name);
        match (self.parameters.0.get(name), parameter.range) {
            (Some(Value::Flag(flag)), _) => Ok(*flag),
            (Some(other), _) => Err(self.wrong_kind(parameter, other)),
            (None, Range::Flag { default: Some(flag) }) => Ok(flag),
            (None, _) => Err(self.missing(parameter)),
        }
    }

    fn parameter(&self, name: &str) -> &'static ParameterEntry {
        let parameter = self.entry.parameters.iter().find(|parameter| parameter.name == name);
        parameter.expect("a constructor reads only parameters of its own row: checked by a test over all rows")
    }

    fn missing(&self, parameter: &ParameterEntry) -> LossError {
        LossError::MissingParameter { loss: self.entry.name, name: parameter.name, meaning: parameter.doc }
    }

    fn wrong_kind(&self, parameter: &ParameterEntry, found: &Value) -> LossError {
        LossError::ParameterKind {
            loss: self.entry.name,
            name: parameter.name,
            expected: parameter.range.to_string(),
            found: found.to_string(),
        }
    }
}
