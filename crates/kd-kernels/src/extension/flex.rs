//! Own operators on Burn's CPU backend: for `f32`, unless the stock ones were chosen.

use burn::backend::ops::{ActivationOps, FloatTensorOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape, TensorData};

use super::{Geometry, KernelOps, NormOptions, Window, stock};
use crate::choice::Kernels;
use crate::conv::{ConvShape, conv, conv_input_gradient, weight_gradient};
use crate::norm::{NormShape, norm, norm_gradient};
use crate::optimizer::{self, AdamWStep, MomentumStep};
use crate::pool::{PoolShape, max_pool, max_pool_gradient};
use crate::simd::Isa;
use crate::upsample::{Upsampling, upsample, upsample_gradient};
use crate::{divergence, elementwise};

type FlexTensor = FloatTensor<Flex>;

/// Whether own operators serve these tensors.
fn own(tensors: &[&FlexTensor]) -> bool {
    Kernels::chosen() == Kernels::Own && tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

/// A tensor whose numbers lie in order and begin at its storage's offset.
struct Dense(FlexTensor);

impl Dense {
    fn new(tensor: FlexTensor) -> Self {
        Self(tensor.to_contiguous())
    }

    fn numbers(&self) -> &[f32] {
        let layout = self.0.layout();
        &self.0.storage::<f32>()[layout.start_offset()..][..layout.num_elements()]
    }
}

fn tensor(numbers: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(numbers, shape.into()))
}

/// The modules have checked every shape: what is left are mistakes of this crate.
fn expected<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

fn sizes<const N: usize>(shape: &Shape) -> [usize; N] {
    shape.dims::<N>()
}

/// The sizes of a convolution and of its output tensor.
fn conv_shape(input: &Shape, weight: &Shape, geometry: Geometry) -> ConvShape {
    let Geometry { stride, padding, dilation, groups } = geometry;
    let padding = padding.map(|zeros| [zeros, zeros]);
    if input.num_dims() == 4 {
        let [batch, channels, rows, columns] = sizes(input);
        let [outputs, _, down, across] = sizes(weight);
        ConvShape::flat(
            batch,
            [channels, outputs],
            groups,
            [rows, columns],
            [down, across],
            [stride[1], stride[2]],
            [padding[1], padding[2]],
            [dilation[1], dilation[2]],
        )
    } else {
        let [batch, channels, planes, rows, columns] = sizes(input);
        let [outputs, _, deep, down, across] = sizes(weight);
        ConvShape {
            batch,
            channels: [channels, outputs],
            groups,
            input: [planes, rows, columns],
            kernel: [deep, down, across],
            stride,
            padding,
            dilation,
        }
    }
}

fn output_shape(input: &Shape, conv: &ConvShape) -> Shape {
    let [planes, rows, columns] = expected(conv.output());
    if input.num_dims() == 4 {
        // A 2D convolution has its rows on the first axis.
        Shape::new([conv.batch, conv.channels[1], planes, columns])
    } else {
        Shape::new([conv.batch, conv.channels[1], planes, rows, columns])
    }
}

fn norm_shape(shape: &Shape, options: NormOptions) -> NormShape {
    let (batch, channels) = (shape[0], shape[1]);
    NormShape { batch, channels, points: shape.num_elements() / (batch * channels), statistics: options.statistics }
}

fn convolve(
    input: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    geometry: Geometry,
    relu: bool,
) -> FlexTensor {
    if !own(&[&input, &weight]) || bias.as_ref().is_some_and(|bias| !own(&[bias])) {
        return stock::convolve::<Flex>(input, weight, bias, geometry, relu);
    }
    let shape = conv_shape(&input.shape(), &weight.shape(), geometry);
    let output = output_shape(&input.shape(), &shape);
    let (input, weight, bias) = (Dense::new(input), Dense::new(weight), bias.map(Dense::new));
    let bias = bias.as_ref().map(Dense::numbers);
    tensor(expected(conv(Isa::best(), &shape, input.numbers(), weight.numbers(), bias, relu)), output)
}

fn pool_shape(input: &Shape, window: Window) -> PoolShape {
    let mut points = [1; 3];
    let axes = input.num_dims() - 2;
    points[3 - axes..].copy_from_slice(&input.as_slice()[2..]);
    let Window { kernel, stride, padding } = window;
    PoolShape { maps: input[0] * input[1], input: points, kernel, stride, padding }
}

/// A shape with other sizes behind the channel.
fn resized(shape: &Shape, points: &[usize]) -> Shape {
    let mut sizes = vec![shape[0], shape[1]];
    sizes.extend_from_slice(points);
    Shape::from(sizes)
}

impl KernelOps for Flex {
    fn convolve(input: FlexTensor, weight: FlexTensor, geometry: Geometry, relu: bool) -> FlexTensor {
        convolve(input, weight, None, geometry, relu)
    }

    fn convolve_biased(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        geometry: Geometry,
        relu: bool,
    ) -> FlexTensor {
        convolve(input, weight, Some(bias), geometry, relu)
    }

    fn convolve_input_gradient(
        input: FlexTensor,
        weight: FlexTensor,
        output_gradient: FlexTensor,
        geometry: Geometry,
    ) -> FlexTensor {
        if !own(&[&input, &weight, &output_gradient]) {
            return stock::convolve_input_gradient::<Self>(input, weight, output_gradient, geometry);
        }
        let shape = conv_shape(&input.shape(), &weight.shape(), geometry);
        let (weight, gradient) = (Dense::new(weight), Dense::new(output_gradient));
        let numbers = conv_input_gradient(Isa::best(), &shape, gradient.numbers(), weight.numbers());
        tensor(expected(numbers), input.shape())
    }

    fn convolve_weight_gradient(
        input: FlexTensor,
        weight: FlexTensor,
        output_gradient: FlexTensor,
        geometry: Geometry,
    ) -> FlexTensor {
        if !own(&[&input, &weight, &output_gradient]) {
            return stock::convolve_weight_gradient::<Self>(input, weight, output_gradient, geometry);
        }
        let shape = conv_shape(&input.shape(), &weight.shape(), geometry);
        let (input, gradient) = (Dense::new(input), Dense::new(output_gradient));
        let numbers = weight_gradient(Isa::best(), &shape, input.numbers(), gradient.numbers());
        tensor(expected(numbers), weight.shape())
    }

    fn convolve_bias_gradient(output_gradient: FlexTensor) -> FlexTensor {
        if !own(&[&output_gradient]) {
            return stock::convolve_bias_gradient::<Self>(output_gradient);
        }
        let shape = output_gradient.shape();
        let gradient = Dense::new(output_gradient);
        tensor(elementwise::channel_sums(Isa::best(), gradient.numbers(), [shape[0], shape[1]]), [shape[1]])
    }

    fn normalise(
        input: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        options: NormOptions,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !own(&[&input, &gamma, &beta]) {
            return stock::normalise::<Self>(input, gamma, beta, options);
        }
        let shape = input.shape();
        let sizes = norm_shape(&shape, options);
        let [input, gamma, beta] = [input, gamma, beta].map(Dense::new);
        let normed = expected(norm(
            Isa::best(),
            &sizes,
            input.numbers(),
            gamma.numbers(),
            beta.numbers(),
            options.epsilon,
            options.activation,
        ));
        let units = [sizes.units()];
        (tensor(normed.output, shape), tensor(normed.mean, units), tensor(normed.variance, units))
    }

    fn normalise_gradient(
        input: FlexTensor,
        output_gradient: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        options: NormOptions,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !own(&[&input, &output_gradient, &gamma, &beta, &mean, &variance]) {
            let statistics = [mean, variance];
            return stock::normalise_gradient::<Self>(input, output_gradient, gamma, beta, statistics, options);
        }
        let shape = input.shape();
        let sizes = norm_shape(&shape, options);
        let [input, gradient, gamma, beta] = [input, output_gradient, gamma, beta].map(Dense::new);
        let [mean, variance] = [mean, variance].map(Dense::new);
        let gradients = expected(norm_gradient(
            Isa::best(),
            &sizes,
            input.numbers(),
            gradient.numbers(),
            [gamma.numbers(), beta.numbers()],
            [mean.numbers(), variance.numbers()],
            options.epsilon,
            options.activation,
        ));
        let channels = [sizes.channels];
        (tensor(gradients.input, shape), tensor(gradients.gamma, channels), tensor(gradients.beta, channels))
    }

    fn max_pool(input: FlexTensor, window: Window) -> FlexTensor {
        if !own(&[&input]) {
            return stock::max_pool::<Self>(input, window);
        }
        let shape = input.shape();
        let pool = pool_shape(&shape, window);
        let output = expected(pool.output());
        let numbers = expected(max_pool(Isa::best(), &pool, Dense::new(input).numbers()));
        tensor(numbers, resized(&shape, &output[5 - shape.num_dims()..]))
    }

    fn max_pool_gradient(input: FlexTensor, output_gradient: FlexTensor, window: Window) -> FlexTensor {
        if !own(&[&input, &output_gradient]) {
            return stock::max_pool_gradient::<Self>(input, output_gradient, window);
        }
        let shape = input.shape();
        let [input, gradient] = [input, output_gradient].map(Dense::new);
        tensor(
            expected(max_pool_gradient(Isa::best(), &pool_shape(&shape, window), input.numbers(), gradient.numbers())),
            shape,
        )
    }

    fn upsample(input: FlexTensor, how: Upsampling) -> FlexTensor {
        if !own(&[&input]) {
            return stock::upsample::<Self>(input, how);
        }
        let shape = input.shape();
        let points = &shape.as_slice()[2..];
        let numbers = expected(upsample(how, shape[0] * shape[1], points, Dense::new(input).numbers()));
        let doubled: Vec<usize> = points.iter().map(|size| 2 * size).collect();
        tensor(numbers, resized(&shape, &doubled))
    }

    fn upsample_gradient(input: FlexTensor, output_gradient: FlexTensor, how: Upsampling) -> FlexTensor {
        if !own(&[&input, &output_gradient]) {
            return stock::upsample_gradient::<Self>(input, output_gradient, how);
        }
        let shape = input.shape();
        let gradient = Dense::new(output_gradient);
        let maps = shape[0] * shape[1];
        tensor(expected(upsample_gradient(how, maps, &shape.as_slice()[2..], gradient.numbers())), shape)
    }

    fn concatenate(left: FlexTensor, right: FlexTensor) -> FlexTensor {
        if !own(&[&left, &right]) {
            return Self::float_cat(vec![left, right], 1);
        }
        let (shape, channels) = (left.shape(), right.shape()[1]);
        let mut both = shape.as_slice().to_vec();
        both[1] += channels;
        let [left, right] = [left, right].map(Dense::new);
        tensor(elementwise::concatenated(left.numbers(), right.numbers(), shape[0]), both)
    }

    fn part(both: FlexTensor, channels: usize) -> (FlexTensor, FlexTensor) {
        if !own(&[&both]) {
            return stock::part::<Self>(both, channels);
        }
        let shape = both.shape();
        let of_channels = |channels: usize| {
            let mut sizes = shape.as_slice().to_vec();
            sizes[1] = channels;
            Shape::from(sizes)
        };
        let shapes = [of_channels(channels), of_channels(shape[1] - channels)];
        let of_left = shapes[0].num_elements() / shape[0];
        let [left, right] = elementwise::parted(Dense::new(both).numbers(), of_left, shape[0]);
        let [left_shape, right_shape] = shapes;
        (tensor(left, left_shape), tensor(right, right_shape))
    }

    fn add_relu(left: FlexTensor, right: FlexTensor) -> FlexTensor {
        let shape = left.shape();
        if !own(&[&left, &right]) || shape != right.shape() {
            return Self::relu(Self::float_add(left, right));
        }
        let [left, right] = [left, right].map(Dense::new);
        tensor(elementwise::add_relu(Isa::best(), left.numbers(), right.numbers()), shape)
    }

    fn momentum_step(
        weight: FlexTensor,
        gradient: FlexTensor,
        momentum: FlexTensor,
        step: MomentumStep,
    ) -> (FlexTensor, FlexTensor) {
        if !own(&[&weight, &gradient, &momentum]) {
            return stock::momentum_step::<Self>(weight, gradient, momentum, step);
        }
        let shape = weight.shape();
        let [weight, gradient, momentum] = [weight, gradient, momentum].map(Dense::new);
        let results =
            optimizer::momentum_step(Isa::best(), weight.numbers(), gradient.numbers(), momentum.numbers(), step);
        let [weight, momentum] = results.map(|numbers| tensor(numbers, shape.clone()));
        (weight, momentum)
    }

    fn adamw_step(
        weight: FlexTensor,
        gradient: FlexTensor,
        mean: FlexTensor,
        square: FlexTensor,
        step: AdamWStep,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let operands = [weight, gradient, mean, square];
        if !own(&operands.each_ref()) {
            return stock::adamw_step::<Self>(operands, step);
        }
        let shape = operands[0].shape();
        let operands = operands.map(Dense::new);
        let results = optimizer::adamw_step(Isa::best(), operands.each_ref().map(Dense::numbers), step);
        let [weight, mean, square] = results.map(|numbers| tensor(numbers, shape.clone()));
        (weight, mean, square)
    }

    fn softmax_divergence(student: FlexTensor, teacher: FlexTensor, factor: f64) -> FlexTensor {
        if !has_own_divergence(&student, &teacher) {
            return stock::softmax_divergence::<Self>(student, teacher, factor);
        }
        let mut shape = student.shape();
        let [student, teacher] = [student, teacher].map(Dense::new);
        let map = logits([&student, &teacher], &shape, factor).divergence(Isa::best());
        shape[1] = 1;
        tensor(map, shape)
    }

    fn softmax_divergence_gradient(
        student: FlexTensor,
        teacher: FlexTensor,
        output_gradient: FlexTensor,
        factor: f64,
    ) -> FlexTensor {
        if !(has_own_divergence(&student, &teacher) && own(&[&output_gradient])) {
            return stock::softmax_divergence_gradient::<Self>(student, teacher, output_gradient, factor);
        }
        let shape = student.shape();
        let [student, teacher, upstream] = [student, teacher, output_gradient].map(Dense::new);
        let gradient = logits([&student, &teacher], &shape, factor).gradient(Isa::best(), upstream.numbers());
        tensor(gradient, shape)
    }

    fn relu_gradient(output: FlexTensor, output_gradient: FlexTensor) -> FlexTensor {
        let shape = output.shape();
        if !own(&[&output, &output_gradient]) {
            return Self::relu_backward(output, output_gradient);
        }
        let [output, gradient] = [output, output_gradient].map(Dense::new);
        tensor(elementwise::relu_gradient(Isa::best(), output.numbers(), gradient.numbers()), shape)
    }
}

/// A block is filled by positions; logits without maps, and very many classes, go on as before.
fn has_own_divergence(student: &FlexTensor, teacher: &FlexTensor) -> bool {
    let shape = student.shape();
    let points: usize = shape.iter().skip(2).product();
    own(&[student, teacher]) && points >= 8 && shape[1] <= divergence::MOST_CHANNELS && shape == teacher.shape()
}

fn logits<'a>([student, teacher]: [&'a Dense; 2], shape: &Shape, factor: f64) -> divergence::Logits<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "logits are f32")]
    let factor = factor as f32;
    divergence::Logits::new([student.numbers(), teacher.numbers()], [shape[0], shape[1]], factor)
}
