//! A whole training run on own and on stock operators: the same curve.

use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use kd_classify::{Architecture, NetworkDesign, Stem};
use kd_core::{Network, initialize};
use kd_kernels::Kernels;

const STEPS: u16 = 60;
const BATCH: usize = 16;
const SIZE: usize = 14;

/// Rounding differs from the first step on; 1.2e-7 was measured. Deep thin networks at high rates are no measure: there
/// any rounding grows until the curves part, with whichever operators.
const TOLERANCE: f32 = 1e-5;

/// Images with a bright left or right half under noise, and which half it is.
fn batch(step: u16, device: &Device) -> (Tensor<4>, Tensor<2>) {
    let mut state = u64::from(step) * 2 + 1;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        #[expect(clippy::cast_precision_loss, reason = "24 random bits fit an f32")]
        let unit = (state >> 40) as f32 / 16_777_216.0;
        2.0 * unit - 1.0
    };
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for sample in 0..BATCH {
        let left = sample % 2 == 0;
        pixels.extend((0..SIZE * SIZE).map(|at| noise() + if (at % SIZE < SIZE / 2) == left { 0.4 } else { 0.0 }));
        classes.extend(if left { [1.0f32, 0.0] } else { [0.0, 1.0] });
    }
    let images = Tensor::from_data(TensorData::new(pixels, [BATCH, 1, SIZE, SIZE]), device);
    (images, Tensor::from_data(TensorData::new(classes, [BATCH, 2]), device))
}

fn curve(architecture: Architecture, kernels: Kernels) -> Vec<f32> {
    kernels.choose();
    let device = Device::flex().autodiff();
    let mut design = NetworkDesign::new(architecture, Stem::Small);
    design.blocks = Some(vec![1, 1, 1]);
    match architecture {
        Architecture::Mobile => design.multiplier = Some(0.25),
        _ => design.width = Some(8),
    }
    let mut network = initialize(design.spec(1, 2).expect("a sound design").init(&device), 0);
    let mut optimizer = SgdConfig::new().init();
    let losses = (0..STEPS).map(|step| {
        let (images, classes) = batch(step, &device);
        let answers = log_softmax(Network::<4, 2>::forward(&network, images), 1);
        let loss = (answers * classes).sum_dim(1).mean().neg();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(0.05, network.clone(), gradients);
        loss.into_scalar::<f32>()
    });
    losses.collect()
}

#[test]
fn own_and_stock_operators_train_along_the_same_curve() {
    for architecture in [Architecture::ThinResNet, Architecture::Mobile] {
        let (own, stock) = (curve(architecture, Kernels::Own), curve(architecture, Kernels::Stock));
        for (step, (own, stock)) in own.iter().zip(&stock).enumerate() {
            assert!((own - stock).abs() <= TOLERANCE * (1.0 + stock), "{architecture:?}, step {step}: {own}, {stock}");
        }
        // The curve goes somewhere, so that there is something to agree on.
        let (first, last) = (own[0], own[own.len() - 5..].iter().sum::<f32>() / 5.0);
        assert!(last < 0.9 * first, "{architecture:?}: {first} to {last}");
    }
}
