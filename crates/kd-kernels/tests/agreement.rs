//! The operators through Burn: own and stock ones agree in outputs and gradients, other number types and plain devices go
//! on working. One process-wide choice, so one test takes its turns.

use std::sync::{Mutex, PoisonError};

use burn::backend::Dispatch;
use burn::module::Module;
use burn::nn::conv::{Conv2dConfig, Conv3dConfig};
use burn::nn::{BatchNormConfig, PaddingConfig2d, PaddingConfig3d};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor, TensorData};
use kd_kernels::extension::{KernelOps, NormOptions, Window};
use kd_kernels::nn::{
    BatchNorm, Conv, ConvConfig, InstanceNorm, adamw_step, add_relu, concatenate, conv_norm, max_pool, momentum_step,
    upsample,
};
use kd_kernels::{Activation, AdamWStep, Kernels, MomentumStep, Statistics, Upsampling};

/// The choice of operators is one for the process: who depends on it takes his turn.
static TURN: Mutex<()> = Mutex::new(());

fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            #[expect(clippy::cast_precision_loss, reason = "24 random bits fit an f32")]
            let unit = (state >> 40) as f32 / 8_388_608.0;
            unit - 1.0
        })
        .collect()
}

fn tensor<const RANK: usize>(shape: [usize; RANK], seed: u64, device: &Device) -> Tensor<RANK> {
    Tensor::from_data(TensorData::new(numbers(shape.iter().product(), seed), shape), device)
}

fn values<const RANK: usize>(tensor: Tensor<RANK>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec::<f32>().expect("f32")
}

/// Output, and gradients by input and by `others`, of a weighted sum of a function's output.
fn traced<const RANK: usize>(
    input: [usize; RANK],
    others: &[Vec<usize>],
    function: impl Fn(Tensor<RANK>, &[Tensor<1>]) -> Tensor<RANK>,
) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let input = tensor(input, 1, &device).require_grad();
    let others: Vec<Tensor<1>> = others
        .iter()
        .enumerate()
        .map(|(index, shape)| tensor([shape.iter().product()], 10 + index as u64, &device).require_grad())
        .collect();
    let output = function(input.clone(), &others);
    let weights = tensor(output.dims(), 99, &device);
    let gradients = (output.clone() * weights).sum().backward();
    let mut all = vec![values(output), values(input.grad(&gradients).expect("a gradient"))];
    all.extend(others.iter().map(|other| values(other.grad(&gradients).expect("a gradient"))));
    all
}

/// `f32` sums of some thousand products, in another order.
const TOLERANCE: f32 = 2e-4;

fn assert_agreement(what: &str, run: impl Fn() -> Vec<Vec<f32>>) {
    Kernels::Own.choose();
    let own = run();
    Kernels::Stock.choose();
    let stock = run();
    Kernels::Own.choose();
    for (part, (own, stock)) in own.iter().zip(&stock).enumerate() {
        assert_eq!(own.len(), stock.len(), "{what}, part {part}");
        for (at, (own, stock)) in own.iter().zip(stock).enumerate() {
            assert!(
                (own - stock).abs() <= TOLERANCE * (1.0 + stock.abs()),
                "{what}, part {part}[{at}]: {own}, {stock}"
            );
        }
    }
}

fn conv_of<const RANK: usize>(layer: Conv<RANK>, weight: Tensor<1>, bias: Option<Tensor<1>>) -> Conv<RANK> {
    let shape = layer.weight.dims();
    Conv {
        weight: layer.weight.map(|_| weight.reshape(shape)),
        bias: layer.bias.map(|old| old.map(|_| bias.expect("a bias"))),
        ..layer
    }
}

#[test]
fn own_and_stock_operators_agree_in_outputs_and_gradients() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex().autodiff();
    for (channels, kernel, stride, groups, bias) in
        [([3, 5], 3, 1, 1, true), ([4, 8], 3, 2, 2, false), ([6, 6], 3, 1, 6, true), ([5, 7], 1, 2, 1, false)]
    {
        let config = ConvConfig::<2> { stride: [stride; 2], groups, bias, ..ConvConfig::same(channels, kernel) };
        let mut others = vec![vec![channels[1], channels[0] / groups, kernel, kernel]];
        others.extend(bias.then(|| vec![channels[1]]));
        assert_agreement(&format!("{config:?}"), || {
            traced([3, channels[0], 9, 7], &others, |input, others| {
                let layer = conv_of(config.init(&device), others[0].clone(), others.get(1).cloned());
                layer.forward(input)
            })
        });
    }
    let config = ConvConfig::<3> { bias: true, ..ConvConfig::same([3, 4], 3) };
    assert_agreement("3D", || {
        traced([2, 3, 4, 5, 6], &[vec![4, 3, 3, 3, 3], vec![4]], |input, others| {
            conv_of(config.init(&device), others[0].clone(), Some(others[1].clone())).forward_relu(input)
        })
    });
    for statistics in [Statistics::Batch, Statistics::Groups(2), Statistics::Groups(4)] {
        for activation in [Activation::None, Activation::Relu, Activation::LeakyRelu(0.1)] {
            let options = NormOptions { statistics, epsilon: 1e-3, activation };
            assert_agreement(&format!("{options:?}"), || {
                traced([3, 4, 5, 6], &[vec![4], vec![4]], |input, others| {
                    let [gamma, beta] = [&others[0], &others[1]].map(|other| other.clone().into_dispatch());
                    let (output, ..) = <Dispatch as KernelOps>::normalise(input.into_dispatch(), gamma, beta, options);
                    Tensor::from_dispatch(output)
                })
            });
        }
    }
    let halves = Window { kernel: [2; 3], stride: [2; 3], padding: [0; 3] };
    let thirds = Window { kernel: [3; 3], stride: [2; 3], padding: [1; 3] };
    for window in [halves, thirds] {
        assert_agreement("pooling", || traced([2, 3, 6, 8], &[], |input, _| max_pool(input, window)));
        assert_agreement("3D pooling", || traced([2, 3, 4, 6, 8], &[], |input, _| max_pool(input, window)));
    }
    for how in [Upsampling::Nearest, Upsampling::Linear] {
        assert_agreement("upsampling", || traced([2, 3, 3, 4], &[], |input, _| upsample(input, how)));
        assert_agreement("3D upsampling", || traced([2, 3, 2, 3, 4], &[], |input, _| upsample(input, how)));
    }
    let other = |others: &[Tensor<1>]| others[0].clone().reshape([2, 3, 4, 5]);
    let shape = [vec![2, 3, 4, 5]];
    assert_agreement("sum", || traced([2, 3, 4, 5], &shape, |input, others| add_relu(input, other(others))));
    assert_agreement("concatenation", || {
        traced([2, 1, 4, 5], &shape, |input, others| concatenate(input, other(others)))
    });
}

#[test]
fn optimiser_steps_are_those_of_the_stock_operators_to_the_bit() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex();
    // More than one piece, and a rest.
    let [weight, gradient, first] = [1, 2, 3].map(|seed| tensor([40_007], seed, &device));
    let second = tensor::<1>([40_007], 4, &device).abs();
    let run = |kernels: Kernels| {
        kernels.choose();
        let mut all = Vec::new();
        for (weight_decay, nesterov) in [(0.0, false), (0.01, true)] {
            let step = MomentumStep { rate: 0.1, momentum: 0.9, weight_decay, nesterov };
            all.extend(momentum_step(weight.clone(), gradient.clone(), first.clone(), step).map(values));
        }
        let step = AdamWStep { rate: 0.01, betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.05, step: 3 };
        all.extend(adamw_step(weight.clone(), gradient.clone(), [first.clone(), second.clone()], step).map(values));
        all
    };
    let (own, stock) = (run(Kernels::Own), run(Kernels::Stock));
    Kernels::Own.choose();
    assert_eq!(own.len(), 7);
    assert!(own == stock);
}

#[test]
fn layers_are_burns_own_in_names_and_numbers() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex().autodiff();
    let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
    let theirs = Conv2dConfig::new([3, 4], [3, 3]).with_padding(padding).init(&device);
    let ours = ConvConfig::<2> { bias: true, ..ConvConfig::same([3, 4], 3) }.init(&device);
    let ours = ours.load_record(theirs.clone().into_record());
    let input = tensor([2, 3, 6, 5], 3, &device);
    let close = |left: Vec<f32>, right: Vec<f32>| {
        assert!(left.iter().zip(&right).all(|(left, right)| (left - right).abs() < 1e-5), "{left:?}\n{right:?}");
    };
    close(values(ours.forward(input.clone())), values(theirs.forward(input.clone())));

    let padding = PaddingConfig3d::Explicit(1, 1, 1);
    let theirs_3d = Conv3dConfig::new([2, 3], [3, 3, 3]).with_padding(padding).init(&device);
    let ours_3d = ConvConfig::<3> { bias: true, ..ConvConfig::same([2, 3], 3) }.init(&device);
    let ours_3d = ours_3d.load_record(theirs_3d.clone().into_record());
    let volume = tensor([1, 2, 4, 5, 6], 4, &device);
    close(values(ours_3d.forward(volume.clone())), values(theirs_3d.forward(volume)));

    let theirs_norm = BatchNormConfig::new(4).init(&device);
    let ours_norm = BatchNorm::init(4, &device);
    let features = theirs.forward(input.clone());
    // Two steps, so that the running statistics count too.
    for _ in 0..2 {
        close(values(ours_norm.forward(features.clone())), values(theirs_norm.forward(features.clone())));
    }
    let [ours_running, theirs_running] =
        [&ours_norm.running_var, &theirs_norm.running_var].map(|running| values(running.value_sync()));
    close(ours_running, theirs_running);

    // Folded into the convolution, on the plain device.
    let (plain, plain_input) = (Device::flex(), input.inner());
    let (ours, ours_norm) = (ours.valid(), ours_norm.valid());
    let expected = relu(theirs_norm.valid().forward(theirs.valid().forward(plain_input.clone())));
    close(values(conv_norm(&ours, &ours_norm, plain_input, Activation::Relu)), values(expected));
    assert!(!plain.is_autodiff());
}

#[test]
fn other_number_types_go_to_the_stock_operators() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex();
    let input = tensor([1, 2, 4, 4], 1, &device);
    let layer = ConvConfig::<2>::same([2, 3], 3).init(&device);
    let expected = values(layer.forward(input.clone()));
    let double = Conv { weight: layer.weight.map(|weight| weight.cast(DType::F64)), ..layer };
    let output = double.forward(input.cast(DType::F64));
    assert_eq!(output.dtype(), DType::F64);
    assert!(values(output).iter().zip(expected).all(|(left, right)| (left - right).abs() < 1e-5));
}

#[test]
fn strided_tensors_and_constants_mixed_with_tracked_ones_work() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex().autodiff();
    let norm = InstanceNorm::init(3, &device);
    let turned = tensor([2, 3, 5, 4], 1, &device).swap_dims(2, 3);
    let straight = Tensor::<4>::from_data(turned.to_data(), &device);
    let output = |input| values(norm.forward_with(input, Activation::Relu));
    assert_eq!(output(turned), output(straight));

    let weight = tensor([4, 3, 3, 3], 2, &device).require_grad();
    let config = ConvConfig::<2>::same([3, 4], 3).init(&device);
    let layer = Conv { weight: config.weight.map(|_| weight.clone()), ..config };
    let constant = Tensor::from_inner(tensor([2, 3, 5, 4], 1, &Device::flex()));
    let gradients = layer.forward(constant).sum().backward();
    assert!(weight.grad(&gradients).is_some());
}

#[test]
#[should_panic(expected = "has 2 channels, expected 3")]
fn a_convolution_refuses_other_channels() {
    let device = Device::flex();
    let _ = ConvConfig::<2>::same([3, 4], 3).init(&device).forward(Tensor::zeros([1, 2, 5, 5], &device));
}
