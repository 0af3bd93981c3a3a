//! Metrics of masks and restored images at the sizes that their peers are timed at: 128³ points, and 512 × 512.
//!
//! `benches/peers/image_metrics.py` times surface-distance and scikit-image on images of the same make.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kd_bench::numbers;
use kd_metrics::{
    BothEmpty, EmptyMasks, Grid, ImagePair, MaskPair, OneEmpty, SsimVariant, SurfaceDistances, dice,
    hausdorff_percentile_mm, ms_ssim, psnr, ssim, surface_dice, vif,
};

/// Points along an axis of the masks.
const MASK: usize = 128;
/// Points along an axis of the images.
const IMAGE: usize = 512;

fn ellipsoid(centre: [f64; 3], radii: [f64; 3]) -> Vec<bool> {
    let inside = |i: usize| {
        let place = [i / (MASK * MASK), i / MASK % MASK, i % MASK];
        let squared = |axis: usize| ((place[axis] as f64 - centre[axis]) / radii[axis]).powi(2);
        squared(0) + squared(1) + squared(2) <= 1.0
    };
    (0..MASK.pow(3)).map(inside).collect()
}

fn masks(c: &mut Criterion) {
    let grid = Grid::volume([MASK; 3], [1.5, 0.8, 0.7]).expect("a grid");
    let truth = ellipsoid([60.0, 66.0, 58.0], [44.0, 50.0, 40.0]);
    let prediction = ellipsoid([62.0, 64.0, 60.0], [42.0, 52.0, 41.0]);
    let empty = EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::Undefined };
    c.bench_function("metric/hd95_nsd/128x128x128", |b| {
        b.iter(|| {
            let pair = MaskPair::new(grid, black_box(&prediction), &truth).expect("masks of the grid");
            let distances = SurfaceDistances::new(&pair);
            let hd95 = hausdorff_percentile_mm(&distances, 95.0, empty).expect("two surfaces");
            let nsd = surface_dice(&distances, 1.0, BothEmpty::Undefined).expect("two surfaces");
            assert!(hd95 > 1.0 && (0.1..1.0).contains(&nsd));
            (hd95, nsd)
        });
    });
    c.bench_function("metric/dice/128x128x128", |b| {
        b.iter(|| {
            let pair = MaskPair::new(grid, black_box(&prediction), &truth).expect("masks of the grid");
            let value = dice(&pair, BothEmpty::Undefined).expect("two masks");
            assert!((0.5..1.0).contains(&value));
            value
        });
    });
}

fn images(c: &mut Criterion) {
    let truth: Vec<f64> = numbers(IMAGE * IMAGE, 0).into_iter().map(f64::from).collect();
    let noise = numbers(IMAGE * IMAGE, 1);
    let prediction: Vec<f64> = truth.iter().zip(&noise).map(|(value, noise)| value + 0.1 * f64::from(*noise)).collect();
    let pair = || ImagePair::plane([IMAGE; 2], black_box(&prediction), &truth).expect("images of one size");
    let mut bench = |name: &str, of: &dyn Fn(&ImagePair<'_>) -> f64, low: f64, high: f64| {
        c.bench_function(&format!("metric/{name}/512x512"), |b| {
            b.iter(|| {
                let value = of(&pair());
                assert!((low..high).contains(&value), "{name} {value}");
                value
            });
        });
    };
    bench("psnr", &|pair| psnr(pair, 2.0).expect("a range"), 20.0, 60.0);
    let similarity = |variant| move |pair: &ImagePair<'_>| ssim(pair, 2.0, variant).expect("room for a window");
    bench("ssim_reference", &similarity(SsimVariant::Reference), 0.5, 1.0);
    bench("ssim_skimage", &similarity(SsimVariant::Skimage), 0.5, 1.0);
    bench("ms_ssim", &|pair| ms_ssim(pair, 2.0).expect("room for five scales"), 0.5, 1.0);
    bench("vif", &|pair| vif(pair, 2.0).expect("structure"), 0.1, 1.0);
}

criterion_group!(benches, masks, images);
criterion_main!(benches);
