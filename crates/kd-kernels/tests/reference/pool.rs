//! Pooling: random windows with ties, NaN, refusals.

use kd_kernels::{Isa, PoolError, PoolShape, max_pool, max_pool_gradient};
use proptest::prelude::*;

use crate::numbers;

/// Windows of the definition: the input points of each output point, in order.
fn windows(shape: &PoolShape) -> Vec<Vec<usize>> {
    let output = shape.output().expect("a sound shape");
    let [_, rows, columns] = shape.input;
    let mut windows = Vec::new();
    for plane in 0..output[0] {
        for row in 0..output[1] {
            for column in 0..output[2] {
                let range = |axis: usize, at: usize| {
                    (0..shape.kernel[axis])
                        .filter_map(move |tap| (at * shape.stride[axis] + tap).checked_sub(shape.padding[axis]))
                        .filter(move |&at| at < shape.input[axis])
                };
                let points = range(0, plane).flat_map(|plane| {
                    range(1, row).flat_map(move |row| range(2, column).map(move |column| [plane, row, column]))
                });
                windows.push(points.map(|[p, r, c]| (p * rows + r) * columns + c).collect());
            }
        }
    }
    windows
}

fn shapes() -> impl Strategy<Value = PoolShape> {
    let axis = || (1..=9usize, 1..=3usize, 1..=3usize, 0..=1usize);
    let any = (1..=3usize, axis(), axis(), axis()).prop_map(|(maps, planes, rows, columns)| {
        let axes = [planes, rows, columns];
        PoolShape {
            maps,
            input: axes.map(|axis| axis.0),
            kernel: axes.map(|axis| axis.1),
            stride: axes.map(|axis| axis.2),
            padding: axes.map(|axis| axis.3),
        }
    });
    let halves = (1..=3usize, [2..=9usize, 2..=9usize, 2..=40usize]).prop_map(|(maps, input)| PoolShape {
        maps,
        input,
        kernel: [2; 3],
        stride: [2; 3],
        padding: [0; 3],
    });
    prop_oneof![any, halves].prop_filter("a window within its input", |shape| shape.output().is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_pooling_and_its_gradient_are_those_of_the_definition(shape in shapes(), seed in 0..1000u64) {
        // Few different numbers, so that windows have ties.
        let points: usize = shape.input.iter().product();
        let input: Vec<f32> = numbers(shape.maps * points, seed).iter().map(|value| (value * 4.0).round()).collect();
        let windows = windows(&shape);
        let gradients = numbers(shape.maps * windows.len(), seed + 1);
        let mut output = Vec::new();
        let mut gradient = vec![0.0f32; input.len()];
        for map in 0..shape.maps {
            for (window, points_of) in windows.iter().enumerate() {
                let value = |at: usize| input[map * points + at];
                let largest = points_of.iter().map(|&at| value(at)).fold(f32::NEG_INFINITY, f32::max);
                let first = points_of.iter().find(|&&at| value(at).total_cmp(&largest).is_eq()).expect("a point");
                output.push(largest);
                gradient[map * points + first] += gradients[map * windows.len() + window];
            }
        }
        for isa in Isa::available() {
            prop_assert_eq!(&max_pool(isa, &shape, &input).expect("a sound shape"), &output);
            prop_assert_eq!(&max_pool_gradient(isa, &shape, &input, &gradients).expect("a sound shape"), &gradient);
        }
    }
}

#[test]
fn nan_is_larger_than_everything() {
    let shape = PoolShape { maps: 1, input: [1, 2, 4], kernel: [1, 2, 2], stride: [1, 2, 2], padding: [0; 3] };
    let input = [1.0, f32::NAN, 2.0, 3.0, f32::INFINITY, 0.0, 0.0, 9.0];
    for isa in Isa::available() {
        let output = max_pool(isa, &shape, &input).expect("a sound shape");
        assert!(output[0].is_nan() && output[1].total_cmp(&9.0).is_eq(), "{output:?}");
        let gradient = max_pool_gradient(isa, &shape, &input, &[5.0, 7.0]).expect("a sound shape");
        assert_eq!(gradient, [0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0]);
    }
}

#[test]
fn windows_that_do_not_fit_are_refused() {
    let sound = PoolShape { maps: 1, input: [1, 4, 4], kernel: [1, 2, 2], stride: [1, 2, 2], padding: [0; 3] };
    let refused = |shape: PoolShape| shape.output().expect_err("an unsound shape");
    assert_eq!(refused(PoolShape { kernel: [1, 5, 2], ..sound }), PoolError::Reach { axis: 1, kernel: 5, padded: 4 });
    assert!(matches!(refused(PoolShape { padding: [0, 0, 2], ..sound }), PoolError::Padding { axis: 2, .. }));
    assert!(matches!(refused(PoolShape { stride: [0, 1, 1], ..sound }), PoolError::Zero { .. }));
    assert_eq!(refused(PoolShape { maps: usize::MAX, ..sound }), PoolError::TooLarge);
    let found = max_pool(Isa::best(), &sound, &[0.0; 3]);
    assert_eq!(found, Err(PoolError::Length { what: "input", expected: 16, found: 3 }));
}
