//! Channel-wise distillation: where in the image a channel fires, not how classes compare at one pixel.
//!
//! Its softmax runs over pixels, so it means something on a one-channel map, where a softmax over classes does not.

use burn::tensor::{Tensor, activation::log_softmax};

use super::{
    Beside, DistillLoss, LossError,
    operands::{Flat, Operands, check_shapes},
    reduce::total,
    target::ABSENT,
};
use crate::temperature::Temperature;

/// Computes τ² times the divergence of the student's from the teacher's distribution over pixels, per channel.
///
/// `(τ²/C) Σ_c Σ_i φ_t,c,i · log(φ_t,c,i / φ_s,c,i)`, mean over images, with `φ_c = softmax_i(y_c,i / τ)` over the
/// valid pixels of one image.
///
/// # Shapes
/// Dense maps `[batch, channel, …spatial]`, logits or features of equal shape.
///
/// # Policy
/// The divisor is the paper's: channels and images, not pixels. Masked pixels take no part in the softmax; a pixel of
/// weight w counts like w pixels. An image without a valid pixel is left out of the mean. A constant added to a channel
/// of one image changes nothing. A class that is absent from an image still has a distribution there.
///
/// # Panics
/// When shapes differ or the output is pooled.
///
/// # Source
/// Shu et al. 2021, "Channel-wise Knowledge Distillation for Dense Prediction", arXiv 2011.13256, equations 3 to 5.
///
/// # Deviations
/// None; the mean over images is stated in the published code.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{Temperature, loss::{ChannelWiseKd, DistillLoss}};
///
/// let device = Device::flex();
/// let student = Tensor::<4>::from_data([[[[0.0, 0.0]]]], &device); // one channel, two pixels: ½ ½
/// let teacher = Tensor::<4>::from_data([[[[3f32.ln(), 0.0]]]], &device); // ¾ ¼
/// let loss = ChannelWiseKd::new(Temperature::new(1.0)?);
/// assert!((loss.forward(student, teacher, None).into_scalar::<f32>() - 0.13081).abs() < 1e-5);
/// # Ok::<(), kd_core::TemperatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelWiseKd {
    temperature: Temperature,
}

impl ChannelWiseKd {
    /// Makes the loss for one temperature, which softens both sides.
    #[must_use]
    pub fn new(temperature: Temperature) -> Self {
        Self { temperature }
    }
}

impl<const D: usize> DistillLoss<D> for ChannelWiseKd {
    fn name(&self) -> &'static str {
        "channel-wise"
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        if student.len() < 3 {
            return Err(LossError::Rank { found: student.to_vec() });
        }
        check_shapes(student, teacher, mask)
    }

    fn evaluate(&self, student_logits: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let flat = Operands::new(self, student_logits, beside).softened(self.temperature).flat();
        let samples = flat.samples();
        let Flat { student, teacher, weight, .. } = flat;
        let dims = student.dims();
        let absent = weight.clone().equal_elem(0.0).expand(dims);
        let log_weight = weight.mask_fill(absent.clone().narrow(1, 0, 1), 1.0).log();
        let log_phi = |map: Tensor<3>| log_softmax((map + log_weight.clone()).mask_fill(absent.clone(), ABSENT), 2);
        let (log_s, log_t) = (log_phi(student), log_phi(teacher));
        let gap = (log_t.clone() - log_s).mask_fill(absent, 0.0);
        let divergence = total(log_t.exp() * gap) / samples;
        divergence.mul_scalar(self.temperature.squared() / dims[1] as f64)
    }
}
