//! DIST: matching relations by correlation, which asks less of a small student than matching probabilities.

use burn::tensor::{Tensor, activation::sigmoid, activation::softmax};

use super::{
    Beside, DistillLoss, LossError,
    correlation::correlation,
    dkd::check_three,
    operands::{Flat, Operands, check_shapes},
    reduce::{mean_over_valid, total},
};
use crate::{head::Head, temperature::Temperature};

/// Computes τ² times one minus the correlation between student and teacher, per sample over classes and per class over
/// samples.
///
/// `τ²·( β · mean_valid[1 − ρ_k(p_s, p_t)] + γ · (1/K) Σ_k [1 − ρ_i(p_s,k, p_t,k)] )`: ρ_k is Pearson's correlation
/// over the classes of one position, ρ_i over all valid positions of the batch (samples, or pixels of all images) for
/// one class. `p = softmax(z / τ)`, or `σ(z / τ)` for yes/no heads.
///
/// # Shapes
/// As in [`DistillLoss`]. The inter-class part needs at least 3 classes.
///
/// # Policy
/// β and γ have no default, at least one is above 0. Correlations have ε = 10⁻⁸ inside each root: a class whose
/// probability is constant over the batch counts as uncorrelated and adds its full 1/K. At student logits that are
/// exactly equal the gradient is large (of order 1/ε), as in the published code: start from a student with logits.
/// The intra-class part depends on the batch.
///
/// # Panics
/// When shapes differ, or with the inter-class part on fewer than 3 classes, where its gradient is 0.
///
/// # Source
/// Huang et al. 2022, "Knowledge Distillation from A Stronger Teacher", arXiv 2205.10536, equations 8 to 10.
///
/// # Deviations
/// ε stands inside the roots rather than beside the product of norms. Sigmoid heads are ours.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Head, Temperature, loss::{DistillLoss, Dist}};
///
/// let device = Device::flex();
/// let student = Tensor::<2>::from_data([[2.0, 1.0, 0.0]], &device);
/// let reversed = Tensor::<2>::from_data([[0.0, 1.0, 2.0]], &device);
/// let loss = Dist::new(Temperature::new(1.0)?, 1.0, 0.0, Head::Softmax { classes: 3 })?;
/// let same = loss.forward(student.clone(), student.clone(), None).into_scalar::<f32>();
/// let other = loss.forward(student, reversed, None).into_scalar::<f32>();
/// assert!(same.abs() < 1e-6 && other > 1.0); // reversed order: negative correlation
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dist {
    temperature: Temperature,
    inter: f64,
    intra: f64,
    sigmoid: bool,
}

impl Dist {
    /// Makes the loss; `inter` is β, `intra` γ. The head says whether probabilities are a softmax or sigmoids.
    ///
    /// # Errors
    /// [`LossError::Number`] when both weights are 0, or one is negative or not finite; [`LossError::FewerThanThree`]
    /// for an inter-class part on a head that is no softmax over 3 or more classes.
    pub fn new(temperature: Temperature, inter: f64, intra: f64, head: Head) -> Result<Self, LossError> {
        let refuse = |what, expected, found| Err(LossError::Number { loss: "dist", what, expected, found });
        for (what, weight) in [("inter", inter), ("intra", intra)] {
            if !(weight.is_finite() && weight >= 0.0) {
                return refuse(what, "a finite number of at least 0", weight);
            }
        }
        if inter + intra <= 0.0 {
            return refuse("inter + intra", "above 0", 0.0);
        }
        if inter > 0.0 && !matches!(head, Head::Softmax { .. }) {
            return Err(LossError::FewerThanThree { loss: "dist with inter > 0", found: head.n_outputs() });
        }
        Ok(Self { temperature, inter, intra, sigmoid: head.is_bernoulli() })
    }
}

impl<const D: usize> DistillLoss<D> for Dist {
    fn name(&self) -> &'static str {
        "dist"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        if self.inter > 0.0 {
            check_three("dist with inter > 0", student, teacher, mask)
        } else {
            check_shapes(student, teacher, mask)
        }
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let operands = Operands::new(self, student_logits, beside).softened(self.temperature);
        let Flat { student, teacher, weight, .. } = operands.flat();
        let [batch, classes, positions] = student.dims();
        // One row per class, one column per position.
        let rows = |logits: Tensor<3>| {
            let p = if self.sigmoid { sigmoid(logits) } else { softmax(logits, 1) };
            p.swap_dims(0, 1).reshape([classes, batch * positions])
        };
        let (student, teacher) = (rows(student), rows(teacher));
        let weight = weight.reshape([1, batch * positions]);
        let anything_valid = total(weight.clone()).greater_elem(0.0).float().cast(weight.dtype());
        let mut terms = Vec::new();
        if self.intra > 0.0 {
            let apart = correlation(student.clone(), teacher.clone(), &weight).neg().add_scalar(1.0);
            terms.push(apart.mean_dim(0).reshape([1]).mul_scalar(self.intra) * anything_valid);
        }
        if self.inter > 0.0 {
            let all = weight.ones_like().narrow(1, 0, 1).expand([1, classes]);
            let apart = correlation(student.transpose(), teacher.transpose(), &all).neg().add_scalar(1.0);
            terms.push(mean_over_valid(apart, Some(weight.transpose())).mul_scalar(self.inter));
        }
        let sum = terms.into_iter().reduce(|a, b| a + b).expect("one weight is above 0");
        sum.mul_scalar(self.temperature.squared())
    }
}
