//! What must hold for any pair of masks.

use kd_metrics::*;
use proptest::prelude::*;

const EMPTY: EmptyMasks = EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::Infinite };

/// Two masks with points on one small volume.
fn pair() -> impl Strategy<Value = MaskPair> {
    ([2_usize..6, 2_usize..6, 2_usize..7], [0.3_f64..3.0, 0.3_f64..3.0, 0.3_f64..3.0]).prop_flat_map(
        |(shape, spacing_mm)| {
            let points = shape.iter().product::<usize>();
            let mask = || {
                prop::collection::vec(prop::bool::weighted(0.3), points)
                    .prop_filter("a point", |mask| mask.contains(&true))
            };
            (mask(), mask()).prop_map(move |(prediction, truth)| {
                MaskPair::new(Grid::volume(shape, spacing_mm).unwrap(), &prediction, &truth).unwrap()
            })
        },
    )
}

fn shape(pair: &MaskPair) -> [usize; 3] {
    pair.grid().shape().try_into().unwrap()
}

fn spacing(pair: &MaskPair) -> [f64; 3] {
    pair.grid().spacing_mm().try_into().unwrap()
}

/// HD95, HD, ASSD and surface Dice at a tolerance.
fn surface(pair: &MaskPair, tolerance_mm: f64) -> [f64; 4] {
    let distances = SurfaceDistances::new(pair);
    [
        hausdorff_percentile_mm(&distances, 95.0, EMPTY).unwrap(),
        hausdorff_mm(&distances, EMPTY).unwrap(),
        average_symmetric_surface_distance_mm(&distances, EMPTY).unwrap(),
        surface_dice(&distances, tolerance_mm, BothEmpty::Undefined).unwrap(),
    ]
}

/// The masks moved onto another grid: `place` says where the point of an index goes.
fn moved(pair: &MaskPair, grid: Grid, place: impl Fn([usize; 3]) -> usize) -> MaskPair {
    let [_, height, width] = shape(pair);
    let on = |mask: &[bool]| {
        let mut out = vec![false; grid.points()];
        for (index, &set) in mask.iter().enumerate() {
            out[place([index / (height * width), index / width % height, index % width])] = set;
        }
        out
    };
    MaskPair::new(grid, &on(pair.prediction()), &on(pair.truth())).unwrap()
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(1.0)
}

proptest! {
    #[test]
    fn dice_follows_from_intersection_over_union(pair in pair()) {
        let iou = intersection_over_union(&pair, BothEmpty::Undefined).unwrap();
        prop_assert!(same(dice(&pair, BothEmpty::Undefined).unwrap(), 2.0 * iou / (1.0 + iou)));
        prop_assert!(iou <= mask_sensitivity(&pair, ZeroDivision::Undefined).unwrap());
        prop_assert!(iou <= mask_precision(&pair, ZeroDivision::Undefined).unwrap());
    }

    #[test]
    fn surface_metrics_do_not_know_which_mask_is_which(pair in pair(), tolerance in 0.0_f64..3.0) {
        let swapped = MaskPair::new(*pair.grid(), pair.truth(), pair.prediction()).unwrap();
        for (a, b) in surface(&pair, tolerance).into_iter().zip(surface(&swapped, tolerance)) {
            prop_assert!(same(a, b));
        }
        prop_assert!(same(volume_error_mm3(&pair).unwrap(), -volume_error_mm3(&swapped).unwrap()));
    }

    #[test]
    fn translation_changes_nothing(pair in pair(), by in [0_usize..4, 0_usize..4, 0_usize..4]) {
        let size = shape(&pair);
        let larger: [usize; 3] = std::array::from_fn(|axis| size[axis] + 4);
        let grid = Grid::volume(larger, spacing(&pair)).unwrap();
        let there = moved(&pair, grid, |[z, y, x]| ((z + by[0]) * larger[1] + y + by[1]) * larger[2] + x + by[2]);
        prop_assert_eq!(SurfaceDistances::new(&pair), SurfaceDistances::new(&there));
        prop_assert_eq!(pair.predicted_points(), there.predicted_points());
    }

    #[test]
    fn axes_may_be_exchanged_with_their_spacing(pair in pair(), tolerance in 0.0_f64..3.0) {
        let ([depth, height, width], [z_mm, y_mm, x_mm]) = (shape(&pair), spacing(&pair));
        let grid = Grid::volume([width, depth, height], [x_mm, z_mm, y_mm]).unwrap();
        let turned = moved(&pair, grid, |[z, y, x]| (x * depth + z) * height + y);
        let (a, b) = (surface(&pair, tolerance), surface(&turned, tolerance));
        // The percentile may fall on either side of a step where sums of areas differ in the last bit.
        for index in 1..4 {
            prop_assert!(same(a[index], b[index]), "{} {}", a[index], b[index]);
        }
    }

    #[test]
    fn distances_scale_with_the_spacing(pair in pair(), tolerance in 0.0_f64..3.0) {
        // By a power of two, so that every rounding is the same.
        let grid = Grid::volume(shape(&pair), spacing(&pair).map(|mm| 4.0 * mm)).unwrap();
        let scaled = MaskPair::new(grid, pair.prediction(), pair.truth()).unwrap();
        let ([hd95, hd, assd, nsd], [hd95_4, hd_4, assd_4, nsd_4]) =
            (surface(&pair, tolerance), surface(&scaled, 4.0 * tolerance));
        let expected = [4.0 * hd95, 4.0 * hd, 4.0 * assd, nsd];
        prop_assert_eq!(expected.map(f64::to_bits), [hd95_4, hd_4, assd_4, nsd_4].map(f64::to_bits));
        prop_assert!(same(64.0 * volume_error_mm3(&pair).unwrap(), volume_error_mm3(&scaled).unwrap()));
    }

    #[test]
    fn surface_dice_grows_with_the_tolerance_to_one_at_the_hausdorff_distance(pair in pair(), tolerance in 0.0_f64..3.0) {
        let [hd95, hd, assd, nsd] = surface(&pair, tolerance);
        prop_assert!(hd95 <= hd && assd <= hd);
        prop_assert!(nsd <= surface(&pair, tolerance + 0.5)[3]);
        prop_assert!(same(surface(&pair, hd)[3], 1.0));
    }

    #[test]
    fn a_mask_agrees_with_itself(pair in pair()) {
        let itself = MaskPair::new(*pair.grid(), pair.truth(), pair.truth()).unwrap();
        prop_assert_eq!(surface(&itself, 0.0).map(f64::to_bits), [0.0_f64, 0.0, 0.0, 1.0].map(f64::to_bits));
        prop_assert!(same(dice(&itself, BothEmpty::Undefined).unwrap(), 1.0));
        prop_assert!(same(relative_volume_error(&itself).unwrap(), 0.0));
    }

    #[test]
    fn distance_transform_agrees_with_brute_force(pair in pair()) {
        let (features, spacing_mm) = (pair.truth(), spacing(&pair));
        let [_, height, width] = shape(&pair);
        let place = |i: usize| [i / (height * width), i / width % height, i % width];
        for (index, found) in distance_transform_mm(pair.grid(), features).unwrap().into_iter().enumerate() {
            let squared = |other: usize| -> f64 {
                (0..3).map(|a| (spacing_mm[a] * place(index)[a].abs_diff(place(other)[a]) as f64).powi(2)).sum()
            };
            let nearest = (0..features.len()).filter(|&other| features[other]).map(squared);
            prop_assert!(same(found, nearest.fold(f64::INFINITY, f64::min).sqrt()));
        }
    }

    #[test]
    fn components_are_what_steps_can_reach(pair in pair(), steps in 1_usize..4) {
        let connectivity = [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners][steps - 1];
        let found = Components::of_mask(pair.grid(), pair.truth(), connectivity).unwrap();
        let [_, height, width] = shape(&pair);
        let place = |i: usize| [i / (height * width), i / width % height, i % width];
        let touches = |a: usize, b: usize| {
            let apart: Vec<usize> = place(a).iter().zip(place(b)).map(|(a, b)| a.abs_diff(b)).collect();
            apart.iter().all(|&by| by <= 1) && apart.iter().sum::<usize>() <= steps
        };
        let points: Vec<usize> = (0..pair.truth().len()).filter(|&i| pair.truth()[i]).collect();
        let mut seen = vec![0_u32; pair.truth().len()];
        let mut count = 0;
        for &start in &points {
            if seen[start] == 0 {
                count += 1;
                seen[start] = count;
                let mut open = vec![start];
                while let Some(at) = open.pop() {
                    for &next in points.iter().filter(|&&next| touches(at, next)) {
                        if seen[next] == 0 {
                            seen[next] = count;
                            open.push(next);
                        }
                    }
                }
            }
        }
        prop_assert_eq!(found.labels(), &seen[..]);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit(pair in pair()) {
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        prop_assert_eq!(one.install(|| SurfaceDistances::new(&pair)), SurfaceDistances::new(&pair));
    }
}
