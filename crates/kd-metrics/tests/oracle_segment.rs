//! Segmentation metrics against surface-distance, SimpleITK, SciPy and scikit-learn.

mod golden;

use golden::{close, document, labels, number, numbers};
use kd_metrics::*;
use serde_json::Value;

/// Same formula in f64 on both sides: only the order of sums differs.
const EXACT: f64 = 1e-12;

const EMPTY: EmptyMasks = EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::Undefined };

fn mask(value: &Value) -> Vec<bool> {
    value.as_str().unwrap().bytes().map(|digit| digit == b'1').collect()
}

fn grid_of(shape: &Value, spacing_mm: &[f64]) -> Grid {
    match (labels(shape)[..].try_into(), labels(shape)[..].try_into()) {
        (Ok(shape), _) => Grid::volume(shape, spacing_mm.try_into().unwrap()).unwrap(),
        (_, Ok(shape)) => Grid::plane(shape, spacing_mm.try_into().unwrap()).unwrap(),
        _ => panic!("neither plane nor volume"),
    }
}

fn unit_grid(shape: &Value) -> Grid {
    grid_of(shape, &vec![1.0; labels(shape).len()])
}

fn pair_of(case: &Value) -> MaskPair {
    let grid = grid_of(&case["shape"], &numbers(&case["spacing_mm"]));
    MaskPair::new(grid, &mask(&case["prediction"]), &mask(&case["truth"])).unwrap()
}

fn pairs() -> Vec<Value> {
    let pairs = document("segment")["pairs"].as_array().unwrap().clone();
    assert_eq!(pairs.len(), 5);
    pairs
}

#[test]
fn overlap_and_volume_agree_with_simpleitk_and_scikit_learn() {
    for case in pairs() {
        let (pair, expected) = (pair_of(&case), &case["overlap"]);
        close(dice(&pair, BothEmpty::Undefined).unwrap(), &expected["dice"], EXACT);
        close(intersection_over_union(&pair, BothEmpty::Undefined).unwrap(), &expected["iou"], EXACT);
        close(mask_sensitivity(&pair, ZeroDivision::Undefined).unwrap(), &expected["sensitivity"], EXACT);
        close(mask_precision(&pair, ZeroDivision::Undefined).unwrap(), &expected["precision"], EXACT);
        let [predicted, real]: [f64; 2] = numbers(&expected["sizes_mm"]).try_into().unwrap();
        // Products of spacings up to some thousand mm³.
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "expected {b}, found {a}");
        near(relative_volume_error(&pair).unwrap(), (predicted - real) / real);
        if pair.grid().axes() == 3 {
            near(volume_mm3(pair.grid(), pair.prediction()).unwrap(), predicted);
            near(volume_mm3(pair.grid(), pair.truth()).unwrap(), real);
            near(volume_error_mm3(&pair).unwrap(), predicted - real);
        } else {
            assert!(matches!(volume_error_mm3(&pair), Err(Undefined::NotAVolume { .. })));
        }
    }
}

#[test]
fn surface_metrics_agree_with_surface_distance() {
    for case in pairs() {
        let (distances, expected) = (SurfaceDistances::new(&pair_of(&case)), &case["surfaces"]);
        let directions = [distances.prediction_to_truth(), distances.truth_to_prediction()];
        assert_eq!(directions.map(<[_]>::len).to_vec(), labels(&expected["pieces"]));
        for (pieces, area) in directions.iter().zip(expected["areas"].as_array().unwrap()) {
            close(pieces.iter().map(|piece| piece.area).sum(), area, 1e-9);
        }
        let means = mean_surface_distances_mm(&distances).unwrap();
        for (mean, expected) in means.iter().zip(expected["means_mm"].as_array().unwrap()) {
            close(*mean, expected, EXACT);
        }
        close(average_symmetric_surface_distance_mm(&distances, EMPTY).unwrap(), &expected["assd_mm"], EXACT);
        for point in expected["hausdorff"].as_array().unwrap() {
            let found = hausdorff_percentile_mm(&distances, number(&point[0]), EMPTY).unwrap();
            close(found, &point[1], EXACT);
            if number(&point[0]) > 99.5 {
                close(hausdorff_mm(&distances, EMPTY).unwrap(), &point[1], EXACT);
            }
        }
        // Tolerances equal to a spacing are among them: `<=` has to see the same distance.
        for point in expected["surface_dice"].as_array().unwrap() {
            let found = surface_dice(&distances, number(&point[0]), BothEmpty::Undefined).unwrap();
            close(found, &point[1], EXACT);
        }
    }
}

#[test]
fn every_cell_has_the_area_of_surface_distance() {
    let case = &document("segment")["cell_areas"];
    let grid = Grid::volume([2, 2, 2], numbers(&case["spacing_mm"]).try_into().unwrap()).unwrap();
    let areas = case["areas"].as_array().unwrap();
    assert_eq!(areas.len(), 255);
    for (code, area) in (1_u8..=255).zip(areas) {
        let mask: Vec<bool> = (0..8).map(|corner| code >> (7 - corner) & 1 == 1).collect();
        let distances = SurfaceDistances::new(&MaskPair::new(grid, &mask, &mask).unwrap());
        close(distances.truth_to_prediction().iter().map(|piece| piece.area).sum(), area, EXACT);
    }
}

#[test]
fn distance_transform_agrees_with_scipy() {
    let document = document("segment");
    for case in document["distance_maps"].as_array().unwrap() {
        let grid = grid_of(&case["shape"], &numbers(&case["spacing_mm"]));
        let found = distance_transform_mm(&grid, &mask(&case["features"])).unwrap();
        golden::all_close(&found, &case["mm"], EXACT);
    }
}

#[test]
fn components_agree_with_scipy() {
    let document = document("segment");
    for case in document["components"].as_array().unwrap() {
        let (grid, mask) = (unit_grid(&case["shape"]), mask(&case["mask"]));
        let ranks: &[Connectivity] = match grid.axes() {
            2 => &[Connectivity::Faces, Connectivity::Edges],
            _ => &[Connectivity::Faces, Connectivity::Edges, Connectivity::Corners],
        };
        for (rank, &connectivity) in ranks.iter().enumerate() {
            let found = Components::of_mask(&grid, &mask, connectivity).unwrap();
            assert_eq!(found.labels().iter().map(|&l| l as usize).collect::<Vec<_>>(), labels(&case["labels"][rank]));
            assert_eq!(found.count() as u64, case["counts"][rank].as_u64().unwrap());
            assert_eq!(found.sizes().iter().sum::<u64>(), mask.iter().filter(|&&set| set).count() as u64);
        }
    }
}

#[test]
fn lesions_and_instances_agree_with_brute_force() {
    let case = &document("segment")["instances"];
    let grid = unit_grid(&case["shape"]);
    let pair = MaskPair::new(grid, &mask(&case["prediction"]), &mask(&case["truth"])).unwrap();
    for expected in case["lesions"].as_array().unwrap() {
        let connectivity = match expected["connectivity"].as_u64().unwrap() {
            1 => Connectivity::Faces,
            _ => Connectivity::Corners,
        };
        let overlap = expected["share"].as_f64().map_or(LesionOverlap::Touch, LesionOverlap::ShareAtLeast);
        let found = lesion_counts(&pair, connectivity, overlap).unwrap();
        let counts = [found.true_lesions, found.detected, found.predicted_lesions, found.false_alarms];
        assert_eq!(counts.map(|count| count as usize).to_vec(), labels(&expected["counts"]));
        close(lesion_f1(&found, BothEmpty::Undefined).unwrap(), &expected["f1"], EXACT);
    }
    let instances = |mask: &[bool]| Components::of_mask(&grid, mask, Connectivity::Faces).unwrap();
    let (prediction, truth) = (instances(pair.prediction()), instances(pair.truth()));
    let counts = panoptic_counts(prediction.labels(), truth.labels()).unwrap();
    let found = [counts.true_instances, counts.predicted_instances, counts.matched];
    assert_eq!(found.map(|count| count as usize).to_vec(), labels(&case["panoptic"]["counts"]));
    close(panoptic_quality(&counts, BothEmpty::Undefined).unwrap(), &case["panoptic"]["quality"], EXACT);
    close(segmentation_quality(&counts).unwrap(), &case["panoptic"]["segmentation"], EXACT);
}

#[test]
fn calibration_of_a_mask_agrees_with_brute_force() {
    let case = &document("segment")["calibration"];
    let (grid, truth, p) = (unit_grid(&case["shape"]), mask(&case["truth"]), numbers(&case["probabilities"]));
    let bins = CalibrationBins::EqualWidth(number(&case["bins"]) as usize);
    for (region, name) in [
        (CalibrationRegion::AllPoints, "all"),
        (CalibrationRegion::Foreground(Cut::Above(number(&case["cut"]))), "foreground"),
        (CalibrationRegion::BoxAroundTruth { margin: number(&case["margin"]) as usize }, "box"),
    ] {
        close(mask_calibration_error(&grid, &p, &truth, region, bins).unwrap(), &case[name], EXACT);
    }
}
