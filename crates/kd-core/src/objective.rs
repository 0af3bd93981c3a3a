//! What an arm minimises: named terms with weights, and the proof that each of them acts.

mod error;

use burn::tensor::{Device, Int, Tensor};

pub use error::ObjectiveError;

use crate::loss::feature::{FeatureTerm, Moment, Tap};
use crate::loss::{Beside, CurriculumTemperature, DistillLoss, LossError};
use crate::{Adaptors, ExitHead, Ramp, TapsError, Task, Watch, Weight};

/// What a term measures.
pub enum TermKind<const I: usize, const O: usize> {
    /// The task's own loss against hard labels.
    Task {
        /// Share of the target spread evenly over classes; 0 for none.
        smoothing: f64,
    },
    /// A distance between the student's and the teacher's answers.
    Distill(Box<dyn DistillLoss<O>>),
    /// A distance between features at a tap of the student and one of the teacher.
    Feature(FeatureTerm<I>),
    /// The same distance from the truth, where the truth is an answer too, as in restoration: the control that tells what a
    /// teacher adds from what the distance itself does.
    Truth(Box<dyn DistillLoss<O>>),
}

/// One weighted term.
pub struct Term<const I: usize, const O: usize> {
    /// Its name in curves and reports.
    pub name: String,
    /// Its factor in the sum, or what finds it.
    pub weight: Weight,
    /// How the weight goes over the epochs.
    pub ramp: Ramp,
    /// What it measures.
    pub kind: TermKind<I, O>,
    /// The student's tap whose [`ExitHead`] answers, for a term on answers; none for the student's own answer.
    pub exit: Option<String>,
}

impl<const I: usize, const O: usize> Term<I, O> {
    /// The task's own loss with a weight of 1, labels smoothed by `smoothing`.
    #[must_use]
    pub fn task(smoothing: f64) -> Self {
        let kind = TermKind::Task { smoothing };
        Self { name: "task".into(), weight: 1.0.into(), ramp: Ramp::None, kind, exit: None }
    }

    /// Whether it looks at a teacher.
    #[must_use]
    pub fn distills(&self) -> bool {
        matches!(self.kind, TermKind::Distill(_) | TermKind::Feature(_))
    }

    /// The share of the gradient that it is to have, where it has one.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        match self.weight {
            Weight::Share(share) => Some(share),
            Weight::Fixed(_) => None,
        }
    }

    /// The value for an answer `raw` and features `features` of the student: those of `seen`, or a fresh leaf.
    fn value<T: Task<D, I, O>, const D: usize>(
        &self,
        place: usize,
        raw: Tensor<O>,
        features: Option<Tensor<I>>,
        exit: Option<&ExitHead>,
        seen: &Seen<'_, T, D, I, O>,
    ) -> Tensor<1> {
        let Seen { task, target, teacher, moment, .. } = *seen;
        let (raw, features) = match (exit, features) {
            (Some(exit), Some(features)) => (exit.forward(features, raw.dims()), None),
            (_, features) => (raw, features),
        };
        match (&self.kind, teacher) {
            (TermKind::Task { smoothing }, _) => task.loss(raw, target, *smoothing),
            (TermKind::Distill(loss), Some((teacher, _))) => {
                let labels = if loss.needs_labels() { task.class_labels(target) } else { None };
                let beside = Beside::new(teacher.clone()).with_mask(task.mask(target)).with_labels(labels);
                let learned = seen.adaptors.temperature(place).cloned();
                loss.evaluate(raw, beside.with_learned(learned).at_epoch(moment.epoch))
            }
            (TermKind::Feature(term), Some((_, watched))) => {
                let of_teacher = watched.features(&term.teacher_tap).expect("taps were checked with the first batch");
                let features = features.expect("taps were checked with the first batch");
                let labels = if term.needs_labels() { task.class_labels(target) } else { None };
                let beside = (task.mask(target).map(with_axes), labels.map(labels_with_axes));
                term.evaluate(features, of_teacher.clone(), seen.adaptors.of(place), beside, moment)
            }
            (TermKind::Truth(loss), _) => {
                let truth = task.truth(target).expect("the trainer asks for the truth when a term needs it");
                loss.evaluate(raw, Beside::new(truth).with_mask(task.mask(target)).at_epoch(moment.epoch))
            }
            (TermKind::Distill(_) | TermKind::Feature(_), None) => {
                unreachable!("the trainer asks for a teacher when a term needs one")
            }
        }
    }

    fn features_of(&self, watched: &Watch<I>) -> Option<Tensor<I>> {
        self.student_tap().and_then(|tap| watched.features(tap).cloned())
    }

    /// The student's tap that it looks at, or exits from.
    fn student_tap(&self) -> Option<&String> {
        match &self.kind {
            TermKind::Feature(term) => Some(&term.student_tap),
            _ => self.exit.as_ref(),
        }
    }
}

/// What stands beside an answer, brought to the rank of features: spatial axes of an answer without any have length 1.
fn with_axes<const I: usize, const O: usize>(mask: Tensor<O>) -> Tensor<I> {
    let dims = padded(mask.dims());
    mask.reshape(dims)
}

fn labels_with_axes<const I: usize, const O: usize>(labels: Tensor<O, Int>) -> Tensor<I, Int> {
    let dims = padded(labels.dims());
    labels.reshape(dims)
}

fn padded<const I: usize, const O: usize>(dims: [usize; O]) -> [usize; I] {
    std::array::from_fn(|axis| dims.get(axis).copied().unwrap_or(1))
}

/// One batch as an objective sees it.
pub struct Seen<'a, T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> {
    /// The task.
    pub task: &'a T,
    /// The student's raw answer.
    pub raw: &'a Tensor<O>,
    /// The student's features at the taps of [`Objective::taps`].
    pub watched: &'a Watch<I>,
    /// The labels.
    pub target: &'a T::Target,
    /// The teacher's answer and features; there when [`Objective::needs_teacher`].
    pub teacher: Option<(&'a Tensor<O>, &'a Watch<I>)>,
    /// Those of [`Objective::adaptors`].
    pub adaptors: &'a Adaptors,
    /// The epoch drives ramps; it, the seed and the samples what is drawn.
    pub moment: Moment<'a>,
}

/// The value of an objective and of each of its terms.
pub struct Parts {
    /// Weighted sum, to be differentiated.
    pub total: Tensor<1>,
    /// Each term's value before its weight, in the order of the terms.
    pub values: Vec<Tensor<1>>,
}

/// A weighted sum of named terms.
pub struct Objective<const I: usize, const O: usize> {
    terms: Vec<Term<I, O>>,
    /// The taps with an exit, each once: terms that exit at one tap share its head.
    exits: Vec<String>,
}

impl<const I: usize, const O: usize> Objective<I, O> {
    /// Checks terms.
    ///
    /// # Errors
    /// [`ObjectiveError`] for no term, a name given twice, a weight that is not finite and above 0, a smoothing outside of
    /// `[0, 1)`, a share outside of `(0, 1)`, and shares of 1 or more together or without a term that has a weight.
    pub fn new(terms: Vec<Term<I, O>>) -> Result<Self, ObjectiveError> {
        if terms.is_empty() {
            return Err(ObjectiveError::Empty);
        }
        for (position, term) in terms.iter().enumerate() {
            let name = term.name.clone();
            if terms[..position].iter().any(|earlier| earlier.name == term.name) {
                return Err(ObjectiveError::Twice { name });
            }
            match term.weight {
                Weight::Fixed(found) if !(found.is_finite() && found > 0.0) => {
                    return Err(ObjectiveError::Weight { name, found });
                }
                Weight::Share(found) if !(found > 0.0 && found < 1.0) => {
                    return Err(ObjectiveError::Share { name, found });
                }
                _ => {}
            }
            if let TermKind::Task { smoothing } = term.kind
                && !(0.0..1.0).contains(&smoothing)
            {
                return Err(ObjectiveError::Smoothing { name, found: smoothing });
            }
        }
        let shares: Vec<(&str, f64)> = terms.iter().filter_map(|term| Some((&*term.name, term.share()?))).collect();
        let (found, rest) = (shares.iter().map(|(_, share)| share).sum(), terms.len() - shares.len());
        if !shares.is_empty() && (found >= 1.0 || rest == 0) {
            let names = shares.into_iter().map(|(name, _)| name.to_owned()).collect();
            return Err(ObjectiveError::Shares { names, found, rest });
        }
        let mut exits: Vec<String> = Vec::new();
        for tap in terms.iter().filter_map(|term| term.exit.as_ref()) {
            if !exits.contains(tap) {
                exits.push(tap.clone());
            }
        }
        Ok(Self { terms, exits })
    }

    /// Checks that something is learned in each of so many epochs, and each term in one of them.
    ///
    /// # Errors
    /// [`ObjectiveError::Idle`] for a term without a weight in any epoch, and [`ObjectiveError::Nothing`] for an epoch
    /// in which no term with a weight has one: shares are of what those leave.
    pub fn check_epochs(&self, epochs: usize) -> Result<(), ObjectiveError> {
        let counts = |term: &Term<I, O>, epoch| term.ramp.factor(epoch) > 0.0;
        if let Some(idle) = self.terms.iter().find(|term| !(0..epochs).any(|epoch| counts(term, epoch))) {
            return Err(ObjectiveError::Idle { name: idle.name.clone(), epochs });
        }
        let is_empty = |&epoch: &usize| !self.terms.iter().any(|term| term.share().is_none() && counts(term, epoch));
        match (0..epochs).find(is_empty) {
            Some(epoch) => Err(ObjectiveError::Nothing { epoch: epoch + 1 }),
            None => Ok(()),
        }
    }

    /// The task's loss alone: what a teacher or a lone student minimises.
    #[must_use]
    pub fn task_only() -> Self {
        Self { terms: vec![Term::task(0.0)], exits: Vec::new() }
    }

    /// The terms, in order.
    #[must_use]
    pub fn terms(&self) -> &[Term<I, O>] {
        &self.terms
    }

    /// Whether any term looks at a teacher.
    #[must_use]
    pub fn needs_teacher(&self) -> bool {
        self.terms.iter().any(Term::distills)
    }

    /// The first term that is measured from the truth as an answer.
    #[must_use]
    pub fn needs_truth(&self) -> Option<&Term<I, O>> {
        self.terms.iter().find(|term| matches!(term.kind, TermKind::Truth(_)))
    }

    /// Checks that the answers of student and teacher have shapes that every distillation term can compare.
    ///
    /// # Errors
    /// [`LossError`] of the first term that cannot.
    pub fn check_answers(&self, student: &[usize], teacher: &[usize]) -> Result<(), LossError> {
        self.terms.iter().try_for_each(|term| match &term.kind {
            TermKind::Distill(loss) => loss.check(student, teacher, None),
            TermKind::Task { .. } | TermKind::Feature(_) | TermKind::Truth(_) => Ok(()),
        })
    }

    /// Names of the taps that terms look at, or exit from: the student's, and the teacher's.
    #[must_use]
    pub fn taps(&self) -> (Vec<String>, Vec<String>) {
        let of_teacher = self.terms.iter().filter_map(|term| match &term.kind {
            TermKind::Feature(term) => Some(term.teacher_tap.clone()),
            _ => None,
        });
        (self.terms.iter().filter_map(Term::student_tap).cloned().collect(), of_teacher.collect())
    }

    /// Makes the adaptors of all terms and the heads of all exits, with Burn's default numbers, for the taps of a student
    /// and a teacher, and answers of shape `answer`.
    ///
    /// # Errors
    /// [`TapsError`] for a tap that a network does not have, a pair that does not fit, and an exit that cannot be made.
    pub fn adaptors(
        &self,
        student: &[Tap],
        teacher: &[Tap],
        answer: &[usize],
        device: &Device,
    ) -> Result<Adaptors, TapsError> {
        let adaptor = |term: &Term<I, O>| match &term.kind {
            TermKind::Feature(_) if term.exit.is_some() => Err(TapsError::ExitOfFeatures { term: term.name.clone() }),
            TermKind::Feature(feature) => {
                let student = found(&term.name, "student", student, &feature.student_tap)?;
                let teacher = found(&term.name, "teacher", teacher, &feature.teacher_tap)?;
                let made = feature.adaptor(student, teacher, device);
                made.map_err(|source| TapsError::Pair { term: term.name.clone(), source })
            }
            _ => Ok(None),
        };
        let head = |name: &String| {
            let term =
                self.terms.iter().find(|term| term.exit.as_ref() == Some(name)).expect("exits are those of terms");
            ExitHead::new(&term.name, found(&term.name, "student", student, name)?, answer, device)
        };
        Ok(Adaptors {
            adaptors: self.terms.iter().map(adaptor).collect::<Result<_, _>>()?,
            temperatures: Vec::new(),
            exits: self.exits.iter().map(head).collect::<Result<_, _>>()?,
        })
    }

    /// Adds the temperatures that terms learn, at their published start.
    #[must_use]
    pub fn with_temperatures(&self, adaptors: Adaptors, device: &Device) -> Adaptors {
        let start = |term: &Term<I, O>| match &term.kind {
            TermKind::Distill(loss) if loss.learns_temperature() => Some(CurriculumTemperature::new(device)),
            _ => None,
        };
        Adaptors { temperatures: self.terms.iter().map(start).collect(), ..adaptors }
    }

    /// What each term's value is multiplied by in an epoch, ramps included; `norms` are the
    /// [`gradient_norms`](Self::gradient_norms) of that epoch.
    ///
    /// # Policy
    /// A fixed weight is `weight · ramp`. With `s = share · ramp`, a term with a share gets
    /// `s / (1 − Σ s) · Σ (weight · ramp · norm) / norm`, sums over the terms with shares and over those with weights: on the
    /// batch of the norms its weighted gradient is exactly that share of all. 0 while a norm is 0.
    ///
    /// # Source
    /// The share of the gradient norm as target is that of Chen et al. 2018, "GradNorm", arXiv 1711.02257, section 3.2.
    ///
    /// # Deviations
    /// Solved once an epoch at the student's answers and taps, not learned by a step of its own at the last shared layer.
    #[must_use]
    pub fn weights(&self, epoch: usize, norms: &[f64]) -> Vec<f64> {
        let share = |term: &Term<I, O>| term.share().map(|share| share * term.ramp.factor(epoch));
        let shares: f64 = self.terms.iter().filter_map(share).sum();
        let fixed = |term: &Term<I, O>| match term.weight {
            Weight::Fixed(weight) => weight * term.ramp.factor(epoch),
            Weight::Share(_) => 0.0,
        };
        let rest: f64 = self.terms.iter().zip(norms).map(|(term, norm)| fixed(term) * norm).sum();
        let weight = |(term, &norm): (&Term<I, O>, &f64)| match share(term) {
            None => fixed(term),
            Some(share) if norm > 0.0 => share / (1.0 - shares) * rest / norm,
            Some(_) => 0.0,
        };
        self.terms.iter().zip(norms).map(weight).collect()
    }

    /// Evaluates all terms on one batch, and sums them by [`weights`](Self::weights).
    pub fn evaluate<T: Task<D, I, O>, const D: usize>(&self, seen: &Seen<'_, T, D, I, O>, weights: &[f64]) -> Parts {
        let value = |(place, term): (usize, &Term<I, O>)| {
            term.value(place, seen.raw.clone(), term.features_of(seen.watched), self.exit_of(term, seen), seen)
        };
        let values: Vec<Tensor<1>> = self.terms.iter().enumerate().map(value).collect();
        let weighted = weights.iter().zip(&values).map(|(&weight, value)| value.clone().mul_scalar(weight));
        let total = weighted.reduce(|a, b| a + b).expect("an objective has terms");
        Parts { total, values }
    }

    fn exit_of<'a, T: Task<D, I, O>, const D: usize>(
        &self,
        term: &Term<I, O>,
        seen: &Seen<'a, T, D, I, O>,
    ) -> Option<&'a ExitHead> {
        let name = term.exit.as_ref()?;
        seen.adaptors.exits.get(self.exits.iter().position(|tap| tap == name)?)
    }

    /// The norm of each term's gradient, before its weight, at the student's answers, and at its tap for a term on features or with
    /// an exit, in the order of the terms.
    ///
    /// # Policy
    /// The graph is cut at answers and taps: each term gets fresh leaves and a small backward pass of its own, since a
    /// backward pass frees its graph. Shares are these norms times weights over their sum.
    pub fn gradient_norms<T: Task<D, I, O>, const D: usize>(&self, seen: &Seen<'_, T, D, I, O>) -> Vec<f64> {
        let norm = |(place, term): (usize, &Term<I, O>)| {
            let leaf = fresh(seen.raw.clone());
            let features = term.features_of(seen.watched).map(fresh);
            let value = term.value(place, leaf.clone(), features.clone(), self.exit_of(term, seen), seen);
            // A loss that ignores the student is a constant: nothing to differentiate, and nothing learned.
            if !value.is_tracked() {
                return 0.0;
            }
            let gradients = value.backward();
            let squares = leaf.grad(&gradients).map_or(0.0, squares)
                + features.and_then(|features| features.grad(&gradients)).map_or(0.0, squares);
            squares.sqrt()
        };
        self.terms.iter().enumerate().map(norm).collect()
    }
}

fn found<'a>(term: &str, whose: &'static str, taps: &'a [Tap], name: &str) -> Result<&'a Tap, TapsError> {
    let known = || taps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    taps.iter().find(|tap| tap.name == name).ok_or_else(|| TapsError::Unknown {
        term: term.to_owned(),
        whose,
        tap: name.to_owned(),
        known: if taps.is_empty() { "none".into() } else { known() },
    })
}

fn fresh<const R: usize>(tensor: Tensor<R>) -> Tensor<R> {
    Tensor::from_inner(tensor.inner()).require_grad()
}

fn squares<const R: usize>(gradient: Tensor<R>) -> f64 {
    crate::state::host_values(&gradient).iter().map(|&g| f64::from(g).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(name: &str, weight: f64, smoothing: f64) -> Term<4, 2> {
        Term { name: name.into(), weight: weight.into(), ..Term::task(smoothing) }
    }

    fn refused(terms: Vec<Term<4, 2>>) -> ObjectiveError {
        Objective::new(terms).err().expect("refused")
    }

    #[test]
    fn a_weight_of_zero_is_refused() {
        let found = refused(vec![term("task", 0.0, 0.0)]);
        assert_eq!(found, ObjectiveError::Weight { name: "task".into(), found: 0.0 });
    }

    #[test]
    fn shares_leave_something_to_terms_with_a_weight() {
        let shared = |name: &str, share: f64| Term { weight: Weight::Share(share), ..term(name, 1.0, 0.0) };
        for share in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(matches!(refused(vec![term("a", 1.0, 0.0), shared("b", share)]), ObjectiveError::Share { .. }));
        }
        let names = vec!["a".to_owned(), "b".to_owned()];
        let alone = refused(vec![shared("a", 0.25), shared("b", 0.5)]);
        assert_eq!(alone, ObjectiveError::Shares { names: names.clone(), found: 0.75, rest: 0 });
        let all = refused(vec![shared("a", 0.5), shared("b", 0.5), term("c", 1.0, 0.0)]);
        assert_eq!(all, ObjectiveError::Shares { names, found: 1.0, rest: 1 });
    }

    #[test]
    fn weights_give_shares_their_part_of_the_weighted_norms() {
        let shared = |name: &str, share: f64, ramp| Term { weight: Weight::Share(share), ramp, ..term(name, 1.0, 0.0) };
        let half = Ramp::Linear { epochs: 2 };
        let terms = vec![term("a", 2.0, 0.0), shared("b", 0.2, Ramp::None), shared("c", 0.4, half)];
        let objective = Objective::new(terms).unwrap();
        let norms = [3.0, 0.5, 7.0];
        let parts = |epoch| {
            let weighted: Vec<f64> = objective.weights(epoch, &norms).iter().zip(norms).map(|(w, n)| w * n).collect();
            let all: f64 = weighted.iter().sum();
            weighted.into_iter().map(|part| part / all).collect::<Vec<_>>()
        };
        for (epoch, expected) in [(0, [0.6, 0.2, 0.2]), (1, [0.4, 0.2, 0.4])] {
            for (found, expected) in parts(epoch).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{epoch}: {found} {expected}");
            }
        }
        // Nothing is weighed that has shown no gradient.
        assert!(objective.weights(1, &[3.0, 0.0, 7.0])[1] < f64::MIN_POSITIVE);
    }

    #[test]
    fn stages_follow_each_other_without_a_gap_and_within_the_plan() {
        let stage = |name: &str, first, last| Term { ramp: Ramp::Stage { first, last }, ..term(name, 1.0, 0.0) };
        let of = |terms| Objective::new(terms).unwrap();
        let two = of(vec![stage("hint", 0, 1), stage("task", 2, 9)]);
        assert_eq!(two.check_epochs(4), Ok(()));
        assert_eq!([1, 2].map(|epoch| two.weights(epoch, &[1.0, 1.0])), [[1.0, 0.0], [0.0, 1.0]]);
        assert_eq!(two.check_epochs(2), Err(ObjectiveError::Idle { name: "task".into(), epochs: 2 }));
        assert_eq!(two.check_epochs(11), Err(ObjectiveError::Nothing { epoch: 11 }));
        let gap = of(vec![stage("hint", 0, 1), stage("task", 3, 9)]);
        assert_eq!(gap.check_epochs(5), Err(ObjectiveError::Nothing { epoch: 3 }));
        // A share of nothing is nothing.
        let shared = Term { weight: Weight::Share(0.5), ..term("share", 1.0, 0.0) };
        let rest = of(vec![shared, stage("task", 1, 4)]);
        assert_eq!(rest.check_epochs(5), Err(ObjectiveError::Nothing { epoch: 1 }));
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
