//! Enhancement metrics against scikit-image and direct f64 versions of the published definitions.

mod golden;

use golden::{close, document, labels, number, numbers};
use kd_metrics::*;
use serde_json::Value;

/// What the enhancement issue asks for against scikit-image, which sums about zero and not about the mean.
const SKIMAGE: f64 = 1e-10;

/// Same formula in f64 on both sides: only the order of sums differs.
const EXACT: f64 = 1e-12;

/// Two digits a point.
fn bytes(value: &Value) -> Vec<f64> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| f64::from(u8::from_str_radix(&text[at..at + 2], 16).unwrap())).collect()
}

fn mask(value: &Value) -> Vec<bool> {
    value.as_str().unwrap().bytes().map(|digit| digit == b'1').collect()
}

/// Hands the images of a case on as a pair.
fn with_pair(case: &Value, read: fn(&Value) -> Vec<f64>, check: impl FnOnce(&ImagePair<'_>)) {
    let (prediction, truth) = (read(&case["prediction"]), read(&case["truth"]));
    let shape = labels(&case["shape"]);
    let pair = match shape[..] {
        [depth, height, width] => ImagePair::volume([depth, height, width], &prediction, &truth),
        [height, width] => ImagePair::plane([height, width], &prediction, &truth),
        _ => panic!("neither plane nor volume"),
    };
    check(&pair.unwrap());
}

fn check_ssim(pair: &ImagePair<'_>, range: f64, expected: &Value) {
    close(ssim(pair, range, SsimVariant::Skimage).unwrap(), &expected["skimage"], SKIMAGE);
    match expected["reference"].is_number() {
        true => close(ssim(pair, range, SsimVariant::Reference).unwrap(), &expected["reference"], SKIMAGE),
        false => assert!(matches!(ssim(pair, range, SsimVariant::Reference), Err(Undefined::NotEnough { .. }))),
    }
}

#[test]
fn errors_and_similarity_agree_with_scikit_image() {
    let document = document("enhance");
    let cases = document["pairs"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        with_pair(case, numbers, |pair| {
            let range = number(&case["range"]);
            close(psnr(pair, range).unwrap(), &case["psnr"], SKIMAGE);
            // Squares of some hundred HU: relative to the number itself.
            close(mean_squared_error(pair).unwrap(), &case["mse"], 1e-13 * number(&case["mse"]).max(1.0));
            close(root_mean_squared_error(pair).unwrap(), &case["rmse"], 1e-11);
            close(mean_absolute_error(pair).unwrap(), &case["mae"], 1e-11);
            check_ssim(pair, range, &case["ssim"]);
            close(edge_preservation(pair).unwrap(), &case["edges"], EXACT);
        });
    }
}

#[test]
fn multi_scale_and_information_agree_with_their_papers() {
    let document = document("enhance");
    for case in document["large"].as_array().unwrap() {
        with_pair(case, bytes, |pair| {
            for point in case["ms_ssim"].as_array().unwrap() {
                close(ms_ssim(pair, number(&point[0])).unwrap(), &point[1], EXACT);
            }
            for point in case["vif"].as_array().unwrap() {
                // Thousands of logarithms are summed in another order.
                close(vif(pair, number(&point[0])).unwrap(), &point[1], 1e-10);
            }
            check_ssim(pair, 255.0, &case["ssim"]);
        });
    }
    let case = &document["stack"];
    with_pair(case, bytes, |pair| close(vif(pair, number(&case["range"])).unwrap(), &case["vif"], 1e-10));
}

#[test]
fn region_measures_agree_with_numpy() {
    let case = &document("enhance")["regions"];
    let regions = [mask(&case["target"]), mask(&case["background"])];
    with_pair(case, numbers, |pair| {
        for (region, expected) in regions.iter().zip(case["bias"].as_array().unwrap()) {
            close(region_bias(pair, region).unwrap(), expected, EXACT);
        }
        for (region, expected) in regions.iter().zip(case["noise"].as_array().unwrap()) {
            close(region_noise(pair, region).unwrap(), expected, EXACT);
        }
        for (image, expected) in
            [pair.prediction(), pair.truth()].into_iter().zip(case["contrast_to_noise"].as_array().unwrap())
        {
            close(contrast_to_noise(image, &regions[0], &regions[1]).unwrap(), expected, EXACT);
        }
    });
}

#[test]
fn noise_power_agrees_with_a_fast_fourier_transform() {
    let case = &document("enhance")["noise"];
    let shape: [usize; 3] = labels(&case["shape"]).try_into().unwrap();
    let grid = Grid::volume(shape, numbers(&case["spacing_mm"]).try_into().unwrap()).unwrap();
    let image = numbers(&case["image"]);
    for case in case["cases"].as_array().unwrap() {
        let size: [usize; 3] = labels(&case["size"]).try_into().unwrap();
        let region = |start: &Value| NoiseRegion { start: labels(start).try_into().unwrap(), size };
        let regions: Vec<NoiseRegion> = case["starts"].as_array().unwrap().iter().map(region).collect();
        let detrend = if case["detrend"] == "plane" { Detrend::Plane } else { Detrend::Mean };
        let found = noise_power(&image, &grid, &regions, detrend).unwrap();
        // Powers of some hundred HU² mm² from sums of many terms of both signs.
        close(found.variance(), &case["variance"], 1e-9);
        close(found.mean_frequency_per_mm().unwrap(), &case["mean_frequency"], EXACT);
        let bins = case["bins"].as_array().unwrap();
        assert_eq!(found.bins().len(), bins.len());
        for (bin, expected) in found.bins().iter().zip(bins) {
            close(bin.frequency_per_mm, &expected[0], EXACT);
            close(bin.power, &expected[1], 1e-9);
        }
    }
}
