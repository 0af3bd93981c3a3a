//! The same operators made of Burn's: what runs wherever this crate has none of its own.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata, get_or_init_device_settings};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{IntDType, Scalar, Shape, Slice};

use super::{Geometry, NormOptions, Window};
use crate::norm::{Activation, Statistics};
use crate::optimizer::{AdamWFactors, AdamWStep, MomentumStep};
use crate::upsample::Upsampling;

fn is_flat<B: Backend>(tensor: &FloatTensor<B>) -> bool {
    tensor.shape().num_dims() == 4
}

pub(super) fn convolve<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    geometry: Geometry,
    relu: bool,
) -> FloatTensor<B> {
    let output = if is_flat::<B>(&input) {
        B::conv2d(input, weight, bias, geometry.options_2d())
    } else {
        B::conv3d(input, weight, bias, geometry.options_3d())
    };
    if relu { B::relu(output) } else { output }
}

pub(super) fn convolve_input_gradient<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: Geometry,
) -> FloatTensor<B> {
    if is_flat::<B>(&input) {
        B::conv2d_x_backward(input, weight, output_gradient, geometry.options_2d())
    } else {
        B::conv3d_x_backward(input, weight, output_gradient, geometry.options_3d())
    }
}

pub(super) fn convolve_weight_gradient<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: Geometry,
) -> FloatTensor<B> {
    if is_flat::<B>(&input) {
        B::conv2d_weight_backward(input, weight, output_gradient, geometry.options_2d())
    } else {
        B::conv3d_weight_backward(input, weight, output_gradient, geometry.options_3d())
    }
}

pub(super) fn convolve_bias_gradient<B: Backend>(output_gradient: FloatTensor<B>) -> FloatTensor<B> {
    let shape = output_gradient.shape();
    let channels = shape[1];
    let points = shape.num_elements() / channels;
    let by_channel = B::float_reshape(B::float_swap_dims(output_gradient, 0, 1), Shape::new([channels, points]));
    B::float_reshape(B::float_sum_dim(by_channel, 1), Shape::new([channels]))
}

fn activate<B: Backend>(output: FloatTensor<B>, activation: Activation) -> FloatTensor<B> {
    match activation {
        Activation::None => output,
        Activation::Relu => B::relu(output),
        Activation::LeakyRelu(slope) => B::leaky_relu(output, Scalar::from(slope)),
    }
}

fn passed<B: Backend>(output: FloatTensor<B>, gradient: FloatTensor<B>, activation: Activation) -> FloatTensor<B> {
    match activation {
        Activation::None => gradient,
        Activation::Relu => B::relu_backward(B::relu(output), gradient),
        Activation::LeakyRelu(slope) => {
            let bool_dtype = get_or_init_device_settings::<B>(&output.device()).bool_dtype;
            let negative = B::float_lower_equal_elem(output, 0f32.into(), bool_dtype);
            let scaled = B::float_mul_scalar(gradient.clone(), Scalar::from(slope));
            B::float_mask_where(gradient, negative, scaled)
        }
    }
}

/// The shape under which a batch norm of `[1, units, …]` is the norm that is asked for, and how many units it has.
fn grouped(shape: &Shape, groups: usize) -> Shape {
    let units = shape[0] * groups;
    Shape::new([1, units, shape.num_elements() / units])
}

fn per_channel(shape: &Shape) -> Shape {
    let mut sizes = vec![1; shape.num_dims()];
    sizes[1] = shape[1];
    Shape::from(sizes)
}

pub(super) fn normalise<B: Backend>(
    input: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    options: NormOptions,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let NormOptions { statistics, epsilon, activation } = options;
    match statistics {
        Statistics::Batch => {
            let normed = B::batch_norm_train(input, gamma, beta, epsilon);
            (activate::<B>(normed.output, activation), normed.mean, normed.variance)
        }
        Statistics::Groups(groups) => {
            let shape = input.shape();
            let (device, dtype) = (input.device(), input.dtype().into());
            let as_batch = grouped(&shape, groups);
            let units = Shape::new([as_batch[1]]);
            let ones = B::float_ones(units.clone(), &device, dtype);
            let zeros = B::float_zeros(units, &device, dtype);
            let normed = B::batch_norm_train(B::float_reshape(input, as_batch), ones, zeros, epsilon);
            let output = B::float_reshape(normed.output, shape.clone());
            let scaled = B::float_mul(output, B::float_reshape(gamma, per_channel(&shape)));
            let shifted = B::float_add(scaled, B::float_reshape(beta, per_channel(&shape)));
            (activate::<B>(shifted, activation), normed.mean, normed.variance)
        }
    }
}

pub(super) fn normalise_gradient<B: Backend>(
    input: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    [mean, variance]: [FloatTensor<B>; 2],
    options: NormOptions,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let NormOptions { statistics, epsilon, activation } = options;
    match statistics {
        Statistics::Batch => {
            let before = B::batch_norm(input.clone(), gamma.clone(), beta, mean.clone(), variance.clone(), epsilon);
            let gradient = passed::<B>(before, output_gradient, activation);
            let gradients = B::batch_norm_train_backward(input, gamma, mean, variance, epsilon, gradient);
            (gradients.x_grad, gradients.gamma_grad, gradients.beta_grad)
        }
        Statistics::Groups(groups) => {
            let shape = input.shape();
            let (device, dtype) = (input.device(), input.dtype().into());
            let as_batch = grouped(&shape, groups);
            let units = Shape::new([as_batch[1]]);
            let ones = B::float_ones(units.clone(), &device, dtype);
            let zeros = B::float_zeros(units, &device, dtype);
            let rows = B::float_reshape(input, as_batch.clone());
            let normalised = B::batch_norm(rows.clone(), ones.clone(), zeros, mean.clone(), variance.clone(), epsilon);
            let normalised = B::float_reshape(normalised, shape.clone());
            let gamma = B::float_reshape(gamma, per_channel(&shape));
            let scaled = B::float_mul(normalised.clone(), gamma.clone());
            let before = B::float_add(scaled, B::float_reshape(beta, per_channel(&shape)));
            let gradient = passed::<B>(before, output_gradient, activation);
            let by_gamma = convolve_bias_gradient::<B>(B::float_mul(gradient.clone(), normalised));
            let by_beta = convolve_bias_gradient::<B>(gradient.clone());
            let by_rows = B::float_reshape(B::float_mul(gradient, gamma), as_batch);
            let gradients = B::batch_norm_train_backward(rows, ones, mean, variance, epsilon, by_rows);
            (B::float_reshape(gradients.x_grad, shape), by_gamma, by_beta)
        }
    }
}

/// The stock operators work on rows and columns. Three axes take two passes: rows and columns with the planes as
/// channels, then planes with rows and columns as one axis.
fn as_rows(shape: &Shape) -> Shape {
    let [batch, channels, planes, rows, columns] = shape.dims();
    Shape::new([batch, channels * planes, rows, columns])
}

fn as_planes(shape: &Shape) -> Shape {
    let [batch, channels, planes, rows, columns] = shape.dims();
    Shape::new([batch, channels, planes, rows * columns])
}

fn of_rows(shape: &Shape, [rows, columns]: [usize; 2]) -> Shape {
    Shape::new([shape[0], shape[1], shape[2], rows, columns])
}

fn pool_rows<B: Backend>(input: FloatTensor<B>, window: Window) -> FloatTensor<B> {
    let pair = |sizes: [usize; 3]| [sizes[1], sizes[2]];
    let Window { kernel, stride, padding } = window;
    B::max_pool2d(input, pair(kernel), pair(stride), pair(padding), [1, 1], false)
}

fn pool_rows_gradient<B: Backend>(input: FloatTensor<B>, gradient: FloatTensor<B>, window: Window) -> FloatTensor<B> {
    let pair = |sizes: [usize; 3]| [sizes[1], sizes[2]];
    let Window { kernel, stride, padding } = window;
    let (kernel, stride, padding) = (pair(kernel), pair(stride), pair(padding));
    let indices: IntDType = get_or_init_device_settings::<B>(&input.device()).int_dtype;
    let found = B::max_pool2d_with_indices(input.clone(), kernel, stride, padding, [1, 1], false, indices);
    B::max_pool2d_with_indices_backward(input, kernel, stride, padding, [1, 1], false, gradient, found.indices).x_grad
}

/// The window along planes alone, as rows of one column.
fn along_planes(window: Window) -> Window {
    let Window { kernel, stride, padding } = window;
    Window { kernel: [1, kernel[0], 1], stride: [1, stride[0], 1], padding: [0, padding[0], 0] }
}

fn pooled_rows<B: Backend>(input: FloatTensor<B>, window: Window) -> FloatTensor<B> {
    let shape = input.shape();
    let pooled = pool_rows::<B>(B::float_reshape(input, as_rows(&shape)), window);
    let [_, _, rows, columns] = pooled.shape().dims();
    B::float_reshape(pooled, of_rows(&shape, [rows, columns]))
}

pub(super) fn max_pool<B: Backend>(input: FloatTensor<B>, window: Window) -> FloatTensor<B> {
    if is_flat::<B>(&input) {
        return pool_rows::<B>(input, window);
    }
    let by_rows = pooled_rows::<B>(input, window);
    let shape = by_rows.shape();
    let pooled = pool_rows::<B>(B::float_reshape(by_rows, as_planes(&shape)), along_planes(window));
    let planes = pooled.shape()[2];
    B::float_reshape(pooled, Shape::new([shape[0], shape[1], planes, shape[3], shape[4]]))
}

pub(super) fn max_pool_gradient<B: Backend>(
    input: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    window: Window,
) -> FloatTensor<B> {
    if is_flat::<B>(&input) {
        return pool_rows_gradient::<B>(input, output_gradient, window);
    }
    let (shape, pooled) = (input.shape(), output_gradient.shape());
    let by_rows = pooled_rows::<B>(input.clone(), window);
    let between = by_rows.shape();
    let planes = B::float_reshape(by_rows, as_planes(&between));
    let gradient = B::float_reshape(output_gradient, as_planes(&pooled));
    let gradient = pool_rows_gradient::<B>(planes, gradient, along_planes(window));
    let gradient = B::float_reshape(gradient, as_rows(&between));
    let rows = B::float_reshape(input, as_rows(&shape));
    B::float_reshape(pool_rows_gradient::<B>(rows, gradient, window), shape)
}

fn interpolation(how: Upsampling) -> InterpolateOptions {
    let mode = match how {
        Upsampling::Nearest => InterpolateMode::Nearest,
        Upsampling::Linear => InterpolateMode::Bilinear,
    };
    InterpolateOptions::new(mode).with_align_corners(false)
}

pub(super) fn upsample<B: Backend>(input: FloatTensor<B>, how: Upsampling) -> FloatTensor<B> {
    let shape = input.shape();
    if is_flat::<B>(&input) {
        return B::interpolate(input, [2 * shape[2], 2 * shape[3]], interpolation(how));
    }
    let [_, _, planes, rows, columns] = shape.dims();
    let doubled = B::interpolate(B::float_reshape(input, as_rows(&shape)), [2 * rows, 2 * columns], interpolation(how));
    let between = of_rows(&shape, [2 * rows, 2 * columns]);
    let by_planes = B::float_reshape(doubled, as_planes(&between));
    let doubled = B::interpolate(by_planes, [2 * planes, 4 * rows * columns], interpolation(how));
    B::float_reshape(doubled, Shape::new([shape[0], shape[1], 2 * planes, 2 * rows, 2 * columns]))
}

pub(super) fn upsample_gradient<B: Backend>(
    input: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    how: Upsampling,
) -> FloatTensor<B> {
    let shape = input.shape();
    if is_flat::<B>(&input) {
        return B::interpolate_backward(input, output_gradient, [2 * shape[2], 2 * shape[3]], interpolation(how));
    }
    let [_, _, planes, rows, columns] = shape.dims();
    let between = of_rows(&shape, [2 * rows, 2 * columns]);
    // Only their shapes matter to the gradients.
    let by_planes = B::float_zeros(as_planes(&between), &input.device(), input.dtype().into());
    let doubled = Shape::new([shape[0], shape[1], 2 * planes, 4 * rows * columns]);
    let gradient = B::float_reshape(output_gradient, doubled);
    let size = [2 * planes, 4 * rows * columns];
    let gradient = B::interpolate_backward(by_planes, gradient, size, interpolation(how));
    let gradient = B::float_reshape(gradient, as_rows(&between));
    let by_rows = B::float_reshape(input, as_rows(&shape));
    B::float_reshape(B::interpolate_backward(by_rows, gradient, [2 * rows, 2 * columns], interpolation(how)), shape)
}

pub(super) fn part<B: Backend>(both: FloatTensor<B>, channels: usize) -> (FloatTensor<B>, FloatTensor<B>) {
    let total = both.shape()[1];
    let slice = |from: usize, to: usize| {
        let mut slices = vec![Slice::full(); both.shape().num_dims()];
        slices[1] = Slice::from(from..to);
        B::float_slice(both.clone(), &slices)
    };
    (slice(0, channels), slice(channels, total))
}

fn times<B: Backend>(tensor: FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    B::float_mul_scalar(tensor, Scalar::Float(factor))
}

pub(super) fn momentum_step<B: Backend>(
    weight: FloatTensor<B>,
    gradient: FloatTensor<B>,
    momentum: FloatTensor<B>,
    step: MomentumStep,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let slope = if step.weight_decay == 0.0 {
        gradient
    } else {
        B::float_add(gradient, times::<B>(weight.clone(), step.weight_decay))
    };
    let moved = B::float_add(times::<B>(momentum, step.momentum), slope.clone());
    let direction =
        if step.nesterov { B::float_add(slope, times::<B>(moved.clone(), step.momentum)) } else { moved.clone() };
    (B::float_sub(weight, times::<B>(direction, step.rate)), moved)
}

pub(super) fn adamw_step<B: Backend>(
    [weight, gradient, mean, square]: [FloatTensor<B>; 4],
    step: AdamWStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let AdamWFactors { keep, take, correction, decay } = step.factors();
    let squared = B::float_mul(gradient.clone(), gradient.clone());
    let mean = B::float_add(times::<B>(mean, keep[0]), times::<B>(gradient, take[0]));
    let square = B::float_add(times::<B>(square, keep[1]), times::<B>(squared, take[1]));
    let corrected = B::float_sqrt(B::float_div_scalar(square.clone(), Scalar::Float(correction[1])));
    let root = B::float_add_scalar(corrected, Scalar::Float(step.epsilon));
    let direction = B::float_div(B::float_div_scalar(mean.clone(), Scalar::Float(correction[0])), root);
    (B::float_sub(times::<B>(weight, decay), times::<B>(direction, step.rate)), mean, square)
}

pub(super) fn softmax_divergence<B: Backend>(
    student: FloatTensor<B>,
    teacher: FloatTensor<B>,
    factor: f64,
) -> FloatTensor<B> {
    let (student, teacher) = (log_softmax::<B>(student, factor), log_softmax::<B>(teacher, factor));
    let gap = B::float_sub(teacher.clone(), student);
    B::float_sum_dim(B::float_mul(B::float_exp(teacher), gap), 1)
}

pub(super) fn softmax_divergence_gradient<B: Backend>(
    student: FloatTensor<B>,
    teacher: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    factor: f64,
) -> FloatTensor<B> {
    let [student, teacher] = [student, teacher].map(|side| B::float_exp(log_softmax::<B>(side, factor)));
    B::float_mul(B::float_sub(student, teacher), times::<B>(output_gradient, factor))
}

/// Over axis 1, of logits that are multiplied by `factor` first.
fn log_softmax<B: Backend>(logits: FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    let logits = times::<B>(logits, factor);
    let below = B::float_sub(logits.clone(), B::float_max_dim(logits, 1));
    let sum = B::float_sum_dim(B::float_exp(below.clone()), 1);
    B::float_sub(below, B::float_log(sum))
}
