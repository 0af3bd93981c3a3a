//! Convolution layers in two and three axes.

use burn::backend::Dispatch;
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use crate::extension::{Geometry, KernelOps};

/// What a convolution layer is made of; `AXES` is 2 (rows, columns) or 3 (planes, rows, columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvConfig<const AXES: usize> {
    /// Input and output channels.
    pub channels: [usize; 2],
    /// Taps along each axis.
    pub kernel: [usize; AXES],
    /// Input points from one output point to the next.
    pub stride: [usize; AXES],
    /// Zeros on both sides of each axis.
    pub padding: [usize; AXES],
    /// Input points from one tap to the next.
    pub dilation: [usize; AXES],
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Whether a number is added to each output channel.
    pub bias: bool,
}

impl<const AXES: usize> ConvConfig<AXES> {
    /// A layer of stride 1 that keeps the size of its input, where the kernel is odd; no bias.
    #[must_use]
    pub fn same(channels: [usize; 2], kernel: usize) -> Self {
        Self {
            channels,
            kernel: [kernel; AXES],
            stride: [1; AXES],
            padding: [kernel / 2; AXES],
            dilation: [1; AXES],
            groups: 1,
            bias: false,
        }
    }
}

macro_rules! init {
    ($axes:literal, $rank:literal, $spread:expr) => {
        impl ConvConfig<$axes> {
            /// A layer with Burn's default initialisation: weights and biases uniform within `1 / √fan-in`.
            ///
            /// # Panics
            /// When the groups do not divide the channels.
            #[must_use]
            pub fn init(&self, device: &Device) -> Conv<$rank> {
                let Self { channels: [inputs, outputs], kernel, stride, padding, dilation, groups, bias } = *self;
                assert!(
                    groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
                    "convolution of {inputs} to {outputs} channels: expected multiples of {groups} groups"
                );
                let mut shape = [outputs, inputs / groups, 1, 1, 1];
                shape[2..2 + kernel.len()].copy_from_slice(&kernel);
                let taps: usize = kernel.iter().product();
                let (fan_in, fan_out) = (Some(inputs / groups * taps), Some(outputs / groups * taps));
                let initializer = Initializer::KaimingUniform { gain: 1.0 / 3f64.sqrt(), fan_out_only: false };
                let weight = initializer.init_with(
                    std::array::from_fn::<_, $rank, _>(|axis| shape[axis]),
                    fan_in,
                    fan_out,
                    device,
                );
                let bias = bias.then(|| initializer.init_with([outputs], fan_in, fan_out, device));
                Conv { weight, bias, geometry: $spread(stride, padding, dilation, groups) }
            }
        }
    };
}

init!(2, 4, Geometry::flat);
init!(3, 5, |stride, padding, dilation, groups| Geometry { stride, padding, dilation, groups });

/// A convolution layer; made by [`ConvConfig`].
///
/// # Shapes
/// Input `[batch, channel, …]` of `RANK` axes; weight `[output, channel / groups, …]`, bias `[output]`.
#[derive(Module, Debug)]
pub struct Conv<const RANK: usize> {
    /// The kernels.
    pub weight: Param<Tensor<RANK>>,
    /// A number for each output channel.
    pub bias: Option<Param<Tensor<1>>>,
    /// How the kernels move.
    #[module(skip)]
    pub geometry: Geometry,
}

/// A convolution layer over rows and columns.
pub type Conv2d = Conv<4>;
/// A convolution layer over planes, rows and columns.
pub type Conv3d = Conv<5>;

impl<const RANK: usize> Conv<RANK> {
    /// The layer's output.
    ///
    /// # Panics
    /// When the input has other channels than the layer, or is smaller with its padding than the kernel.
    #[must_use]
    pub fn forward(&self, input: Tensor<RANK>) -> Tensor<RANK> {
        let bias = self.bias.as_ref().map(Param::val);
        convolve(input, self.weight.val(), bias, self.geometry, false)
    }

    /// The layer's output, negative numbers replaced by 0.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn forward_relu(&self, input: Tensor<RANK>) -> Tensor<RANK> {
        let bias = self.bias.as_ref().map(Param::val);
        convolve(input, self.weight.val(), bias, self.geometry, true)
    }
}

/// A convolution after its shapes were checked.
pub(super) fn convolve<const RANK: usize>(
    input: Tensor<RANK>,
    weight: Tensor<RANK>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
    relu: bool,
) -> Tensor<RANK> {
    let (sizes, kernel) = (input.dims(), weight.dims());
    assert_eq!(
        sizes[1],
        kernel[1] * geometry.groups,
        "convolution: input {sizes:?} has {} channels, expected {} (weight {kernel:?}, {} groups)",
        sizes[1],
        kernel[1] * geometry.groups,
        geometry.groups
    );
    for axis in 2..RANK {
        // A 2D geometry has its two axes last.
        let of_geometry = axis + 3 - RANK;
        let padded = sizes[axis] + 2 * geometry.padding[of_geometry];
        let reach = (kernel[axis] - 1) * geometry.dilation[of_geometry] + 1;
        assert!(
            sizes[axis] > 0 && reach <= padded,
            "convolution: input {sizes:?} has {padded} points with padding on axis {axis}, expected at least {reach}"
        );
    }
    let (input, weight) = (input.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => <Dispatch as KernelOps>::convolve_biased(input, weight, bias.into_dispatch(), geometry, relu),
        None => <Dispatch as KernelOps>::convolve(input, weight, geometry, relu),
    })
}
