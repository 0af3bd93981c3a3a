//! Losses between images: a restored one, and a teacher's or the truth.
//!
//! One function serves both: the reference is whatever the student is to resemble. Units are those of the images, so a
//! data range is an argument wherever it matters. [`build_image`](super::build_image) makes an [`ImageDistance`] from what
//! a recipe says.

mod difference;
mod distance;
mod frequency;
mod gradient;
mod ssim;

use burn::tensor::Tensor;

pub use difference::{charbonnier, l1, mse, response};
pub use distance::ImageDistance;
pub use frequency::frequency_l1;
pub use gradient::gradient_l1;
pub use ssim::{SsimWindow, one_minus_ssim};

use super::operands::{blank_invalid, check_shapes, flatten};

/// Student and reference with spatial axes as one.
struct Images {
    student: Tensor<3>,
    reference: Tensor<3>,
    /// `[batch, 1, position]`.
    weight: Tensor<3>,
    spatial: Vec<usize>,
}

impl Images {
    fn new<const D: usize>(what: &str, student: Tensor<D>, reference: Tensor<D>, mask: Option<Tensor<D>>) -> Self {
        let dims = student.dims();
        let mask_dims = mask.as_ref().map(Tensor::dims);
        let shape = mask_dims.as_ref().map(<[usize; D]>::as_slice);
        if let Err(error) = check_shapes(&dims, &reference.dims(), shape) {
            panic!("{what}: {error}");
        }
        let reference = reference.inner().cast(student.dtype());
        let mut positions = dims;
        positions[1] = 1;
        let mask = match mask {
            Some(mask) => mask.inner().cast(student.dtype()).expand(positions),
            None => Tensor::ones(positions, (&reference.device(), student.dtype())),
        };
        Self {
            student: flatten(blank_invalid(student, &mask)),
            reference: flatten(blank_invalid(reference, &mask)),
            weight: flatten(mask),
            spatial: dims[2..].to_vec(),
        }
    }
}
