//! Single operators, timed as a share of the machine's peak of fused multiply-adds.

use std::time::{Duration, Instant};

use kd_kernels::{ConvShape, Isa, conv, conv_input_gradient, conv_weight_gradient, peak_gflops};

use crate::numbers;

/// One convolution, and the share of peak that its three operators are to reach.
pub struct Bar {
    /// `samples,channels,size`.
    pub name: &'static str,
    /// The sizes.
    pub shape: ConvShape,
    /// The share asked for; `None` where none was set.
    pub share: Option<f64>,
}

/// What was measured, in GFLOP/s: the peak beside it, forward, input gradient, weight gradient.
pub struct Measured {
    /// Fused multiply-adds on all threads, measured just before.
    pub peak: f64,
    /// The convolution.
    pub forward: f64,
    /// The gradient by its input.
    pub input_gradient: f64,
    /// The gradient by its weight.
    pub weight_gradient: f64,
}

fn square(batch: usize, channels: [usize; 2], size: usize, kernel: usize, stride: usize, groups: usize) -> ConvShape {
    let half = kernel / 2;
    ConvShape::flat(batch, channels, groups, [size; 2], [kernel; 2], [stride; 2], [[half; 2]; 2], [1; 2])
}

fn volume(batch: usize, channels: usize, input: [usize; 3]) -> ConvShape {
    ConvShape {
        batch,
        channels: [channels; 2],
        groups: 1,
        input,
        kernel: [3; 3],
        stride: [1; 3],
        padding: [[1; 2]; 3],
        dilation: [1; 3],
    }
}

/// The convolutions of the record: those with a bar, then others that the networks are made of.
#[must_use]
pub fn bars() -> Vec<Bar> {
    let bar = |name, shape, share| Bar { name, shape, share: Some(share) };
    let other = |name, shape| Bar { name, shape, share: None };
    vec![
        bar("8,32,64²", square(8, [32, 32], 64, 3, 1, 1), 0.7),
        bar("8,64,32²", square(8, [64, 64], 32, 3, 1, 1), 0.7),
        bar("64,64,28²", square(64, [64, 64], 28, 3, 1, 1), 0.7),
        bar("64,128,14²", square(64, [128, 128], 14, 3, 1, 1), 0.7),
        bar("64,256,7²", square(64, [256, 256], 7, 3, 1, 1), 0.5),
        bar("64,512,4²", square(64, [512, 512], 4, 3, 1, 1), 0.5),
        bar("2,32,16×24×16", volume(2, 32, [16, 24, 16]), 0.6),
        other("8,16,128²", square(8, [16, 16], 128, 3, 1, 1)),
        other("2,16,32×48×32", volume(2, 16, [32, 48, 32])),
        other("16,64,64²", square(16, [64, 64], 64, 3, 1, 1)),
        other("64,8,28²", square(64, [8, 8], 28, 3, 1, 1)),
        other("64,1→64,28²", square(64, [1, 64], 28, 3, 1, 1)),
        other("64,64→128,28² stride 2", square(64, [64, 128], 28, 3, 2, 1)),
        other("64,64→128,28² 1×1", square(64, [64, 128], 28, 1, 1, 1)),
        other("64,512→512,4² 1×1", square(64, [512, 512], 4, 1, 1, 1)),
        other("64,64→128,28² 1×1 stride 2", square(64, [64, 128], 28, 1, 2, 1)),
        other("64,64,28² depthwise", square(64, [64, 64], 28, 3, 1, 64)),
        other("64,512,4² depthwise", square(64, [512, 512], 4, 3, 1, 512)),
    ]
}

/// Seconds of the fastest call within a time.
fn fastest(limit: Duration, mut call: impl FnMut() -> usize) -> f64 {
    let begun = Instant::now();
    let mut best = f64::INFINITY;
    while begun.elapsed() < limit {
        let at = Instant::now();
        assert!(call() > 0, "a result");
        best = best.min(at.elapsed().as_secs_f64());
    }
    best
}

/// Times the three operators of one convolution.
///
/// # Panics
/// For sizes that make no convolution.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "operations are counted as f64")]
pub fn measure(shape: &ConvShape, limit: Duration) -> Measured {
    let isa = Isa::best();
    let output: usize = shape.output().expect("a sound shape").iter().product();
    let input = numbers(shape.batch * shape.channels[0] * shape.input.iter().product::<usize>(), 1);
    let weight =
        numbers(shape.channels[1] * shape.channels[0] / shape.groups * shape.kernel.iter().product::<usize>(), 2);
    let gradient = numbers(shape.batch * shape.channels[1] * output, 3);
    let operations = 2e-9 * shape.multiply_adds().expect("a sound shape") as f64;
    Measured {
        peak: peak_gflops(isa, std::thread::available_parallelism().map_or(1, usize::from)),
        forward: operations
            / fastest(limit, || conv(isa, shape, &input, &weight, None, false).expect("a sound shape").len()),
        input_gradient: operations
            / fastest(limit, || conv_input_gradient(isa, shape, &gradient, &weight).expect("a sound shape").len()),
        weight_gradient: operations
            / fastest(limit, || conv_weight_gradient(isa, shape, &input, &gradient).expect("a sound shape").len()),
    }
}
