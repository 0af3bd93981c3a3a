//! Published settings, translated: a weight from a paper means nothing without what its code divides by.
//!
//! The same divergence is divided by samples, by pixels, by both, or by the classes as well, with τ² or without. A
//! preset holds the published weight beside that, and gives the weight which here has the same effect.

use super::{LossError, Parameters, Value, catalog::did_you_mean};

/// What a published code divides its sum over samples, classes and pixels by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperDivisor {
    /// The same as here.
    Ours,
    /// Samples: each pixel of a map counts in full.
    Samples,
    /// Pixels of one image: the samples of a batch are summed.
    Pixels,
    /// Samples, pixels and classes: a plain mean over all elements.
    Elements,
}

impl PaperDivisor {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "as here",
            Self::Samples => "samples, not pixels",
            Self::Pixels => "pixels of one image, not samples",
            Self::Elements => "samples, pixels and classes",
        }
    }
}

/// The sizes that a translation depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Samples of a batch.
    pub samples: usize,
    /// Length of the class axis.
    pub classes: usize,
    /// Pixels of an answer; 1 for a pooled one.
    pub pixels: usize,
}

/// A published setting of a loss.
///
/// # Policy
/// What is published is taken whole: weight, parameters and rise together. The weight is translated by
/// [`weight_here`](Self::weight_here); nothing else is.
///
/// # Source
/// Each preset names its own.
///
/// # Example
/// ```
/// use kd_core::loss::find_published;
///
/// let preset = find_published("dkd", "mdistiller-cifar")?;
/// assert_eq!((preset.ramp_epochs, preset.parameters().0.len()), (20, 3)); // temperature, alpha, beta
/// # Ok::<(), kd_core::loss::LossError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// Its name in a recipe: whose code, and on which data.
    pub name: &'static str,
    /// The loss in the catalog.
    pub loss: &'static str,
    /// The weight in that code.
    pub weight: f64,
    /// The weight of the hard-label loss beside it.
    pub task_weight: Option<f64>,
    /// Parameters of the loss.
    pub parameters: &'static [(&'static str, Setting)],
    /// What that code divides by.
    pub divisor: PaperDivisor,
    /// What that code's sum is of ours: 2 where it leaves out a half.
    pub factor: f64,
    /// Epochs of a linear rise of the weight; 0 for none.
    pub ramp_epochs: usize,
    /// Where it is from.
    pub source: &'static str,
}

/// The value of a parameter in a preset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
}

impl From<Setting> for Value {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::Number(number) => Self::Number(number),
            Setting::Flag(flag) => Self::Flag(flag),
        }
    }
}

impl Published {
    /// The weight that here has the effect of the published one.
    ///
    /// Our divisor is samples times pixels, so it is `weight · factor · samples · pixels / their divisor`.
    ///
    /// # Example
    /// ```
    /// use kd_core::loss::{Sizes, find_published};
    ///
    /// let sizes = Sizes { samples: 8, classes: 19, pixels: 64 * 64 };
    /// // SKD sums the batch: with 8 images its weight of 10 is one of 80 here.
    /// assert_eq!(find_published("soft-cross-entropy", "skd-cityscapes")?.weight_here(sizes), 80.0);
    /// # Ok::<(), kd_core::loss::LossError>(())
    /// ```
    #[must_use]
    pub fn weight_here(&self, sizes: Sizes) -> f64 {
        let Sizes { samples, classes, pixels } = sizes;
        let over = match self.divisor {
            PaperDivisor::Ours => 1.0,
            PaperDivisor::Samples => pixels as f64,
            PaperDivisor::Pixels => samples as f64,
            PaperDivisor::Elements => 1.0 / classes as f64,
        };
        self.weight * self.factor * over
    }

    /// Its parameters as a recipe would give them.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.parameters.iter().fold(Parameters::new(), |given, (name, value)| given.with(name, *value))
    }
}

/// Finds a preset of a loss by name.
///
/// # Errors
/// [`LossError::UnknownPreset`], with those that the loss has.
pub fn find_published(loss: &str, name: &str) -> Result<&'static Published, LossError> {
    let of_loss = || PUBLISHED.iter().filter(|preset| preset.loss == loss);
    of_loss().find(|preset| preset.name == name).ok_or_else(|| {
        let known: Vec<&str> = of_loss().map(|preset| preset.name).collect();
        LossError::UnknownPreset {
            loss: loss.to_owned(),
            name: name.to_owned(),
            hint: did_you_mean(name, known.iter().copied(), &format!("kd losses {loss}")),
            known: if known.is_empty() { "none: it has no published setting here".into() } else { known.join(", ") },
        }
    })
}

const fn preset(
    loss: &'static str,
    name: &'static str,
    (weight, task_weight): (f64, Option<f64>),
    parameters: &'static [(&'static str, Setting)],
    source: &'static str,
) -> Published {
    let (divisor, factor, ramp_epochs) = (PaperDivisor::Ours, 1.0, 0);
    Published { name, loss, weight, task_weight, parameters, divisor, factor, ramp_epochs, source }
}

use Setting::{Flag, Number};

const DKD: &str = "Zhao et al. 2022, arXiv 2203.08679, and the code mdistiller";
const DIST: &str = "Huang et al. 2022, arXiv 2205.10536, and its code";

/// Every preset, by loss.
pub static PUBLISHED: &[Published] = &[
    preset(
        "hinton",
        "repdistiller-cifar",
        (0.9, Some(0.1)),
        &[("temperature", Number(4.0))],
        "Tian et al. 2020, arXiv 1910.10699, the code RepDistiller",
    ),
    preset(
        "hinton",
        "mdistiller-imagenet",
        (0.5, Some(0.5)),
        &[("temperature", Number(1.0))],
        "Zhao et al. 2022, arXiv 2203.08679, the code mdistiller",
    ),
    Published {
        divisor: PaperDivisor::Samples,
        ..preset(
            "hinton",
            "mmrazor-imagenet",
            (3.0, Some(1.0)),
            &[("temperature", Number(1.0))],
            "the code mmrazor, KLDivergence and its recipe for ImageNet",
        )
    },
    preset(
        "hinton",
        "logit-standardization-cifar",
        (9.0, Some(0.1)),
        &[("temperature", Number(2.0)), ("standardize", Flag(true))],
        "Sun et al. 2024, arXiv 2403.01427, and its code; the paper searched 1 to 18 per pair",
    ),
    preset(
        "hinton",
        "cirkd-cityscapes",
        (1.0, Some(1.0)),
        &[("temperature", Number(1.0))],
        "Yang et al. 2022, arXiv 2204.06986, and its code",
    ),
    Published {
        divisor: PaperDivisor::Pixels,
        ..preset(
            "soft-cross-entropy",
            "skd-cityscapes",
            (10.0, Some(1.0)),
            &[("temperature", Number(1.0))],
            "Liu et al. 2019, arXiv 1903.04197, and its code",
        )
    },
    Published {
        divisor: PaperDivisor::Elements,
        factor: 2.0,
        ..preset(
            "logit-mse",
            "kd-zoo",
            (0.1, None),
            &[("centered", Flag(false))],
            "the code Knowledge-Distillation-Zoo",
        )
    },
    Published {
        ramp_epochs: 20,
        ..preset(
            "dkd",
            "mdistiller-cifar",
            (1.0, Some(1.0)),
            &[("temperature", Number(4.0)), ("alpha", Number(1.0)), ("beta", Number(8.0))],
            DKD,
        )
    },
    Published {
        ramp_epochs: 1,
        ..preset(
            "dkd",
            "mdistiller-imagenet",
            (1.0, Some(1.0)),
            &[("temperature", Number(1.0)), ("alpha", Number(1.0)), ("beta", Number(0.5))],
            DKD,
        )
    },
    preset(
        "dist",
        "dist-imagenet",
        (1.0, Some(1.0)),
        &[("temperature", Number(1.0)), ("inter", Number(2.0)), ("intra", Number(2.0))],
        DIST,
    ),
    preset(
        "dist",
        "dist-cifar",
        (1.0, Some(1.0)),
        &[("temperature", Number(4.0)), ("inter", Number(2.0)), ("intra", Number(2.0))],
        DIST,
    ),
    preset(
        "dist",
        "dist-cityscapes",
        (1.0, Some(1.0)),
        &[("temperature", Number(1.0)), ("inter", Number(1.0)), ("intra", Number(1.0))],
        DIST,
    ),
    preset(
        "channel-wise",
        "cirkd-logits",
        (3.0, Some(1.0)),
        &[("temperature", Number(4.0))],
        "Shu et al. 2021, arXiv 2011.13256, as in the code of Yang et al. 2022, arXiv 2204.06986",
    ),
    preset(
        "channel-wise",
        "mmrazor-logits",
        (5.0, Some(1.0)),
        &[("temperature", Number(1.0))],
        "Shu et al. 2021, arXiv 2011.13256, as in the code mmrazor",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, loss::build};

    #[test]
    fn every_preset_builds_and_its_name_is_unique_for_its_loss() {
        for (place, preset) in PUBLISHED.iter().enumerate() {
            let what = format!("{} {}", preset.loss, preset.name);
            let built = build::<4>(preset.loss, &preset.parameters(), Head::Softmax { classes: 5 });
            assert!(built.is_ok(), "{what}: {}", built.err().unwrap());
            let same = |other: &&Published| (other.loss, other.name) == (preset.loss, preset.name);
            assert_eq!(PUBLISHED.iter().position(|other| same(&other)), Some(place), "{what}");
            assert!(preset.weight > 0.0 && preset.source.len() > 10, "{what}");
        }
    }

    #[test]
    fn an_unknown_preset_gets_those_that_there_are() {
        let text = find_published("dkd", "mdistiller-cifa").unwrap_err().to_string();
        assert_eq!(
            text,
            "loss `dkd` has no published setting `mdistiller-cifa`, expected one of mdistiller-cifar, \
             mdistiller-imagenet\nhint: did you mean `mdistiller-cifar`?"
        );
        let text = find_published("bernoulli", "a").unwrap_err().to_string();
        assert!(text.contains("none: it has no published setting here"), "{text}");
    }
}
