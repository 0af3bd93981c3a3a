//! The metrics of classification by name, with the policy that fixes their value.

use kd_core::Head;

/// Bins of the calibration error, in every report and command.
pub(super) const CALIBRATION_BINS: usize = 15;

/// A reported number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Area under the ROC curve.
    Auroc,
    /// Area under the precision–recall curve.
    AveragePrecision,
    /// Share of right answers.
    Accuracy,
    /// Mean recall over classes.
    BalancedAccuracy,
    /// Share of positives found.
    Sensitivity,
    /// Share of negatives left alone.
    Specificity,
    /// Share of right ones among those called positive.
    Precision,
    /// Harmonic mean of precision and recall.
    F1,
    /// Correlation of truth and answer.
    Mcc,
    /// Agreement beyond chance.
    Kappa,
    /// Negative log-likelihood.
    Nll,
    /// Squared error of probabilities.
    Brier,
    /// Expected calibration error.
    Ece,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 13] = [
        Self::Auroc,
        Self::AveragePrecision,
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::Sensitivity,
        Self::Specificity,
        Self::Precision,
        Self::F1,
        Self::Mcc,
        Self::Kappa,
        Self::Nll,
        Self::Brier,
        Self::Ece,
    ];

    /// The metrics that mean something for a head, in the order of a report.
    #[must_use]
    pub fn of_head(head: Head) -> &'static [Self] {
        use Metric::{
            Accuracy, Auroc, AveragePrecision, BalancedAccuracy, Brier, Ece, F1, Kappa, Mcc, Nll, Precision,
            Sensitivity, Specificity,
        };
        match head {
            Head::OneChannel | Head::TwoClassSoftmax => &[
                Auroc,
                AveragePrecision,
                Accuracy,
                BalancedAccuracy,
                Sensitivity,
                Specificity,
                Precision,
                F1,
                Mcc,
                Nll,
                Brier,
                Ece,
            ],
            Head::Softmax { .. } | Head::Ordinal { .. } => {
                &[Auroc, Accuracy, BalancedAccuracy, F1, Kappa, Mcc, Nll, Brier, Ece]
            }
            Head::MultiLabel { .. } => {
                &[Auroc, AveragePrecision, Accuracy, Sensitivity, Specificity, Precision, F1, Nll, Brier, Ece]
            }
        }
    }

    /// The metric of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Its name in recipes and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auroc => "auroc",
            Self::AveragePrecision => "average_precision",
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::Sensitivity => "sensitivity",
            Self::Specificity => "specificity",
            Self::Precision => "precision",
            Self::F1 => "f1",
            Self::Mcc => "mcc",
            Self::Kappa => "kappa",
            Self::Nll => "nll",
            Self::Brier => "brier",
            Self::Ece => "ece",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Auroc => "AUROC",
            Self::AveragePrecision => "Average precision",
            Self::Accuracy => "Accuracy",
            Self::BalancedAccuracy => "Balanced accuracy",
            Self::Sensitivity => "Sensitivity",
            Self::Specificity => "Specificity",
            Self::Precision => "Precision",
            Self::F1 => "F1",
            Self::Mcc => "MCC",
            Self::Kappa => "Cohen’s κ",
            Self::Nll => "Log loss",
            Self::Brier => "Brier score",
            Self::Ece => "Calibration error",
        }
    }

    /// What it measures, in a sentence.
    #[must_use]
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Auroc => "probability that a positive image gets a higher score than a negative one",
            Self::AveragePrecision => "precision averaged over the recalls at which it was reached",
            Self::Accuracy => "share of images answered right",
            Self::BalancedAccuracy => "recall of each class, averaged over classes",
            Self::Sensitivity => "share of positive images that are found",
            Self::Specificity => "share of negative images that are left alone",
            Self::Precision => "share of truly positive images among those called positive",
            Self::F1 => "harmonic mean of precision and recall",
            Self::Mcc => "correlation between truth and answer, from −1 to 1",
            Self::Kappa => "agreement with the truth beyond what chance would give",
            Self::Nll => "mean negative logarithm of the probability given to the truth",
            Self::Brier => "mean squared error of the probabilities",
            Self::Ece => "mean gap between stated confidence and observed frequency",
        }
    }

    /// Everything that changes the number for a head.
    #[must_use]
    pub fn policy(self, head: Head) -> String {
        let binary = matches!(head, Head::OneChannel | Head::TwoClassSoftmax);
        let labels = matches!(head, Head::MultiLabel { .. });
        let text = match self {
            Self::Auroc if binary => "positive class against negative, ties count half",
            Self::Auroc if labels => "mean over labels, labels of one kind only are left out, ties count half",
            Self::Auroc => "one class against the rest, mean over classes present, ties count half",
            Self::AveragePrecision if binary => "positive class, step-wise, not interpolated",
            Self::AveragePrecision => "mean over labels that occur, step-wise, not interpolated",
            Self::Accuracy if binary => "positive above probability .5",
            Self::Accuracy if labels => "mean over labels, present above probability .5",
            Self::Accuracy => "class of highest probability, the first of equal ones",
            Self::BalancedAccuracy => "classes absent from the truth are left out",
            Self::Sensitivity | Self::Specificity | Self::Precision | Self::F1 if binary => {
                "positive above probability .5; 0 divided by 0 counts as 0"
            }
            Self::Sensitivity | Self::Specificity | Self::Precision | Self::F1 => {
                "mean over classes that occur; 0 divided by 0 counts as 0"
            }
            Self::Mcc => "all classes together",
            Self::Kappa if matches!(head, Head::Ordinal { .. }) => "quadratic weights",
            Self::Kappa => "unweighted",
            Self::Nll => "natural logarithm, probabilities clipped at 1e-7",
            Self::Brier if binary => "probability of the positive class",
            Self::Brier if labels => "mean over labels and images",
            Self::Brier => "summed over classes",
            Self::Ece if binary || labels => "positive probability, 15 bins of equal mass",
            Self::Ece => "probability of the chosen class, 15 bins of equal mass",
        };
        text.into()
    }

    /// Whether more is better.
    #[must_use]
    pub const fn higher_is_better(self) -> bool {
        !matches!(self, Self::Nll | Self::Brier | Self::Ece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for metric in Metric::ALL {
            assert_eq!(Metric::named(metric.name()), Some(metric));
        }
        assert_eq!(Metric::named("dice"), None);
    }

    #[test]
    fn the_policy_names_the_bins_in_use() {
        assert!(Metric::Ece.policy(Head::OneChannel).contains(&CALIBRATION_BINS.to_string()));
    }
}
