//! Convolutions: random shapes, layers as networks have them, non-finite numbers, refusals.

use kd_kernels::{ConvShape, Isa, ShapeError, conv, conv_input_gradient, conv_weight_gradient};
use proptest::prelude::*;

use crate::{assert_close, assert_slope, dot, numbers, widened};

/// The definition, point by point, in `f64`.
fn plain(shape: &ConvShape, input: &[f64], weight: &[f64]) -> Vec<f64> {
    let output = shape.output().expect("a sound shape");
    let [deep, wide] = shape.channels.map(|channels| channels / shape.groups);
    let points = |sizes: [usize; 3]| {
        let [planes, rows, columns] = sizes;
        (0..planes * rows * columns).map(move |at| [at / (rows * columns), at / columns % rows, at % columns])
    };
    let mut sums = Vec::new();
    for sample in 0..shape.batch {
        for channel in 0..shape.channels[1] {
            for point in points(output) {
                let mut sum = 0.0;
                for inner in 0..deep {
                    for (tap, place) in points(shape.kernel).enumerate() {
                        let from: [Option<usize>; 3] = std::array::from_fn(|axis| {
                            let padded = point[axis] * shape.stride[axis] + place[axis] * shape.dilation[axis];
                            padded.checked_sub(shape.padding[axis][0]).filter(|&at| at < shape.input[axis])
                        });
                        let [Some(plane), Some(row), Some(column)] = from else { continue };
                        let source = sample * shape.channels[0] + channel / wide * deep + inner;
                        let [_, rows, columns] = shape.input;
                        let at = (source * shape.input[0] + plane) * rows * columns + row * columns + column;
                        let taps: usize = shape.kernel.iter().product();
                        sum += input[at] * weight[(channel * deep + inner) * taps + tap];
                    }
                }
                sums.push(sum);
            }
        }
    }
    sums
}

fn axis(most: usize) -> impl Strategy<Value = (usize, usize, usize, [usize; 2], usize)> {
    // Points, taps, stride, padding, dilation; half of all strides and dilations are 1, as in life.
    (1..=most, 1..=4usize, prop_oneof![Just(1), 1..=3usize], [0..=2usize, 0..=2usize], prop_oneof![Just(1), 1..=2usize])
}

fn shapes() -> impl Strategy<Value = ConvShape> {
    let channels = prop_oneof![
        3 => (1..=3usize, 1..=5usize, 1..=5usize),
        1 => (1..=2usize, 1..=40usize, 1..=40usize),
        1 => (1..=20usize, Just(1), Just(1)),
    ];
    (1..=9usize, channels, axis(9), axis(6), axis(40)).prop_filter_map(
        "a kernel within its input",
        |(batch, (groups, deep, wide), planes, rows, columns)| {
            let axes = [planes, rows, columns];
            let shape = ConvShape {
                batch,
                channels: [groups * deep, groups * wide],
                groups,
                input: axes.map(|axis| axis.0),
                kernel: axes.map(|axis| axis.1),
                stride: axes.map(|axis| axis.2),
                padding: axes.map(|axis| axis.3),
                dilation: axes.map(|axis| axis.4),
            };
            let work = shape.multiply_adds().ok()?;
            (work < 400_000).then_some(shape)
        },
    )
}

fn check(shape: &ConvShape, seed: u64) -> Result<(), TestCaseError> {
    let output: usize = shape.output().expect("a sound shape").iter().product();
    let taps: usize = shape.kernel.iter().product();
    let input = numbers(shape.batch * shape.channels[0] * shape.input.iter().product::<usize>(), seed);
    let weight = numbers(shape.channels[1] * shape.channels[0] / shape.groups * taps, seed + 1);
    let gradient = numbers(shape.batch * shape.channels[1] * output, seed + 2);
    let (wide_input, wide_weight, wide_gradient) = (widened(&input), widened(&weight), widened(&gradient));
    let expected = plain(shape, &wide_input, &wide_weight);
    for isa in Isa::available() {
        let name = isa.name();
        let found = conv(isa, shape, &input, &weight, None, false).expect("a sound shape");
        assert_close(&format!("output on {name}"), &found, &expected)?;
        let by_input = conv_input_gradient(isa, shape, &gradient, &weight).expect("a sound shape");
        let of_input = |input: &[f64]| dot(&plain(shape, input, &wide_weight), &wide_gradient);
        assert_slope(&format!("input on {name}"), &by_input, of_input, &wide_input, seed + 3)?;
        let by_weight = conv_weight_gradient(isa, shape, &input, &gradient).expect("a sound shape");
        let of_weight = |weight: &[f64]| dot(&plain(shape, &wide_input, weight), &wide_gradient);
        assert_slope(&format!("weight on {name}"), &by_weight, of_weight, &wide_weight, seed + 4)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_convolution_and_its_gradients_are_those_of_the_definition(shape in shapes(), seed in 0..1000u64) {
        check(&shape, seed)?;
    }

    #[test]
    fn bias_and_relu_come_after_the_sum(shape in shapes(), seed in 0..1000u64) {
        let output: usize = shape.output().expect("a sound shape").iter().product();
        let taps: usize = shape.kernel.iter().product();
        let input = numbers(shape.batch * shape.channels[0] * shape.input.iter().product::<usize>(), seed);
        let weight = numbers(shape.channels[1] * shape.channels[0] / shape.groups * taps, seed + 1);
        let bias = numbers(shape.channels[1], seed + 2);
        for isa in Isa::available() {
            let plain = conv(isa, &shape, &input, &weight, None, false).expect("a sound shape");
            let both = conv(isa, &shape, &input, &weight, Some(&bias), true).expect("a sound shape");
            let expected: Vec<f64> = plain
                .iter()
                .enumerate()
                .map(|(at, &sum)| f64::from(sum + bias[at / output % shape.channels[1]]).max(0.0))
                .collect();
            assert_close("bias and relu", &both, &expected)?;
        }
    }
}

/// The layouts that small and large maps take, each at its usual size.
#[test]
fn the_layers_of_real_networks_are_those_of_the_definition() {
    for (batch, channels, size) in
        [(2, [16, 24], 28), (9, [40, 24], 7), (17, [24, 16], 4), (3, [8, 8], 14), (33, [16, 8], 2)]
    {
        let shape = ConvShape::flat(batch, channels, 1, [size; 2], [3; 2], [1; 2], [[1; 2]; 2], [1; 2]);
        check(&shape, 7).expect("close");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let shape = ConvShape::flat(16, [24, 32], 1, [14; 2], [3; 2], [1; 2], [[1; 2]; 2], [1; 2]);
    let (input, weight, gradient) = (numbers(16 * 24 * 196, 1), numbers(32 * 24 * 9, 2), numbers(16 * 32 * 196, 3));
    let all = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let isa = Isa::best();
            let output = conv(isa, &shape, &input, &weight, None, false).expect("a sound shape");
            let by_input = conv_input_gradient(isa, &shape, &gradient, &weight).expect("a sound shape");
            let by_weight = conv_weight_gradient(isa, &shape, &input, &gradient).expect("a sound shape");
            [output, by_input, by_weight].map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        })
    };
    let alone = all(1);
    for threads in [2, 3, 7] {
        assert!(all(threads) == alone, "{threads} threads");
    }
}

#[test]
fn sets_with_fused_multiply_adds_agree_to_the_bit_on_the_forward_pass() {
    let shape = ConvShape::flat(4, [24, 32], 1, [14; 2], [3; 2], [1; 2], [[1; 2]; 2], [1; 2]);
    let (input, weight) = (numbers(4 * 24 * 196, 1), numbers(32 * 24 * 9, 2));
    let fused: Vec<Vec<f32>> = Isa::available()
        .into_iter()
        .filter(|&isa| isa != Isa::Plain)
        .map(|isa| conv(isa, &shape, &input, &weight, None, false).expect("a sound shape"))
        .collect();
    assert!(fused.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn infinities_and_nan_reach_the_outputs_that_read_them_and_no_others() {
    let shape = ConvShape::flat(1, [1, 1], 1, [1, 9], [1, 3], [1, 1], [[0, 0], [1, 1]], [1, 1]);
    for isa in Isa::available() {
        let mut input = vec![1.0; 9];
        input[0] = f32::INFINITY;
        input[8] = f32::NAN;
        let output = conv(isa, &shape, &input, &[1.0, 1.0, 1.0], None, false).expect("a sound shape");
        assert_eq!(output[..2], [f32::INFINITY; 2], "{}", isa.name());
        assert_eq!(output[2..7], [3.0; 5], "{}", isa.name());
        assert!(output[7].is_nan() && output[8].is_nan(), "{}", isa.name());
        // A weight's gradient reads every point once: what lies between two rows is no point.
        let flat = ConvShape::flat(1, [1, 1], 1, [2, 2], [1, 3], [1, 1], [[0, 0], [1, 1]], [1, 1]);
        let gradient =
            conv_weight_gradient(isa, &flat, &[f32::INFINITY, 1.0, 1.0, 1.0], &[1.0; 4]).expect("a sound shape");
        assert_eq!(gradient, [f32::INFINITY, f32::INFINITY, 2.0], "{}", isa.name());
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused_before_any_arithmetic() {
    let sound = ConvShape::flat(1, [2, 4], 2, [5, 5], [3, 3], [1, 1], [[1, 1], [1, 1]], [1, 1]);
    let refused = |shape: ConvShape| shape.output().expect_err("an unsound shape").to_string();
    assert!(refused(ConvShape { batch: 0, ..sound }).contains("batch size 0"));
    assert!(refused(ConvShape { groups: 3, ..sound }).contains("3 groups"));
    assert!(refused(ConvShape { stride: [1, 1, 0], ..sound }).contains("stride 0"));
    assert!(refused(ConvShape { input: [1, 1, 1], padding: [[0; 2]; 3], ..sound }).contains("expected at most 1"));
    assert!(refused(ConvShape { input: [1 << 20, 1, 1 << 20], ..sound }).contains("more numbers"));
    assert!(refused(ConvShape { input: [usize::MAX; 3], ..sound }).contains("more numbers"));
    let short = conv(Isa::best(), &sound, &[0.0; 3], &[0.0; 36], None, false);
    assert_eq!(short, Err(ShapeError::Length { what: "input", expected: 50, found: 3 }));
}
