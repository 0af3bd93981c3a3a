//! Degradations against scikit-image and SciPy: `oracles/degrade/make.py`.

#![cfg(feature = "formats")]

use kd_data::degrade::ct::{Beam, Filter, Scan};
use kd_data::degrade::{Degradation, DegradeKey};
use kd_image::{Geometry, Image, Intensity};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("oracle/degrade.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn worst(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn scan(golden: &Value) -> Scan {
    let (side, angles) = (count(&golden["side"]), count(&golden["angles"]));
    Scan::with_detector([side, side], [1.0, 1.0], Beam::Parallel {}, angles, side, 1.0).unwrap()
}

#[test]
fn projections_are_those_of_radon() {
    let golden = golden();
    let found = scan(&golden).project(&numbers(&golden["slice"]));
    let expected = numbers(&golden["sinogram"]);
    let highest = expected.iter().copied().fold(0.0, f32::max);
    // scikit-image turns the slice and adds up columns: it interpolates along two axes where Joseph does along one, so
    // the peak of the narrower bump is lower by up to 1 %.
    let worst = worst(found.values(), &expected);
    assert!(worst < 0.012 * highest, "{worst} of {highest}");
    // Where no pixel is interpolated, at 0 and 90 degrees, both add up the same numbers.
    for number in [0, count(&golden["angles"]) / 2] {
        let side = count(&golden["side"]);
        let expected = &expected[number * side..(number + 1) * side];
        let found = found.projection(number);
        assert!(self::worst(found, expected) < 2e-3, "angle {number}");
    }
}

#[test]
fn reconstructions_are_those_of_iradon() {
    let golden = golden();
    let scan = scan(&golden);
    let side = count(&golden["side"]);
    // The slice's own projections, so that only filter and back-projection differ.
    let sinogram = scan.project(&numbers(&golden["slice"]));
    let mut values = numbers(&golden["sinogram"]).into_iter();
    let sinogram = sinogram.map(|_| values.next().unwrap());
    for (name, filter) in [("ramp", Filter::Ramp), ("hann", Filter::Hann), ("hamming", Filter::Hamming)] {
        let expected = numbers(&golden["reconstructed"][name]);
        let found = scan.reconstruct(&sinogram, filter);
        let mut worst = 0.0f32;
        for (n, (a, b)) in found.iter().zip(&expected).enumerate() {
            let from_middle = |n: usize| n as f64 - (side / 2) as f64;
            // scikit-image leaves out what lies beyond the circle.
            if from_middle(n / side).hypot(from_middle(n % side)) < (side / 2) as f64 - 0.5 {
                worst = worst.max((a - b).abs());
            }
        }
        // Four decimals of the file; NumPy's windows are not quite even about frequency 0, which weighs the ramp by up
        // to 2.5 % of a frequency step.
        let tolerance = if filter == Filter::Ramp { 2e-4 } else { 2e-3 };
        assert!(worst < tolerance, "{name}: {worst}");
    }
}

#[test]
fn downsampling_is_gaussian_filter_and_block_mean() {
    let golden = golden();
    let id = "a".parse().unwrap();
    for case in golden["downsampled"].as_array().unwrap() {
        let grid = Geometry::<2>::with_spacing([8, 12], [1.0, 2.0]).unwrap();
        let clean = Image::new(1, grid, Intensity::Arbitrary, numbers(&case["clean"])).unwrap();
        let factor = count(&case["factor"]);
        let degradation = Degradation::Downsample { factor, blur_sigma: case["blur_sigma"].as_f64().unwrap() };
        let coarse = degradation.apply(&clean, DegradeKey { seed: 0, sample: &id, view: 0 }).unwrap();
        // Four decimals in the file.
        assert!(worst(coarse.values(), &numbers(&case["coarse"])) < 1e-4, "{case}");
        assert_eq!(coarse.geometry().spacing_mm(), Some([factor as f64, 2.0 * factor as f64]));
    }
}

#[test]
fn noise_of_magnitudes_has_the_moments_of_rice() {
    let golden = golden();
    let id = "a".parse().unwrap();
    for case in golden["rician"].as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let grid = Geometry::<2>::without_spacing([200, 300]).unwrap();
        let clean = Image::new(1, grid, Intensity::Arbitrary, vec![number("value") as f32; 60_000]).unwrap();
        let degradation = Degradation::Rician { sigma: number("sigma") };
        let noisy = degradation.apply(&clean, DegradeKey { seed: 3, sample: &id, view: 1 }).unwrap();
        let values = || noisy.values().iter().map(|&value| f64::from(value));
        let mean = values().sum::<f64>() / 60_000.0;
        let std = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / 60_000.0).sqrt();
        // Four standard errors of 60,000 draws of sigma 12: 0.2 for the mean, 0.14 for the deviation.
        assert!((mean - number("mean")).abs() < 0.2, "{case}: mean {mean}");
        assert!((std - number("std")).abs() < 0.14, "{case}: std {std}");
    }
}
