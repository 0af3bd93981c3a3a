//! The losses between images that a term can hold: the functions of this module behind one door.

use burn::tensor::Tensor;

use super::{SsimWindow, charbonnier, frequency_l1, gradient_l1, l1, mse, one_minus_ssim};
use crate::loss::{Beside, DistillLoss, LossError, check_shapes};

/// A distance of the student's image to another one: a teacher's, or the truth.
///
/// # Shapes
/// Images `[batch, channel, (depth,) height, width]` of equal shape, mask `[batch, 1, …spatial]`; to `[1]`.
///
/// # Policy
/// That of the function behind each: sum over channels and mean over valid pixels ([`l1`], [`mse`], [`charbonnier`]) or
/// pairs of neighbours ([`gradient_l1`]); mean over channels and frequencies ([`frequency_l1`]) or whole valid windows
/// ([`one_minus_ssim`]). Units are those of the images. Nothing reaches the reference.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::loss::{DistillLoss, image::ImageDistance};
///
/// let image = |value: f32| Tensor::<4>::full([1, 1, 2, 2], value, &Device::flex());
/// let distance = ImageDistance::Charbonnier { epsilon: 4.0 };
/// assert_eq!(distance.forward(image(3.0), image(0.0), None).into_scalar::<f32>(), 5.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ImageDistance {
    /// [`l1`].
    L1,
    /// [`mse`].
    Mse,
    /// [`charbonnier`].
    Charbonnier {
        /// Where the absolute value is rounded off, in the images' unit.
        epsilon: f64,
    },
    /// [`gradient_l1`].
    Gradient,
    /// [`frequency_l1`].
    Frequency,
    /// [`one_minus_ssim`].
    Ssim {
        /// The range of the data, in the images' unit.
        range: f64,
        /// The window.
        window: SsimWindow,
    },
}

impl<const D: usize> DistillLoss<D> for ImageDistance {
    fn name(&self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::Mse => "mse",
            Self::Charbonnier { .. } => "charbonnier",
            Self::Gradient => "gradient",
            Self::Frequency => "frequency",
            Self::Ssim { .. } => "ssim",
        }
    }

    fn check(&self, student: &[usize], teacher: &[usize], mask: Option<&[usize]>) -> Result<(), LossError> {
        if !(3..=5).contains(&student.len()) {
            return Err(LossError::ImageRank { found: student.to_vec() });
        }
        if student != teacher {
            return Err(LossError::ImageShape { student: student.to_vec(), reference: teacher.to_vec() });
        }
        check_shapes(student, teacher, mask)?;
        match self {
            Self::Ssim { window: SsimWindow { size, .. }, .. } if student[2..].iter().any(|length| length < size) => {
                Err(LossError::Window { window: *size, image: student[2..].to_vec() })
            }
            _ => Ok(()),
        }
    }

    fn evaluate(&self, student: Tensor<D>, beside: Beside<D>) -> Tensor<1> {
        let Beside { teacher, mask, .. } = beside;
        match *self {
            Self::L1 => l1(student, teacher, mask),
            Self::Mse => mse(student, teacher, mask),
            Self::Charbonnier { epsilon } => charbonnier(student, teacher, mask, epsilon),
            Self::Gradient => gradient_l1(student, teacher, mask),
            Self::Frequency => frequency_l1(student, teacher, mask),
            Self::Ssim { range, window } => one_minus_ssim(student, teacher, mask, range, window),
        }
    }
}
