//! Upsampling: random sizes, the transpose, refusals.

use kd_kernels::{UpsampleError, Upsampling, upsample, upsample_gradient};
use proptest::prelude::*;

use crate::{assert_close, dot, numbers, widened};

/// The definition: position `(2 · at + 1) / 4 - 1/2` between centres, edges repeated.
fn plain(how: Upsampling, maps: usize, sizes: &[usize], input: &[f64]) -> Vec<f64> {
    let points: usize = sizes.iter().product();
    let doubled: Vec<usize> = sizes.iter().map(|size| 2 * size).collect();
    let many: usize = doubled.iter().product();
    let mut output = Vec::new();
    for map in 0..maps {
        for index in 0..many {
            let mut rest = index;
            let mut at = vec![0; sizes.len()];
            for axis in (0..sizes.len()).rev() {
                at[axis] = rest % doubled[axis];
                rest /= doubled[axis];
            }
            // Each corner of the cell around the position, with its share.
            let mut sum = 0.0;
            for corner in 0..1usize << sizes.len() {
                let (mut place, mut share) = (0, 1.0);
                for (axis, &size) in sizes.iter().enumerate() {
                    let far = corner >> axis & 1 == 1;
                    let here = at[axis] / 2;
                    let other =
                        if at[axis].is_multiple_of(2) { here.saturating_sub(1) } else { (here + 1).min(size - 1) };
                    place = place * size + if far { other } else { here };
                    share *= match (how, far) {
                        (Upsampling::Nearest, far) => f64::from(u8::from(!far)),
                        (Upsampling::Linear, false) => 0.75,
                        (Upsampling::Linear, true) => 0.25,
                    };
                }
                sum += share * input[map * points + place];
            }
            output.push(sum);
        }
    }
    output
}

proptest! {
    #[test]
    fn any_upsampling_and_its_gradient_are_those_of_the_definition(
        maps in 1..=3usize, sizes in prop::collection::vec(1..=7usize, 1..=3), linear: bool, seed in 0..1000u64,
    ) {
        let how = if linear { Upsampling::Linear } else { Upsampling::Nearest };
        let points: usize = sizes.iter().product();
        let input = numbers(maps * points, seed);
        let output = upsample(how, maps, &sizes, &input).expect("a sound shape");
        assert_close("output", &output, &plain(how, maps, &sizes, &widened(&input)))?;
        // The operator is linear: its gradient is its transpose.
        let gradient = numbers(output.len(), seed + 1);
        let back = upsample_gradient(how, maps, &sizes, &gradient).expect("a sound shape");
        let (left, right) = (dot(&widened(&output), &widened(&gradient)), dot(&widened(&input), &widened(&back)));
        prop_assert!((left - right).abs() < 1e-4 * (1.0 + left.abs()) * 10.0, "{left} and {right}");
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let zero = upsample(Upsampling::Nearest, 1, &[2, 0], &[]);
    assert_eq!(zero, Err(UpsampleError::Zero { maps: 1, sizes: vec![2, 0] }));
    let short = upsample_gradient(Upsampling::Nearest, 1, &[2], &[1.0]);
    assert_eq!(short, Err(UpsampleError::Length { what: "output gradient", expected: 4, found: 1 }));
    assert!(upsample(Upsampling::Nearest, usize::MAX, &[2], &[1.0]).is_err());
}
