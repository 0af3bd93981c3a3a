//! What must hold for any pair of images.

use kd_metrics::*;
use proptest::prelude::*;

/// Shape, prediction and truth of a small volume that every window but the reference's fits into.
fn images() -> impl Strategy<Value = ([usize; 3], Vec<f64>, Vec<f64>)> {
    [7_usize..10, 7_usize..11, 7_usize..12].prop_flat_map(|shape| {
        let image = || prop::collection::vec(-1000.0_f64..1000.0, shape.iter().product::<usize>());
        (Just(shape), image(), image())
    })
}

/// Every metric that a small image has.
fn metrics(range: f64) -> [EnhanceMetric; 5] {
    [
        EnhanceMetric::Psnr { range },
        EnhanceMetric::RootMeanSquaredError,
        EnhanceMetric::MeanAbsoluteError,
        EnhanceMetric::Ssim { range, variant: SsimVariant::Skimage },
        EnhanceMetric::EdgePreservation,
    ]
}

fn scores(shape: [usize; 3], prediction: &[f64], truth: &[f64], range: f64) -> Vec<f64> {
    let pair = ImagePair::volume(shape, prediction, truth).unwrap();
    metrics(range).iter().map(|metric| metric.score(&pair).unwrap()).collect()
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(1.0)
}

/// An image as large as every metric asks for, made of integers.
fn large(height: usize, width: usize, salt: usize) -> Vec<f64> {
    let value = |i: usize| {
        let (y, x) = (i / width, i % width);
        ((y * y / 7 + x * y / 5 + 3 * x) % 211 + (i * (29 + 2 * salt) + salt) % 17) as f64
    };
    (0..height * width).map(value).collect()
}

proptest! {
    #[test]
    fn metrics_do_not_know_which_image_is_which((shape, a, b) in images(), range in 1.0_f64..3000.0) {
        for (one, other) in scores(shape, &a, &b, range).iter().zip(scores(shape, &b, &a, range)) {
            prop_assert!(same(*one, other));
        }
    }

    #[test]
    fn an_image_agrees_with_itself((shape, a, _) in images(), range in 1.0_f64..3000.0) {
        let [psnr, rmse, mae, ssim, edges] = scores(shape, &a, &a, range).try_into().unwrap();
        prop_assert!(psnr == f64::INFINITY && rmse == 0.0 && mae == 0.0);
        prop_assert!(same(ssim, 1.0) && same(edges, 1.0));
    }

    #[test]
    fn the_unit_of_intensities_does_not_matter((shape, a, b) in images(), range in 1.0_f64..3000.0) {
        let times = |image: &[f64]| image.iter().map(|value| 4.0 * value).collect::<Vec<f64>>();
        let [psnr, rmse, mae, ssim, edges] = scores(shape, &a, &b, range).try_into().unwrap();
        let [psnr_4, rmse_4, mae_4, ssim_4, edges_4] =
            scores(shape, &times(&a), &times(&b), 4.0 * range).try_into().unwrap();
        prop_assert!(same(psnr, psnr_4) && same(4.0 * rmse, rmse_4) && same(4.0 * mae, mae_4));
        prop_assert!(same(ssim, ssim_4) && same(edges, edges_4));
    }

    #[test]
    fn axes_may_be_exchanged((shape, a, b) in images(), range in 1.0_f64..3000.0) {
        let [depth, height, width] = shape;
        let turned = |image: &[f64]| {
            let mut out = vec![0.0; image.len()];
            for (i, &value) in image.iter().enumerate() {
                let [z, y, x] = [i / (height * width), i / width % height, i % width];
                out[(x * depth + z) * height + y] = value;
            }
            out
        };
        let there = scores([width, depth, height], &turned(&a), &turned(&b), range);
        for (one, other) in scores(shape, &a, &b, range).iter().zip(there) {
            prop_assert!(same(*one, other));
        }
    }

    #[test]
    fn root_mean_square_is_not_below_the_mean_absolute_error((shape, a, b) in images()) {
        let pair = ImagePair::volume(shape, &a, &b).unwrap();
        let (rmse, mae) = (root_mean_squared_error(&pair).unwrap(), mean_absolute_error(&pair).unwrap());
        prop_assert!(mae <= rmse * (1.0 + 1e-12));
        prop_assert!(same(psnr(&pair, 500.0).unwrap(), 20.0 * (500.0 / rmse).log10()));
    }

    #[test]
    fn similarity_never_exceeds_one((shape, a, b) in images(), range in 0.01_f64..1e5) {
        let found = ssim(&ImagePair::volume(shape, &a, &b).unwrap(), range, SsimVariant::Skimage).unwrap();
        prop_assert!((-1.0..=1.0).contains(&found));
    }

    #[test]
    fn the_number_of_threads_changes_no_bit((shape, a, b) in images()) {
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let bits = || scores(shape, &a, &b, 100.0).into_iter().map(f64::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(one.install(bits), bits());
    }

    #[test]
    fn noise_power_sums_to_the_variance((shape, a, _) in images(), mm in [0.2_f64..2.0, 0.2_f64..2.0]) {
        let grid = Grid::volume(shape, [1.0, mm[0], mm[1]]).unwrap();
        let region = NoiseRegion { start: [1, 0, 0], size: [1, shape[1], shape[2]] };
        let slice = &a[shape[1] * shape[2]..][..shape[1] * shape[2]];
        let mean = slice.iter().sum::<f64>() / slice.len() as f64;
        let variance = slice.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / slice.len() as f64;
        let found = noise_power(&a, &grid, &[region], Detrend::Mean).unwrap();
        prop_assert!(same(found.variance(), variance));
        // A plane of least squares takes at least as much away as a mean.
        let flat = noise_power(&a, &grid, &[region], Detrend::Plane).unwrap();
        prop_assert!(flat.variance() <= found.variance() * (1.0 + 1e-12));
    }
}

#[test]
fn bands_of_rows_leave_no_seam() {
    // Brute force over every window of an image that is several bands high.
    let (height, width, range) = (75, 17, 255.0);
    let (truth, prediction) = (large(height, width, 0), large(height, width, 3));
    let (c1, c2) = ((0.01 * range) * (0.01 * range), (0.03 * range) * (0.03 * range));
    let mut sum = 0.0;
    for (top, left) in (0..height - 6).flat_map(|y| (0..width - 6).map(move |x| (y, x))) {
        let at = |image: &[f64]| -> Vec<f64> { (0..49).map(|i| image[(top + i / 7) * width + left + i % 7]).collect() };
        let (p, t) = (at(&prediction), at(&truth));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / 49.0;
        let (mp, mt) = (mean(&p), mean(&t));
        let about = |a: &[f64], ma: f64, b: &[f64], mb: f64| {
            a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum::<f64>() / 48.0
        };
        let structure = (2.0 * about(&p, mp, &t, mt) + c2) / (about(&p, mp, &p, mp) + about(&t, mt, &t, mt) + c2);
        sum += structure * (2.0 * mp * mt + c1) / (mp * mp + mt * mt + c1);
    }
    let pair = ImagePair::plane([height, width], &prediction, &truth).unwrap();
    let expected = sum / ((height - 6) * (width - 6)) as f64;
    assert!((ssim(&pair, range, SsimVariant::Skimage).unwrap() - expected).abs() < 1e-12);
}

#[test]
fn a_volume_of_equal_slices_is_as_similar_as_one_of_them() {
    let (height, width) = (13, 15);
    let (truth, prediction) = (large(height, width, 0), large(height, width, 5));
    let plane = ImagePair::plane([height, width], &prediction, &truth).unwrap();
    let (p, t) = (prediction.repeat(12), truth.repeat(12));
    let volume = ImagePair::volume([12, height, width], &p, &t).unwrap();
    let of = |pair: &ImagePair<'_>| ssim(pair, 255.0, SsimVariant::Reference).unwrap();
    assert!((of(&plane) - of(&volume)).abs() < 1e-12);
}

#[test]
fn a_volume_of_equal_slices_is_as_similar_on_every_scale() {
    let (truth, prediction) = (large(161, 163, 0), large(161, 163, 9));
    let plane = ImagePair::plane([161, 163], &prediction, &truth).unwrap();
    let (p, t) = (prediction.repeat(161), truth.repeat(161));
    let volume = ImagePair::volume([161, 161, 163], &p, &t).unwrap();
    let (of_plane, of_volume) = (ms_ssim(&plane, 255.0).unwrap(), ms_ssim(&volume, 255.0).unwrap());
    assert!(of_plane < 0.999 && (of_plane - of_volume).abs() < 1e-12, "{of_plane} {of_volume}");
}

#[test]
fn more_blur_preserves_fewer_edges_and_less_information() {
    let (height, width) = (64, 64);
    let truth = large(height, width, 0);
    let blurred = |times: usize| {
        let mut image = truth.clone();
        for _ in 0..times {
            let before = image.clone();
            for i in 1..image.len() - 1 {
                image[i] = (before[i - 1] + 2.0 * before[i] + before[i + 1]) / 4.0;
            }
        }
        image
    };
    let of = |times: usize| {
        let image = blurred(times);
        let pair = ImagePair::plane([height, width], &image, &truth).unwrap();
        [edge_preservation(&pair).unwrap(), vif(&pair, 255.0).unwrap()]
    };
    let found = [1, 4, 16].map(of);
    assert!(found.windows(2).all(|pair| pair[0][0] > pair[1][0] && pair[0][1] > pair[1][1]), "{found:?}");
}
