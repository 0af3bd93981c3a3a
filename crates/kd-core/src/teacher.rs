//! Who answers for the teacher: a live network, stored answers, or several of either.
//!
//! A teacher's tensors live on the plain device. Mixed into a loss with the student's they are constants, so no
//! gradient can reach them; batch normalisation there uses stored statistics. [`Teacher::verify_frozen`] proves after
//! training that nothing moved.

use std::sync::Arc;

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Device, Tensor, TensorData};
use kd_image::{SampleId, SoftTargetSource, SourceError};

use crate::{Head, Network, State};

/// Why a teacher did not answer.
#[derive(Debug, thiserror::Error)]
pub enum TeacherError {
    /// The answers of somebody else.
    #[error(
        "soft labels come from teacher {found}, expected {expected}\nhint: run `kd label` for this recipe again, or name the teacher that made them"
    )]
    OtherTeacher {
        /// Hash of the teacher that the recipe names.
        expected: String,
        /// Hash that the store holds.
        found: String,
    },
    /// Answers of another width than the student's.
    #[error(
        "teacher answers have {found} values a sample, the student has {expected}\nhint: teacher and student need the same head"
    )]
    Width {
        /// Values a sample of the student.
        expected: usize,
        /// Values a sample of the teacher.
        found: usize,
    },
    /// The teacher's numbers changed during training.
    #[error("teacher changed during training: hash was {before}, is {after}")]
    Moved {
        /// Hash before.
        before: String,
        /// Hash after.
        after: String,
    },
    /// An ensemble without members, or with a weight that is no positive number.
    #[error("ensemble weights are {found:?}, expected one finite number above 0 per teacher")]
    Weights {
        /// The weights given.
        found: Vec<f64>,
    },
    /// Reading stored answers failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Answers batches with raw logits or intensities, on the plain device.
pub trait Teacher<const I: usize, const O: usize>: Send + Sync {
    /// SHA-256 of the teacher's parameters and statistics.
    fn hash(&self) -> &str;

    /// Whether it answers any view. Stored answers exist only for the views that were asked.
    fn answers_fresh_views(&self) -> bool;

    /// Answers a batch: `input` on the plain device, the samples in it, and their view.
    ///
    /// # Errors
    /// [`TeacherError::Source`] when a stored answer is missing.
    fn answer(&self, input: &Tensor<I>, ids: &[SampleId], view: u32) -> Result<Tensor<O>, TeacherError>;

    /// Checks that the teacher is what it was at the start.
    ///
    /// # Errors
    /// [`TeacherError::Moved`].
    fn verify_frozen(&self) -> Result<(), TeacherError>;
}

/// A network that answers each batch as it comes.
pub struct LiveTeacher<N> {
    network: N,
    hash: String,
}

impl<N> LiveTeacher<N> {
    /// Freezes a network: a copy on the plain device, in evaluation mode.
    pub fn new<const I: usize, const O: usize>(network: &N) -> Self
    where
        N: Network<I, O>,
    {
        let network = network.valid();
        let hash = State::of(&network).hash();
        Self { network, hash }
    }

    /// The frozen network.
    pub fn network(&self) -> &N {
        &self.network
    }
}

impl<N: Network<I, O>, const I: usize, const O: usize> Teacher<I, O> for LiveTeacher<N> {
    fn hash(&self) -> &str {
        &self.hash
    }

    fn answers_fresh_views(&self) -> bool {
        true
    }

    fn answer(&self, input: &Tensor<I>, _ids: &[SampleId], _view: u32) -> Result<Tensor<O>, TeacherError> {
        Ok(self.network.forward(input.clone().inner()))
    }

    fn verify_frozen(&self) -> Result<(), TeacherError> {
        let after = State::of(&self.network).hash();
        if after == self.hash {
            return Ok(());
        }
        Err(TeacherError::Moved { before: self.hash.clone(), after })
    }
}

/// Answers that were stored earlier, by sample and view.
pub struct CachedTeacher<const O: usize> {
    source: Arc<dyn SoftTargetSource>,
    shape: [usize; O],
    device: Device,
}

impl<const O: usize> CachedTeacher<O> {
    /// Takes stored answers of the teacher with hash `expected`.
    ///
    /// `shape` is the shape of an answer to a batch of one, `[1, class, …]`; `device` is the plain device.
    ///
    /// # Errors
    /// [`TeacherError::OtherTeacher`] when the store was filled by another teacher, [`TeacherError::Width`] when its
    /// answers have another number of values.
    pub fn new(
        source: Arc<dyn SoftTargetSource>,
        expected: &str,
        shape: [usize; O],
        device: &Device,
    ) -> Result<Self, TeacherError> {
        if source.teacher_hash() != expected {
            return Err(TeacherError::OtherTeacher { expected: expected.into(), found: source.teacher_hash().into() });
        }
        let width = shape[1..].iter().product();
        if source.n_values() != width {
            return Err(TeacherError::Width { expected: width, found: source.n_values() });
        }
        Ok(Self { source, shape, device: device.clone().inner() })
    }
}

impl<const I: usize, const O: usize> Teacher<I, O> for CachedTeacher<O> {
    fn hash(&self) -> &str {
        self.source.teacher_hash()
    }

    fn answers_fresh_views(&self) -> bool {
        false
    }

    fn answer(&self, _input: &Tensor<I>, ids: &[SampleId], view: u32) -> Result<Tensor<O>, TeacherError> {
        let width = self.source.n_values();
        let mut values = vec![0.0; width * ids.len()];
        for (id, row) in ids.iter().zip(values.chunks_exact_mut(width)) {
            self.source.read(id, view, row)?;
        }
        let mut shape = self.shape;
        shape[0] = ids.len();
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    fn verify_frozen(&self) -> Result<(), TeacherError> {
        Ok(())
    }
}

/// Several teachers that answer as one.
pub struct EnsembleTeacher<const I: usize, const O: usize> {
    members: Vec<(f64, Box<dyn Teacher<I, O>>)>,
    head: Head,
    hash: String,
}

impl<const I: usize, const O: usize> EnsembleTeacher<I, O> {
    /// Joins teachers with weights, which are scaled to sum to 1.
    ///
    /// # Policy
    /// Probabilities are averaged, not logits: the answer is the logit of the weighted mean probability. A
    /// mean of logits would let one very sure member outvote the others.
    ///
    /// # Errors
    /// [`TeacherError::Weights`] for no member, or a weight that is not finite and above 0.
    pub fn new(members: Vec<(f64, Box<dyn Teacher<I, O>>)>, head: Head) -> Result<Self, TeacherError> {
        let weights: Vec<f64> = members.iter().map(|(weight, _)| *weight).collect();
        if weights.is_empty() || weights.iter().any(|weight| !(weight.is_finite() && *weight > 0.0)) {
            return Err(TeacherError::Weights { found: weights });
        }
        let total: f64 = weights.iter().sum();
        let hash =
            crate::state::hash_texts(members.iter().map(|(weight, member)| format!("{weight} {}", member.hash())));
        let members = members.into_iter().map(|(weight, member)| (weight / total, member)).collect();
        Ok(Self { members, head, hash })
    }
}

impl<const I: usize, const O: usize> Teacher<I, O> for EnsembleTeacher<I, O> {
    fn hash(&self) -> &str {
        &self.hash
    }

    fn answers_fresh_views(&self) -> bool {
        self.members.iter().all(|(_, member)| member.answers_fresh_views())
    }

    fn answer(&self, input: &Tensor<I>, ids: &[SampleId], view: u32) -> Result<Tensor<O>, TeacherError> {
        let answers = self
            .members
            .iter()
            .map(|(weight, member)| Ok((weight.ln(), member.answer(input, ids, view)?)))
            .collect::<Result<Vec<_>, TeacherError>>()?;
        if self.head.is_bernoulli() {
            let side = |sign: f64| {
                log_sum_exp(
                    answers
                        .iter()
                        .map(|(log_weight, raw)| log_sigmoid(raw.clone().mul_scalar(sign)).add_scalar(*log_weight)),
                )
            };
            Ok(side(1.0) - side(-1.0))
        } else {
            Ok(log_sum_exp(answers.iter().map(|(log_weight, raw)| log_softmax(raw.clone(), 1).add_scalar(*log_weight))))
        }
    }

    fn verify_frozen(&self) -> Result<(), TeacherError> {
        self.members.iter().try_for_each(|(_, member)| member.verify_frozen())
    }
}

/// `log Σ exp` over members, element by element; there is at least one.
fn log_sum_exp<const O: usize>(members: impl Iterator<Item = Tensor<O>>) -> Tensor<O> {
    members
        .reduce(|a, b| {
            let largest = a.clone().max_pair(b.clone());
            let gap = (a - b).abs();
            largest + (gap.neg().exp() + 1.0).log()
        })
        .expect("an ensemble has members")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<f32>, [usize; 2]);

    impl Teacher<4, 2> for Fixed {
        fn hash(&self) -> &str {
            "fixed"
        }
        fn answers_fresh_views(&self) -> bool {
            true
        }
        fn answer(&self, _: &Tensor<4>, _: &[SampleId], _: u32) -> Result<Tensor<2>, TeacherError> {
            Ok(Tensor::from_data(TensorData::new(self.0.clone(), self.1), &Device::flex()))
        }
        fn verify_frozen(&self) -> Result<(), TeacherError> {
            Ok(())
        }
    }

    fn ensemble(head: Head, members: [(f64, Vec<f32>); 2]) -> Vec<f32> {
        let shape = [1, members[0].1.len()];
        let members = members
            .into_iter()
            .map(|(weight, values)| (weight, Box::new(Fixed(values, shape)) as Box<dyn Teacher<4, 2>>))
            .collect();
        let input = Tensor::zeros([1, 1, 1, 1], &Device::flex());
        let answer = EnsembleTeacher::new(members, head).unwrap().answer(&input, &[], 0).unwrap();
        crate::state::host_values(&answer)
    }

    #[test]
    fn an_ensemble_averages_probabilities_by_weight() {
        // Probabilities of class 0: .8 and .2, weights 3 and 1 → .65.
        let found = ensemble(Head::TwoClassSoftmax, [(3.0, vec![4.0f32.ln(), 0.0]), (1.0, vec![0.0, 4.0f32.ln()])]);
        let share = 1.0 / (1.0 + (found[1] - found[0]).exp());
        assert!((share - 0.65).abs() < 1e-6, "{share}");
    }

    #[test]
    fn a_sigmoid_ensemble_averages_each_label_for_itself() {
        // σ: .8 and .5 → .65 at equal weights.
        let found = ensemble(Head::OneChannel, [(1.0, vec![4.0f32.ln()]), (1.0, vec![0.0])]);
        let share = 1.0 / (1.0 + (-found[0]).exp());
        assert!((share - 0.65).abs() < 1e-6, "{share}");
    }

    #[test]
    fn a_weight_of_zero_is_refused() {
        let member = || Box::new(Fixed(vec![0.0], [1, 1])) as Box<dyn Teacher<4, 2>>;
        assert!(EnsembleTeacher::new(vec![(1.0, member()), (0.0, member())], Head::OneChannel).is_err());
        assert!(EnsembleTeacher::<4, 2>::new(vec![], Head::OneChannel).is_err());
    }
}
