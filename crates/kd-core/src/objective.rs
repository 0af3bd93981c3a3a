//! What an arm minimises: named terms with weights, and the proof that each of them acts.

use burn::tensor::Tensor;

use crate::Task;
use crate::loss::{Beside, DistillLoss, LossError};

/// Why an objective was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ObjectiveError {
    /// No term at all.
    #[error("objective has no term, expected at least one")]
    Empty,
    /// Two terms of one name.
    #[error("term `{name}` stands twice in one objective, expected one name per term")]
    Twice {
        /// The name.
        name: String,
    },
    /// A weight that would do nothing, or harm.
    #[error("term `{name}` has weight {found}, expected a finite number above 0\nhint: leave the term out instead")]
    Weight {
        /// The term.
        name: String,
        /// Its weight.
        found: f64,
    },
    /// A smoothing that is no share.
    #[error("term `{name}` has smoothing {found}, expected 0 or more and less than 1")]
    Smoothing {
        /// The term.
        name: String,
        /// Its smoothing.
        found: f64,
    },
}

/// How a term's weight grows at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ramp {
    /// Full weight from the first step.
    #[default]
    None,
    /// Weight `(epoch + 1) / epochs`, up to 1.
    Linear {
        /// Epochs until the full weight.
        epochs: usize,
    },
    /// Weight `exp(−5 (1 − t)²)` with `t = (epoch + 1) / epochs`, up to 1: slow first, as Laine and Aila 2017, arXiv
    /// 1610.02242, section 3.
    Sigmoid {
        /// Epochs until the full weight.
        epochs: usize,
    },
}

impl Ramp {
    /// The factor in an epoch, counted from 0.
    ///
    /// ```
    /// let ramp = kd_core::Ramp::Linear { epochs: 4 };
    /// assert_eq!([ramp.factor(0), ramp.factor(3), ramp.factor(9)], [0.25, 1.0, 1.0]);
    ///
    /// let slow = kd_core::Ramp::Sigmoid { epochs: 2 };
    /// assert!((slow.factor(0) - (-1.25f64).exp()).abs() < 1e-12 && slow.factor(1) == 1.0);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "epochs are few")]
    pub fn factor(self, epoch: usize) -> f64 {
        match self {
            Self::Linear { epochs } if epoch + 1 < epochs => (epoch + 1) as f64 / epochs as f64,
            Self::Sigmoid { epochs } if epoch + 1 < epochs => {
                (-5.0 * (1.0 - (epoch + 1) as f64 / epochs as f64).powi(2)).exp()
            }
            _ => 1.0,
        }
    }
}

/// What a term measures.
pub enum TermKind<const O: usize> {
    /// The task's own loss against hard labels.
    Task {
        /// Share of the target spread evenly over classes; 0 for none.
        smoothing: f64,
    },
    /// A distance between the student's and the teacher's answers.
    Distill(Box<dyn DistillLoss<O>>),
    /// The same distance from the truth, where the truth is an answer too, as in restoration: the control that tells what a
    /// teacher adds from what the distance itself does.
    Truth(Box<dyn DistillLoss<O>>),
}

/// One weighted term.
pub struct Term<const O: usize> {
    /// Its name in curves and reports.
    pub name: String,
    /// Its factor in the sum.
    pub weight: f64,
    /// How the weight grows at the start.
    pub ramp: Ramp,
    /// What it measures.
    pub kind: TermKind<O>,
}

impl<const O: usize> Term<O> {
    fn value<T: Task<D, I, O>, const D: usize, const I: usize>(
        &self,
        task: &T,
        raw: Tensor<O>,
        target: &T::Target,
        teacher: Option<&Tensor<O>>,
        epoch: usize,
    ) -> Tensor<1> {
        match (&self.kind, teacher) {
            (TermKind::Task { smoothing }, _) => task.loss(raw, target, *smoothing),
            (TermKind::Distill(loss), Some(teacher)) => {
                let labels = if loss.needs_labels() { task.class_labels(target) } else { None };
                let beside = Beside::new(teacher.clone()).with_mask(task.mask(target)).with_labels(labels);
                loss.evaluate(raw, beside.at_epoch(epoch))
            }
            (TermKind::Truth(loss), _) => {
                let truth = task.truth(target).expect("the trainer asks for the truth when a term needs it");
                loss.evaluate(raw, Beside::new(truth).with_mask(task.mask(target)).at_epoch(epoch))
            }
            (TermKind::Distill(_), None) => unreachable!("the trainer asks for a teacher when a term needs one"),
        }
    }
}

/// The value of an objective and of each of its terms.
pub struct Parts {
    /// Weighted sum, to be differentiated.
    pub total: Tensor<1>,
    /// Each term's value before its weight, in the order of the terms.
    pub values: Vec<Tensor<1>>,
}

/// A weighted sum of named terms.
pub struct Objective<const O: usize> {
    terms: Vec<Term<O>>,
}

impl<const O: usize> Objective<O> {
    /// Checks terms.
    ///
    /// # Errors
    /// [`ObjectiveError`] for no term, a name given twice, a weight that is not finite and above 0, or a smoothing
    /// outside of `[0, 1)`.
    pub fn new(terms: Vec<Term<O>>) -> Result<Self, ObjectiveError> {
        if terms.is_empty() {
            return Err(ObjectiveError::Empty);
        }
        for (position, term) in terms.iter().enumerate() {
            let name = term.name.clone();
            if terms[..position].iter().any(|earlier| earlier.name == term.name) {
                return Err(ObjectiveError::Twice { name });
            }
            if !(term.weight.is_finite() && term.weight > 0.0) {
                return Err(ObjectiveError::Weight { name, found: term.weight });
            }
            if let TermKind::Task { smoothing } = term.kind
                && !(0.0..1.0).contains(&smoothing)
            {
                return Err(ObjectiveError::Smoothing { name, found: smoothing });
            }
        }
        Ok(Self { terms })
    }

    /// The task's loss alone: what a teacher or a lone student minimises.
    #[must_use]
    pub fn task_only() -> Self {
        let kind = TermKind::Task { smoothing: 0.0 };
        Self { terms: vec![Term { name: "task".into(), weight: 1.0, ramp: Ramp::None, kind }] }
    }

    /// The terms, in order.
    #[must_use]
    pub fn terms(&self) -> &[Term<O>] {
        &self.terms
    }

    /// Whether any term looks at a teacher.
    #[must_use]
    pub fn needs_teacher(&self) -> bool {
        self.terms.iter().any(|term| matches!(term.kind, TermKind::Distill(_)))
    }

    /// The first term that is measured from the truth as an answer.
    #[must_use]
    pub fn needs_truth(&self) -> Option<&Term<O>> {
        self.terms.iter().find(|term| matches!(term.kind, TermKind::Truth(_)))
    }

    /// Checks that the answers of student and teacher have shapes that every distillation term can compare.
    ///
    /// # Errors
    /// [`LossError`] of the first term that cannot.
    pub fn check_answers(&self, student: &[usize], teacher: &[usize]) -> Result<(), LossError> {
        self.terms.iter().try_for_each(|term| match &term.kind {
            TermKind::Distill(loss) => loss.check(student, teacher, None),
            TermKind::Task { .. } | TermKind::Truth(_) => Ok(()),
        })
    }

    /// Evaluates all terms on one batch.
    ///
    /// `epoch` is counted from 0 and drives the ramps. `teacher` must be there when [`needs_teacher`](Self::needs_teacher).
    pub fn evaluate<T: Task<D, I, O>, const D: usize, const I: usize>(
        &self,
        task: &T,
        raw: &Tensor<O>,
        target: &T::Target,
        teacher: Option<&Tensor<O>>,
        epoch: usize,
    ) -> Parts {
        let values: Vec<Tensor<1>> =
            self.terms.iter().map(|term| term.value(task, raw.clone(), target, teacher, epoch)).collect();
        let total = self
            .terms
            .iter()
            .zip(&values)
            .map(|(term, value)| value.clone().mul_scalar(term.weight * term.ramp.factor(epoch)))
            .reduce(|a, b| a + b)
            .expect("an objective has terms");
        Parts { total, values }
    }

    /// The norm of each weighted term's gradient at the student's answers, in the order of the terms.
    ///
    /// # Policy
    /// The graph is cut at the answers: each term gets a fresh leaf and a small backward pass of its own, since a
    /// backward pass frees its graph. Shares are these norms over their sum.
    pub fn gradient_norms<T: Task<D, I, O>, const D: usize, const I: usize>(
        &self,
        task: &T,
        raw: &Tensor<O>,
        target: &T::Target,
        teacher: Option<&Tensor<O>>,
        epoch: usize,
    ) -> Vec<f64> {
        self.terms
            .iter()
            .map(|term| {
                let leaf = Tensor::from_inner(raw.clone().inner()).require_grad();
                let value = term.value(task, leaf.clone(), target, teacher, epoch);
                let weighted = value.mul_scalar(term.weight * term.ramp.factor(epoch));
                // A loss that ignores the student is a constant: nothing to differentiate, and nothing learned.
                if !weighted.is_tracked() {
                    return 0.0;
                }
                let gradient = leaf.grad(&weighted.backward());
                gradient.map_or(0.0, |gradient| {
                    crate::state::host_values(&gradient).iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt()
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(name: &str, weight: f64, smoothing: f64) -> Term<2> {
        Term { name: name.into(), weight, ramp: Ramp::None, kind: TermKind::Task { smoothing } }
    }

    fn refused(terms: Vec<Term<2>>) -> ObjectiveError {
        Objective::new(terms).err().expect("refused")
    }

    #[test]
    fn a_weight_of_zero_is_refused() {
        let found = refused(vec![term("task", 0.0, 0.0)]);
        assert_eq!(found, ObjectiveError::Weight { name: "task".into(), found: 0.0 });
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        assert_eq!(
            refused(vec![term("a", 1.0, 0.0), term("b", 1.0, 0.0), term("a", 2.0, 0.0)]),
            ObjectiveError::Twice { name: "a".into() }
        );
    }

    #[test]
    fn a_smoothing_of_one_is_refused() {
        assert!(matches!(refused(vec![term("task", 1.0, 1.0)]), ObjectiveError::Smoothing { .. }));
        assert!(matches!(refused(vec![]), ObjectiveError::Empty));
    }
}
