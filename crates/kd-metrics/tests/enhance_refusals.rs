//! Input that the enhancement metrics refuse, and what constant images are worth.

use kd_metrics::*;

const SHAPE: [usize; 2] = [41, 41];

fn texture() -> Vec<f64> {
    (0..41 * 41).map(|i| f64::from(i * i % 97)).collect()
}

#[test]
fn images_of_another_size_or_with_broken_values_are_refused() {
    let image = texture();
    let short = ImagePair::plane(SHAPE, &image[1..], &image);
    assert_eq!(short, Err(Undefined::LengthMismatch { what: "prediction", expected: 1681, found: 1680 }));
    assert!(ImagePair::plane([41, 40], &image[..1640], &image).is_err());
    assert!(ImagePair::plane([0, 3], &[], &[]).is_err());
    assert!(ImagePair::volume([usize::MAX, 2, 2], &[], &[]).is_err());
    for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut with = image.clone();
        with[1500] = broken;
        let refused = |pair: Result<ImagePair<'_>, Undefined>, side: &str| match pair {
            Err(Undefined::NotFinite { what, index: 1500, .. }) => assert_eq!(what, side),
            other => panic!("expected a refusal, found {other:?}"),
        };
        refused(ImagePair::plane(SHAPE, &with, &image), "prediction");
        refused(ImagePair::plane(SHAPE, &image, &with), "truth");
        // The same infinity on both sides has no difference either.
        refused(ImagePair::plane(SHAPE, &with, &with), "prediction");
    }
}

#[test]
fn intensities_whose_square_is_no_number_give_no_score() {
    let image = [1e200, -1e200, 0.0, 1e200];
    let pair = ImagePair::plane([2, 2], &image, &[0.0; 4]).unwrap();
    assert!(matches!(mean_squared_error(&pair), Err(Undefined::NotFinite { .. })));
    assert!(psnr(&pair, 1.0).is_err());
    assert_eq!(mean_absolute_error(&pair), Ok(7.5e199));
}

#[test]
fn a_range_that_is_none_is_refused() {
    let image = texture();
    let pair = ImagePair::plane(SHAPE, &image, &image).unwrap();
    for range in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for metric in [
            EnhanceMetric::Psnr { range },
            EnhanceMetric::Ssim { range, variant: SsimVariant::Reference },
            EnhanceMetric::MsSsim { range },
            EnhanceMetric::Vif { range },
        ] {
            let refused = metric.score(&pair);
            assert!(matches!(refused, Err(Undefined::OutOfRange { .. })), "{}: {refused:?}", metric.name());
        }
    }
}

#[test]
fn images_smaller_than_the_window_are_refused() {
    let image = texture();
    let pair = ImagePair::plane([41, 10], &image[..410], &image[..410]).unwrap();
    let refused = |expected: usize, found: usize| {
        Err(Undefined::NotEnough { what: "points along the shortest axis", expected, found })
    };
    assert_eq!(ssim(&pair, 255.0, SsimVariant::Reference), refused(11, 10));
    assert_eq!(vif(&pair, 255.0), refused(41, 10));
    let stack = ImagePair::volume([6, 7, 40], &image[..1680], &image[..1680]).unwrap();
    assert_eq!(ssim(&stack, 255.0, SsimVariant::Skimage), refused(7, 6));
    let line = ImagePair::plane([2, 20], &image[..40], &image[..40]).unwrap();
    assert_eq!(edge_preservation(&line), refused(3, 2));
    assert_eq!(ms_ssim(&ImagePair::plane(SHAPE, &image, &image).unwrap(), 255.0), refused(161, 41));
}

#[test]
fn constant_images_have_an_error_and_a_similarity_but_no_edges_and_no_information() {
    // 0.1 has no end in binary: sums of it are not exact, and their dust must not count as structure.
    let (image, constant) = (texture(), vec![0.1; 1681]);
    let flat = ImagePair::plane(SHAPE, &constant, &constant).unwrap();
    assert_eq!(psnr(&flat, 1.0), Ok(f64::INFINITY));
    assert!((ssim(&flat, 1.0, SsimVariant::Skimage).unwrap() - 1.0).abs() < 1e-12);
    let none = |what: &'static str| Err(Undefined::ZeroVariance { what });
    assert_eq!(vif(&flat, 1.0), none("reference image"));
    assert_eq!(edge_preservation(&flat), none("Laplacian of the prediction"));
    let restored = ImagePair::plane(SHAPE, &image, &constant).unwrap();
    assert_eq!(edge_preservation(&restored), none("Laplacian of the truth"));
    assert_eq!(vif(&restored, 255.0), none("reference image"));
    let lost = ImagePair::plane(SHAPE, &constant, &image).unwrap();
    assert_eq!(vif(&lost, 255.0), Ok(0.0));
    let ramp: Vec<f64> = (0..1681).map(|i| 0.1 * f64::from(i % 41) + 0.3 * f64::from(i / 41)).collect();
    let ramps = ImagePair::plane(SHAPE, &ramp, &ramp).unwrap();
    assert_eq!(edge_preservation(&ramps), none("Laplacian of the prediction"));
}

#[test]
fn a_scale_with_inverted_structure_has_no_power() {
    let image: Vec<f64> = (0..161 * 161).map(|i| f64::from(i * i % 251)).collect();
    let inverted: Vec<f64> = image.iter().map(|value| 250.0 - value).collect();
    let pair = ImagePair::plane([161, 161], &inverted, &image).unwrap();
    let refused = ms_ssim(&pair, 255.0);
    assert!(matches!(refused, Err(Undefined::NegativeStructure { scale: 1, found }) if found < 0.0), "{refused:?}");
}

#[test]
fn regions_without_points_or_noise_are_refused() {
    let image = texture();
    let pair = ImagePair::plane(SHAPE, &image, &image).unwrap();
    let (nothing, all) = (vec![false; 1681], vec![true; 1681]);
    assert_eq!(region_bias(&pair, &nothing), Err(Undefined::EmptyMask { which: "region" }));
    assert!(region_bias(&pair, &all[1..]).is_err());
    assert_eq!(region_noise(&pair, &nothing), Err(Undefined::EmptyMask { which: "region" }));
    assert!(region_noise(&pair, &all[1..]).is_err());
    assert_eq!(contrast_to_noise(&image, &nothing, &all), Err(Undefined::EmptyMask { which: "target" }));
    let mut one = nothing.clone();
    one[7] = true;
    assert!(matches!(contrast_to_noise(&image, &all, &one), Err(Undefined::NotEnough { expected: 2, found: 1, .. })));
    let flat = contrast_to_noise(&vec![0.1; 1681], &all, &all);
    assert_eq!(flat, Err(Undefined::ZeroVariance { what: "background" }));
    assert!(contrast_to_noise(&[f64::NAN; 4], &[true; 4], &[true; 4]).is_err());
}

#[test]
fn noise_regions_outside_of_the_image_are_refused() {
    let image = texture();
    let grid = Grid::plane(SHAPE, [0.7, 0.7]).unwrap();
    let of =
        |start: [usize; 3], size: [usize; 3]| noise_power(&image, &grid, &[NoiseRegion { start, size }], Detrend::Mean);
    assert!(of([0, 9, 9], [1, 32, 32]).is_ok());
    for (start, size) in [
        ([0, 10, 9], [1, 32, 32]),
        ([0, usize::MAX, 0], [1, 8, 8]),
        ([0, 0, 0], [2, 8, 8]),
        ([0, 0, 0], [0, 8, 8]),
        ([0, 0, 0], [1, 3, 8]),
    ] {
        assert!(of(start, size).is_err(), "{start:?} {size:?}");
    }
    let region = |side: usize| NoiseRegion { start: [0; 3], size: [1, side, side] };
    assert!(noise_power(&image, &grid, &[], Detrend::Mean).is_err());
    assert!(noise_power(&image, &grid, &[region(8), region(9)], Detrend::Mean).is_err());
    assert!(noise_power(&image[1..], &grid, &[region(8)], Detrend::Mean).is_err());
    // Shading alone is no noise once its plane is gone.
    let ramp: Vec<f64> = (0..1681).map(|i| 0.1 * f64::from(i % 41) - 0.7 * f64::from(i / 41)).collect();
    let silent = noise_power(&ramp, &grid, &[region(16)], Detrend::Plane).unwrap();
    assert_eq!(silent.mean_frequency_per_mm(), Err(Undefined::ZeroVariance { what: "noise" }));
    assert!(noise_power(&ramp, &grid, &[region(16)], Detrend::Mean).unwrap().variance() > 1.0);
}

#[test]
fn a_protocol_says_what_the_number_depends_on() {
    let of = |metric: EnhanceMetric| metric.protocol(2);
    let reference = of(EnhanceMetric::Ssim { range: 400.0, variant: SsimVariant::Reference });
    let skimage = of(EnhanceMetric::Ssim { range: 400.0, variant: SsimVariant::Skimage });
    for part in ["range 400", "Gaussian 11x11", "sigma 1.5", "population", "window fits", "per plane"] {
        assert!(reference.contains(part), "{reference}");
    }
    assert!(skimage.contains("uniform 7x7") && skimage.contains("sample covariance"), "{skimage}");
    let volume = EnhanceMetric::Ssim { range: 400.0, variant: SsimVariant::Reference }.protocol(3);
    assert!(volume.contains("11x11x11") && volume.contains("per volume"));
    let metrics = [
        EnhanceMetric::Psnr { range: 1.0 },
        EnhanceMetric::RootMeanSquaredError,
        EnhanceMetric::MeanAbsoluteError,
        EnhanceMetric::MsSsim { range: 1.0 },
        EnhanceMetric::Vif { range: 1.0 },
        EnhanceMetric::EdgePreservation,
    ];
    for axes in [2, 3] {
        let lines: std::collections::BTreeSet<String> = metrics.iter().map(|metric| metric.protocol(axes)).collect();
        assert_eq!(lines.len(), metrics.len());
    }
    assert_ne!(of(metrics[0]), of(EnhanceMetric::Psnr { range: 2.0 }));
}
