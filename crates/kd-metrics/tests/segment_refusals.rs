//! Empty masks under every policy, and input that the segmentation metrics refuse.

use kd_metrics::*;

fn grid() -> Grid {
    Grid::volume([1, 2, 3], [2.0, 1.0, 1.0]).unwrap()
}

const SOME: [bool; 6] = [true, false, false, false, false, true];
const NONE: [bool; 6] = [false; 6];

fn pair(prediction: &[bool], truth: &[bool]) -> MaskPair {
    MaskPair::new(grid(), prediction, truth).unwrap()
}

#[test]
fn two_empty_masks_are_worth_what_the_policy_says() {
    let both = pair(&NONE, &NONE);
    let distances = SurfaceDistances::new(&both);
    for (policy, share, mm) in [(BothEmpty::Perfect, Ok(1.0), Ok(0.0)), {
        let refused = Err(Undefined::EmptyMask { which: "prediction and truth" });
        (BothEmpty::Undefined, refused.clone(), refused)
    }] {
        let empty = EmptyMasks { both: policy, one: OneEmpty::Undefined };
        assert_eq!(dice(&both, policy), share);
        assert_eq!(intersection_over_union(&both, policy), share);
        assert_eq!(surface_dice(&distances, 1.0, policy), share);
        assert_eq!(hausdorff_mm(&distances, empty), mm);
        assert_eq!(hausdorff_percentile_mm(&distances, 95.0, empty), mm);
        assert_eq!(average_symmetric_surface_distance_mm(&distances, empty), mm);
        let counts = lesion_counts(&both, Connectivity::Faces, LesionOverlap::Touch).unwrap();
        assert_eq!(lesion_f1(&counts, policy), share);
        assert_eq!(panoptic_quality(&panoptic_counts(&[0; 6], &[0; 6]).unwrap(), policy), share);
    }
}

#[test]
fn one_empty_mask_is_worth_what_the_policy_says() {
    for (masks, which) in [(pair(&NONE, &SOME), "prediction"), (pair(&SOME, &NONE), "truth")] {
        let distances = SurfaceDistances::new(&masks);
        for (one, expected) in [
            (OneEmpty::Undefined, Err(Undefined::EmptyMask { which })),
            (OneEmpty::Infinite, Ok(f64::INFINITY)),
            (OneEmpty::PenaltyMm(374.0), Ok(374.0)),
        ] {
            let empty = EmptyMasks { both: BothEmpty::Perfect, one };
            assert_eq!(hausdorff_mm(&distances, empty), expected);
            assert_eq!(hausdorff_percentile_mm(&distances, 95.0, empty), expected);
            assert_eq!(average_symmetric_surface_distance_mm(&distances, empty), expected);
        }
        assert_eq!(mean_surface_distances_mm(&distances), Err(Undefined::EmptyMask { which }));
        // Nothing is shared, whatever the policy.
        assert_eq!(dice(&masks, BothEmpty::Perfect), Ok(0.0));
        assert_eq!(surface_dice(&distances, 1e3, BothEmpty::Perfect), Ok(0.0));
        let broken = EmptyMasks { both: BothEmpty::Perfect, one: OneEmpty::PenaltyMm(f64::NAN) };
        assert!(matches!(hausdorff_mm(&distances, broken), Err(Undefined::OutOfRange { .. })));
    }
    assert_eq!(relative_volume_error(&pair(&SOME, &NONE)), Err(Undefined::EmptyMask { which: "truth" }));
    assert_eq!(volume_error_mm3(&pair(&SOME, &NONE)), Ok(4.0));
    assert!(mask_sensitivity(&pair(&SOME, &NONE), ZeroDivision::Undefined).is_err());
    assert_eq!(mask_precision(&pair(&NONE, &SOME), ZeroDivision::Zero), Ok(0.0));
}

#[test]
fn masks_of_another_size_than_their_grid_are_refused() {
    let short = Err(Undefined::LengthMismatch { what: "truth", expected: 6, found: 5 });
    assert_eq!(MaskPair::new(grid(), &SOME, &SOME[1..]), short);
    assert!(MaskPair::of_class(grid(), &[0; 7], &[0; 6], 1).is_err());
    assert!(volume_mm3(&grid(), &[]).is_err());
    assert!(distance_transform_mm(&grid(), &NONE).is_err() && distance_transform_mm(&grid(), &[true]).is_err());
    assert!(Components::of_mask(&grid(), &[true], Connectivity::Faces).is_err());
    assert!(panoptic_counts(&[1], &[1, 2]).is_err());
}

#[test]
fn arguments_outside_their_range_are_refused() {
    let distances = SurfaceDistances::new(&pair(&SOME, &SOME));
    let empty = EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::Undefined };
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(surface_dice(&distances, value, BothEmpty::Undefined).is_err());
        assert!(hausdorff_percentile_mm(&distances, value, empty).is_err());
        let share = LesionOverlap::ShareAtLeast(value);
        assert!(lesion_counts(&pair(&SOME, &SOME), Connectivity::Faces, share).is_err());
    }
    assert!(hausdorff_percentile_mm(&distances, 0.0, empty).is_err());
}

#[test]
fn calibration_refuses_what_it_cannot_measure() {
    let (all, bins) = (CalibrationRegion::AllPoints, CalibrationBins::EqualWidth(4));
    assert!(mask_calibration_error(&grid(), &[0.5; 6], &SOME, all, CalibrationBins::EqualWidth(0)).is_err());
    assert!(mask_calibration_error(&grid(), &[f64::NAN; 6], &SOME, all, bins).is_err());
    assert!(mask_calibration_error(&grid(), &[0.5; 5], &SOME, all, bins).is_err());
    let none = Err(Undefined::EmptyMask { which: "region of the calibration" });
    let near_truth = CalibrationRegion::BoxAroundTruth { margin: 3 };
    assert_eq!(mask_calibration_error(&grid(), &[0.5; 6], &NONE, near_truth, bins), none);
    // Far more bins than points take no memory for the empty ones.
    let many = CalibrationBins::EqualWidth(usize::MAX >> 12);
    assert_eq!(mask_calibration_error(&grid(), &[0.5; 6], &[true; 6], all, many), Ok(0.5));
    assert_eq!(mask_calibration_error(&grid(), &[0.5; 6], &[true; 6], all, CalibrationBins::EqualMass(2)), Ok(0.5));
}
