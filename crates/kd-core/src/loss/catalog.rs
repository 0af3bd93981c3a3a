//! The table of distillation losses: one place from which help, recipe checks and construction all read.
//!
//! A row says on which heads a loss means something. Every framework that was read lets a one-channel network train
//! against a softmax loss that is 0 for any student; here that cell is a refusal with a reason.

mod features;
mod fits;
mod images;
mod rows;

pub(super) use fits::{LABELS_REFUSAL, STANDARDIZE_REFUSAL};

use self::{features::FEATURES, images::IMAGES, rows::LOGITS};
use super::LossError;
use crate::head::Head;

/// Every distillation loss, in the order in which help lists them: on logits, on features, between images.
pub static CATALOG: &[LossEntry] = &joined();

const fn joined() -> [LossEntry; LOGITS.len() + FEATURES.len() + IMAGES.len()] {
    let mut all = [LOGITS[0]; LOGITS.len() + FEATURES.len() + IMAGES.len()];
    let (mut at, parts) = (0, [LOGITS, FEATURES, IMAGES]);
    let mut part = 0;
    while part < parts.len() {
        let mut row = 0;
        while row < parts[part].len() {
            all[at] = parts[part][row];
            (at, row) = (at + 1, row + 1);
        }
        part += 1;
    }
    all
}

/// What a loss compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Raw answers of a classifier, pooled or dense.
    Logits,
    /// Features at a pair of taps.
    Features,
    /// Images: restored, true, a teacher's.
    Images,
}

impl On {
    /// The name that tables use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::Features => "features",
            Self::Images => "images",
        }
    }
}

/// One row: everything a person or a recipe check has to know about a loss.
#[derive(Debug, Clone, Copy)]
pub struct LossEntry {
    /// The name used in recipes.
    pub name: &'static str,
    /// What it compares.
    pub on: On,
    /// One sentence.
    pub doc: &'static str,
    /// What is computed for one position, before the mean.
    pub formula: &'static str,
    /// What it is divided by and multiplied with.
    pub divisor: &'static str,
    /// Its parameters; one without a default is required.
    pub parameters: &'static [ParameterEntry],
    /// Whether it compares with hard labels as well.
    pub labels: bool,
    /// Whether it takes `[batch, class]` (or `[batch, channel]`).
    pub pooled: bool,
    /// Whether it takes `[batch, class, …spatial]`.
    pub dense: bool,
    /// Author, year, identifier, place.
    pub source: &'static str,
    /// Why a recipe cannot name it, though the function is there.
    pub not_in_recipes: Option<Refusal>,
    fits: fn(Head) -> Result<(), Refusal>,
}

/// A parameter of a loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParameterEntry {
    /// Its key in a recipe.
    pub name: &'static str,
    /// What it accepts, and its default.
    pub range: Range,
    /// What it means.
    pub doc: &'static str,
}

/// What a parameter accepts. A default of `None` means that it must be given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// A number from `min` to `max`, both included.
    Number {
        /// Lowest accepted value.
        min: f64,
        /// Highest accepted value.
        max: f64,
        /// Used where nothing is given.
        default: Option<f64>,
    },
    /// `true` or `false`.
    Flag {
        /// Used where nothing is given.
        default: Option<bool>,
    },
    /// One of several words.
    Choice {
        /// The words.
        options: &'static [&'static str],
        /// Used where nothing is given.
        default: Option<&'static str>,
    },
}

impl Range {
    /// Whether a recipe must give the parameter.
    #[must_use]
    pub fn is_required(self) -> bool {
        matches!(
            self,
            Self::Number { default: None, .. } | Self::Flag { default: None } | Self::Choice { default: None, .. }
        )
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number { min, max, .. } => write!(f, "a number from {min} to {max}"),
            Self::Flag { .. } => f.write_str("true or false"),
            Self::Choice { options, .. } => write!(f, "one of {}", options.join(", ")),
        }
    }
}

/// Whether a network answers once per sample or once per pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// `[batch, class]`.
    Pooled,
    /// `[batch, class, (depth,) height, width]`.
    Dense,
}

impl Output {
    /// The kind of output that logits of a rank are.
    #[must_use]
    pub fn of_rank(rank: usize) -> Self {
        if rank <= 2 { Self::Pooled } else { Self::Dense }
    }

    /// The name that tables and messages use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::Dense => "dense",
        }
    }
}

/// Why a loss makes no sense somewhere, and what does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, in words.
    pub reason: &'static str,
    /// What to use instead.
    pub instead: &'static str,
}

impl LossEntry {
    /// Whether the loss looks at what a teacher says. The made-up teacher of `virtual-teacher` is built from the labels: it
    /// is a control of what softness alone does.
    #[must_use]
    pub fn looks_at_teacher(&self) -> bool {
        self.name != "virtual-teacher"
    }

    /// Whether the loss means something on a head.
    ///
    /// # Errors
    /// The [`Refusal`] of that cell of the table.
    pub fn fits_head(&self, head: Head) -> Result<(), Refusal> {
        (self.fits)(head)
    }

    /// Whether the loss takes this kind of output.
    ///
    /// # Errors
    /// The [`Refusal`] of that column of the table.
    pub fn fits_output(&self, output: Output) -> Result<(), Refusal> {
        match output {
            Output::Pooled if !self.pooled => Err(Refusal {
                reason: "it compares positions of a map, and a pooled output has only one",
                instead: "use it on dense logits, or choose a loss for pooled logits (kd losses)",
            }),
            Output::Dense if !self.dense => Err(Refusal {
                reason: "it is defined for one answer per sample, not for one per pixel",
                instead: "use it on pooled logits, or choose a loss for dense logits (kd losses)",
            }),
            Output::Pooled | Output::Dense => Ok(()),
        }
    }
}

/// Finds a row by name.
///
/// # Errors
/// [`LossError::UnknownLoss`], whose hint is the nearest name if one is near.
///
/// # Example
/// ```
/// use kd_core::{Head, loss::find};
///
/// assert!(find("hinton")?.fits_head(Head::TwoClassSoftmax).is_ok());
/// let error = find("hintom").unwrap_err().to_string();
/// assert!(error.ends_with("hint: did you mean `hinton`?"));
/// # Ok::<(), kd_core::loss::LossError>(())
/// ```
pub fn find(name: &str) -> Result<&'static LossEntry, LossError> {
    CATALOG.iter().find(|entry| entry.name == name).ok_or_else(|| LossError::UnknownLoss {
        name: name.to_owned(),
        known: CATALOG.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", "),
        hint: did_you_mean(name, CATALOG.iter().map(|entry| entry.name), "kd losses"),
    })
}

/// The nearest known name as a question, or the command that lists them.
pub(super) fn did_you_mean(name: &str, known: impl Iterator<Item = &'static str>, list: &str) -> String {
    let near =
        known.map(|other| (edit_distance(name, other), other)).min().filter(|(d, _)| *d <= 2.max(name.len() / 3));
    near.map_or_else(|| format!("`{list}` lists them"), |(_, other)| format!("did you mean `{other}`?"))
}

/// Levenshtein distance, ignoring case.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distances_by_hand() {
        for (a, b, distance) in [("", "abc", 3), ("kitten", "sitting", 3), ("Hinton", "hinton", 0), ("ab", "ba", 2)] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn a_far_name_gets_the_list_and_not_a_guess() {
        let text = find("focal-frequency").unwrap_err().to_string();
        assert!(text.ends_with("hint: `kd losses` lists them"), "{text}");
        assert!(text.contains("hinton, soft-cross-entropy, bernoulli, logit-mse, "), "{text}");
    }

    #[test]
    fn a_row_for_one_kind_of_output_refuses_the_other() {
        let dense_only = LossEntry { pooled: false, ..CATALOG[0] };
        assert!(dense_only.fits_output(Output::Dense).is_ok());
        assert!(dense_only.fits_output(Output::Pooled).unwrap_err().reason.contains("positions of a map"));
        let pooled_only = LossEntry { dense: false, ..CATALOG[0] };
        assert!(pooled_only.fits_output(Output::Pooled).is_ok());
        assert!(pooled_only.fits_output(Output::Dense).is_err());
    }
}
