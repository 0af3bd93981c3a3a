//! Adaptors on the student's side of a pair of taps: trained with the student, no part of it.
//!
//! Their parameters must reach the optimiser and stay out of what is exported; fill them with
//! [`initialize`](crate::initialize), which draws from the experiment's streams.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use kd_image::SampleId;

use crate::seed::{Purpose, stream, unit};

/// A linear map over channels at every position: a 1×1 convolution in any number of dimensions.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{initialize, loss::feature::Projection};
///
/// let device = Device::flex();
/// let projection = initialize(Projection::new(4, 16, &device), 1);
/// let features = projection.forward(Tensor::<4>::ones([2, 4, 7, 5], &device));
/// assert_eq!(features.dims(), [2, 16, 7, 5]);
/// ```
#[derive(Module, Debug)]
pub struct Projection {
    linear: Linear,
}

impl Projection {
    /// Makes a projection from the student's channels to the teacher's.
    #[must_use]
    pub fn new(student_channels: usize, teacher_channels: usize, device: &Device) -> Self {
        Self { linear: LinearConfig::new(student_channels, teacher_channels).init(device) }
    }

    /// Maps `[batch, student channels, …spatial]` to `[batch, teacher channels, …spatial]`.
    ///
    /// # Panics
    /// When the number of channels is another.
    pub fn forward<const D: usize>(&self, features: Tensor<D>) -> Tensor<D> {
        let mut dims = features.dims();
        let flat = features.reshape([dims[0], dims[1], dims[2..].iter().product()]);
        let mapped = self.linear.forward(flat.swap_dims(1, 2)).swap_dims(1, 2);
        dims[1] = mapped.dims()[1];
        mapped.reshape(dims)
    }
}

/// MGD's generator: fills in what a mask has taken from the student's features, by two 3×3 convolutions.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{initialize, loss::feature::MaskedGeneration};
///
/// let device = Device::flex();
/// let generator = initialize(MaskedGeneration::new(4, 6, &device), 1);
/// let kept = Tensor::<4>::ones([2, 1, 5, 5], &device); // 0 where the student must fill in
/// assert_eq!(generator.forward(Tensor::<4>::ones([2, 4, 5, 5], &device), kept).dims(), [2, 6, 5, 5]);
/// ```
#[derive(Module, Debug)]
pub struct MaskedGeneration {
    align: Projection,
    first: Conv2d,
    second: Conv2d,
}

impl MaskedGeneration {
    /// Makes a generator from the student's channels to the teacher's.
    #[must_use]
    pub fn new(student_channels: usize, teacher_channels: usize, device: &Device) -> Self {
        let conv = || {
            Conv2dConfig::new([teacher_channels; 2], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        let align = Projection::new(student_channels, teacher_channels, device);
        Self { align, first: conv(), second: conv() }
    }

    /// Generates features from what `kept` (`[batch, 1 or channel, height, width]`, 1 or 0) leaves of the student's.
    pub fn forward(&self, student: Tensor<4>, kept: Tensor<4>) -> Tensor<4> {
        let aligned = self.align.forward(student);
        self.second.forward(relu(self.first.forward(aligned * kept)))
    }
}

/// Draws which positions of a map a student keeps before it must generate the rest, `[batch, 1, height, width]`.
///
/// Each position is taken away (0) with probability `masked`, and kept (1) otherwise.
///
/// # Policy
/// The stream is keyed by seed, epoch and sample, so the draw depends neither on the batch nor on what was drawn before.
/// `masked` is clamped to 0 to 1; published are 0.75 for segmentation and 0.65 for detection.
///
/// # Example
/// ```
/// use burn::tensor::Device;
/// use kd_core::loss::feature::kept_positions;
/// use kd_image::SampleId;
///
/// let ids = [SampleId::new("a")?, SampleId::new("b")?];
/// let kept = |masked| kept_positions(&ids, [4, 6], masked, 7, 0, &Device::flex()).sum().into_scalar::<f32>();
/// assert_eq!((kept(0.0), kept(1.0)), (48.0, 0.0));
/// # Ok::<(), kd_image::IdError>(())
/// ```
#[must_use]
pub fn kept_positions(
    ids: &[SampleId],
    [height, width]: [usize; 2],
    masked: f64,
    seed: u64,
    epoch: usize,
    device: &Device,
) -> Tensor<4> {
    let masked = masked.clamp(0.0, 1.0);
    let draw = |id: &SampleId| {
        let mut rng = stream(seed, Purpose::Mask, epoch as u64, id.as_str());
        (0..height * width).map(move |_| f32::from(u8::from(unit(&mut rng) >= masked))).collect::<Vec<_>>()
    };
    let values: Vec<f32> = ids.iter().flat_map(draw).collect();
    Tensor::from_data(TensorData::new(values, [ids.len(), 1, height, width]), device)
}
