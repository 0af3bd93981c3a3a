//! Several networks that answer as one.

use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Tensor, TensorData};

use crate::state::host_values;
use crate::{Expertise, Head, Network, Watch};

/// What of the members' answers is averaged.
///
/// # Policy
/// Probabilities are averaged, not logits: the answer is the logit of the weighted mean probability. A mean of logits
/// would let one very sure member outvote the others. Intensities are averaged as they are. Members that know different
/// classes are joined as [`Expertise`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Averaging {
    /// Probabilities of classes that exclude each other, over the class axis.
    Classes,
    /// Probabilities of labels or steps, each for itself.
    Labels,
    /// Intensities.
    Values,
    /// Probabilities of the classes that each member knows.
    Experts(Expertise),
}

impl Averaging {
    /// Of answers of a head.
    #[must_use]
    pub fn of(head: Head) -> Self {
        if head.is_bernoulli() { Self::Labels } else { Self::Classes }
    }

    fn name(&self) -> String {
        match self {
            Self::Classes => "classes".into(),
            Self::Labels => "labels".into(),
            Self::Values => "values".into(),
            Self::Experts(experts) => format!("experts of {:?}", experts.classes()),
        }
    }
}

/// Why a committee was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CommitteeError {
    /// Weights that are none.
    #[error(
        "weights of {members} members are {found:?}, expected one finite number above 0 for each, and a member at least"
    )]
    Weights {
        /// How many members there are.
        members: usize,
        /// The weights given.
        found: Vec<f64>,
    },
    /// As many members as there are no experts.
    #[error("committee has {members} members, expected one for each of {experts} experts")]
    Experts {
        /// How many members there are.
        members: usize,
        /// How many experts.
        experts: usize,
    },
}

/// Networks whose answers are averaged with weights.
///
/// A committee of one answers as its member does, features included. One of several has no taps: features of two
/// networks have no mean that means anything.
///
/// # Shapes
/// Those of the members, which are all the same; experts answer `[batch, classes that they know, …]`, and the committee
/// answers `[batch, class, …]`.
///
/// # Source
/// Lakshminarayanan et al. 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles", arXiv 1612.01474, section
/// 2.4 (the mean of the members' probabilities).
///
/// # Example
/// ```
/// use burn::module::Module;
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Averaging, Committee, Network};
///
/// #[derive(Module, Debug)]
/// struct Bias;
/// impl Network<2, 2> for Bias {
///     fn forward(&self, input: Tensor<2>) -> Tensor<2> { input }
/// }
///
/// let two = Committee::new(vec![(2.0, Bias), (1.0, Bias)], Averaging::Values)?;
/// let answer = two.forward(Tensor::<2>::ones([1, 3], &Device::flex()));
/// assert_eq!(answer.into_data().try_into_vec::<f32>().unwrap(), [1.0; 3]);
/// assert!(Committee::new(vec![(0.0, Bias)], Averaging::Values).is_err());
/// # Ok::<(), kd_core::CommitteeError>(())
/// ```
#[derive(Module, Debug)]
pub struct Committee<N: Module> {
    members: Vec<N>,
    /// They sum to 1.
    #[module(skip)]
    weights: Vec<f64>,
    #[module(skip)]
    averaging: Averaging,
}

impl<N: Module> Committee<N> {
    /// A network by itself.
    #[must_use]
    pub fn of_one(member: N) -> Self {
        Self { members: vec![member], weights: vec![1.0], averaging: Averaging::Values }
    }

    /// Joins networks with weights, which are scaled to sum to 1.
    ///
    /// # Errors
    /// [`CommitteeError::Weights`] for no member, or a weight that is not finite and above 0; [`CommitteeError::Experts`]
    /// for other numbers of members and of experts.
    pub fn new(members: Vec<(f64, N)>, averaging: Averaging) -> Result<Self, CommitteeError> {
        let (weights, members): (Vec<f64>, Vec<N>) = members.into_iter().unzip();
        if weights.is_empty() || weights.iter().any(|weight| !(weight.is_finite() && *weight > 0.0)) {
            return Err(CommitteeError::Weights { members: members.len(), found: weights });
        }
        if let Averaging::Experts(experts) = &averaging
            && experts.classes().len() != members.len()
        {
            return Err(CommitteeError::Experts { members: members.len(), experts: experts.classes().len() });
        }
        let total: f64 = weights.iter().sum();
        Ok(Self { members, weights: weights.into_iter().map(|weight| weight / total).collect(), averaging })
    }
}

impl<N: Network<I, O>, const I: usize, const O: usize> Network<I, O> for Committee<N> {
    fn forward(&self, input: Tensor<I>) -> Tensor<O> {
        self.forward_watched(input, &mut Watch::nothing())
    }

    fn forward_watched(&self, input: Tensor<I>, watch: &mut Watch<I>) -> Tensor<O> {
        if let [member] = self.members.as_slice() {
            return member.forward_watched(input, watch);
        }
        let answers: Vec<Tensor<O>> = self.members.iter().map(|member| member.forward(input.clone())).collect();
        let weighted = || self.weights.iter().zip(&answers).map(|(weight, answer)| (*weight, answer.clone()));
        match &self.averaging {
            Averaging::Experts(experts) => joined(experts, &self.weights, &answers),
            Averaging::Classes => {
                log_sum_exp(weighted().map(|(weight, raw)| log_softmax(raw, 1).add_scalar(weight.ln())))
            }
            Averaging::Labels => {
                let side = |sign: f64| {
                    log_sum_exp(
                        weighted().map(|(weight, raw)| log_sigmoid(raw.mul_scalar(sign)).add_scalar(weight.ln())),
                    )
                };
                side(1.0) - side(-1.0)
            }
            Averaging::Values => {
                let sum = weighted().map(|(weight, raw)| raw.mul_scalar(weight)).reduce(|a, b| a + b);
                sum.expect("a committee has members")
            }
        }
    }

    fn constants(&self) -> String {
        if self.members.len() == 1 {
            return String::new();
        }
        format!("committee of {} {:?}", self.averaging.name(), self.weights)
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
        .expect("a committee has members")
}

/// What experts say together, at every position of every sample.
#[expect(clippy::cast_possible_truncation, reason = "answers are f32")]
fn joined<const O: usize>(experts: &Expertise, weights: &[f64], answers: &[Tensor<O>]) -> Tensor<O> {
    let mut dims = answers[0].dims();
    let positions: usize = dims[2..].iter().product();
    let said: Vec<Vec<f32>> = answers.iter().map(|raw| host_values(&log_softmax(raw.clone(), 1))).collect();
    let n_classes = experts.n_classes();
    let mut values = vec![0.0; dims[0] * n_classes * positions];
    for sample in 0..dims[0] {
        for position in 0..positions {
            let of_expert = |(said, known): (&Vec<f32>, &Vec<usize>)| {
                let at = |place: usize| said[(sample * known.len() + place) * positions + position];
                (0..known.len()).map(|place| f64::from(at(place)).exp()).collect()
            };
            let said: Vec<Vec<f64>> = said.iter().zip(experts.classes()).map(of_expert).collect();
            for (class, value) in experts.join(weights, &said).into_iter().enumerate() {
                values[(sample * n_classes + class) * positions + position] = value as f32;
            }
        }
    }
    dims[1] = n_classes;
    Tensor::from_data(TensorData::new(values, dims), &answers[0].device())
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::Device;

    use super::*;
    use crate::{LiveTeacher, Teacher};

    /// Answers the same, whatever is asked.
    #[derive(Module, Debug)]
    struct Fixed {
        answer: Param<Tensor<2>>,
    }

    impl Fixed {
        fn new(values: &[f32]) -> Self {
            let data = TensorData::new(values.to_vec(), [1, values.len()]);
            Self { answer: Param::from_tensor(Tensor::from_data(data, &Device::flex())) }
        }
    }

    impl Network<4, 2> for Fixed {
        fn forward(&self, _: Tensor<4>) -> Tensor<2> {
            self.answer.val()
        }

        fn forward_watched(&self, input: Tensor<4>, watch: &mut Watch<4>) -> Tensor<2> {
            watch.see("input", &input);
            self.forward(input)
        }
    }

    fn committee(averaging: Averaging, members: [(f64, Vec<f32>); 2]) -> Committee<Fixed> {
        Committee::new(members.into_iter().map(|(weight, values)| (weight, Fixed::new(&values))).collect(), averaging)
            .unwrap()
    }

    fn answer(averaging: Averaging, members: [(f64, Vec<f32>); 2]) -> Vec<f32> {
        host_values(&committee(averaging, members).forward(Tensor::zeros([1, 1, 1, 1], &Device::flex())))
    }

    #[test]
    fn probabilities_of_classes_are_averaged_by_weight() {
        // Probabilities of class 0: .8 and .2, weights 3 and 1 → .65.
        let found = answer(Averaging::Classes, [(3.0, vec![4.0f32.ln(), 0.0]), (1.0, vec![0.0, 4.0f32.ln()])]);
        let share = 1.0 / (1.0 + (found[1] - found[0]).exp());
        assert!((share - 0.65).abs() < 1e-6, "{share}");
    }

    #[test]
    fn each_label_is_averaged_for_itself() {
        // σ: .8 and .5 → .65 at equal weights.
        let found = answer(Averaging::Labels, [(1.0, vec![4.0f32.ln()]), (1.0, vec![0.0])]);
        let share = 1.0 / (1.0 + (-found[0]).exp());
        assert!((share - 0.65).abs() < 1e-6, "{share}");
    }

    #[test]
    fn intensities_are_averaged_as_they_are() {
        let found = answer(Averaging::Values, [(1.0, vec![-4.0, 2.0]), (3.0, vec![4.0, 2.0])]);
        assert_eq!(found, [2.0, 2.0]);
    }

    #[test]
    fn other_weights_are_another_teacher_and_one_member_is_that_member() {
        let hash = |weights: [f64; 2]| {
            let members = weights.map(|weight| (weight, vec![weight.signum() as f32, 0.5]));
            Teacher::<4, 2>::hash(&LiveTeacher::new::<4, 2>(&committee(Averaging::Classes, members))).to_owned()
        };
        assert_eq!(hash([1.0, 2.0]), hash([2.0, 4.0]));
        assert_ne!(hash([1.0, 2.0]), hash([1.0, 1.0]));

        let (one, input) = (Committee::of_one(Fixed::new(&[0.25])), Tensor::zeros([1, 1, 1, 1], &Device::flex()));
        let mut watch = Watch::everything();
        assert_eq!(host_values(&one.forward_watched(input.clone(), &mut watch)), [0.25]);
        assert_eq!(watch.taps().len(), 1);
        let mut watch = Watch::everything();
        committee(Averaging::Values, [(1.0, vec![1.0]), (1.0, vec![1.0])]).forward_watched(input, &mut watch);
        assert!(watch.taps().is_empty());
    }

    #[test]
    fn experts_answer_of_all_classes_at_every_position() {
        let experts = Averaging::Experts(Expertise::new(vec![vec![0, 1], vec![1, 2]], 3).unwrap());
        // 0 : 1 = 3, 2 : 1 = 1/2.
        let found = answer(experts, [(1.0, vec![3.0f32.ln(), 0.0]), (1.0, vec![0.0, 0.5f32.ln()])]);
        let share: Vec<f32> = found.iter().map(|value| value.exp()).collect();
        for (found, expected) in share.iter().zip([3.0 / 4.5, 1.0 / 4.5, 0.5 / 4.5]) {
            assert!((found - expected).abs() < 1e-6, "{share:?}");
        }
        let three = Averaging::Experts(Expertise::new(vec![vec![0, 1], vec![1, 2], vec![0, 2]], 3).unwrap());
        let members = vec![(1.0, Fixed::new(&[0.0; 2])), (1.0, Fixed::new(&[0.0; 2]))];
        assert_eq!(Committee::new(members, three).err(), Some(CommitteeError::Experts { members: 2, experts: 3 }));

        let dense = joined(
            &Expertise::new(vec![vec![0, 1], vec![1, 2]], 3).unwrap(),
            &[0.5, 0.5],
            &[[3.0f32.ln(), 0.0], [0.0, 0.5f32.ln()]].map(|[a, b]| {
                let values = vec![a, 0.0, b, 0.0];
                Tensor::<3>::from_data(TensorData::new(values, [1, 2, 2]), &Device::flex())
            }),
        );
        let dense = host_values(&dense);
        for (class, expected) in [3.0 / 4.5, 1.0 / 4.5, 0.5 / 4.5].into_iter().enumerate() {
            assert!((dense[2 * class].exp() - expected).abs() < 1e-6, "{dense:?}");
            assert!((dense[2 * class + 1].exp() - 1.0 / 3.0).abs() < 1e-6, "{dense:?}");
        }
    }

    #[test]
    fn a_weight_of_zero_is_refused() {
        let refused = |weights: &[f64]| {
            let members = weights.iter().map(|&weight| (weight, Fixed::new(&[0.0]))).collect();
            Committee::new(members, Averaging::Labels).err()
        };
        assert_eq!(refused(&[1.0, 0.0]), Some(CommitteeError::Weights { members: 2, found: vec![1.0, 0.0] }));
        assert!(refused(&[]).is_some() && refused(&[f64::NAN]).is_some());
    }
}
