//! What resampling must keep, whatever the grids.

use kd_image::{
    Affine, Geometry, Image, Intensity, Interpolation, LabelMap, Orientation, Outside, Reorientation, ResampleError,
    Resampling, Shrinking, resample_labels,
};
use proptest::prelude::*;

const ALL: [Interpolation; 3] = [Interpolation::Nearest, Interpolation::Linear, Interpolation::Cubic];

fn how(interpolation: Interpolation, shrinking: Shrinking, outside: Outside) -> Resampling {
    Resampling { interpolation, shrinking, outside }
}

fn turned(angles: [f64; 3], spacing: [f64; 3], origin: [f64; 3], shape: [usize; 3]) -> Geometry<3> {
    let [(sa, ca), (sb, cb), (sc, cc)] = angles.map(f64::sin_cos);
    let directions = [
        [cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc],
        [cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc],
        [-sb, sa * cb, ca * cb],
    ];
    let row = |n: usize| {
        let d = directions[n];
        [d[0] * spacing[2], d[1] * spacing[1], d[2] * spacing[0], origin[n]]
    };
    Geometry::<3>::placed(shape, Affine { matrix: [row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]] }).unwrap()
}

/// World places of all points.
fn places(grid: &Geometry<3>) -> Vec<[f64; 3]> {
    let [_, rows, columns] = grid.shape();
    let place = |n: usize| [n % columns, n / columns % rows, n / (rows * columns)].map(|v| v as f64);
    (0..grid.n_points()).map(|n| grid.affine().unwrap().world_mm(place(n))).collect()
}

fn image(grid: Geometry<3>, channels: usize, seed: u32) -> Image<3> {
    // A plain mixing of counts: values in -50 to 50 without order.
    let value = |n: usize| (((n as u32).wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) % 10_000) as f32 / 100.0;
    let values = (0..channels * grid.n_points()).map(|n| value(n) - 50.0).collect();
    Image::new(channels, grid, Intensity::Arbitrary, values).unwrap()
}

fn shapes() -> impl Strategy<Value = [usize; 3]> {
    proptest::array::uniform3(1usize..8)
}

fn grids() -> impl Strategy<Value = Geometry<3>> {
    let angle = proptest::array::uniform3(-3.0f64..3.0);
    let spacing = proptest::array::uniform3(0.4f64..3.0);
    let origin = proptest::array::uniform3(-9.0f64..9.0);
    (angle, spacing, origin, shapes()).prop_map(|(a, s, o, n)| turned(a, s, o, n))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_images_own_grid_gives_its_own_values(grid in grids(), seed: u32) {
        let image = image(grid, 2, seed);
        for interpolation in ALL {
            for shrinking in [Shrinking::Plain, Shrinking::Antialiased] {
                let how = how(interpolation, shrinking, Outside::Value(-1.0));
                prop_assert_eq!(&how.image(&image, image.geometry()).unwrap(), &image);
            }
        }
    }

    #[test]
    fn a_constant_stays_one_and_is_filled_outside(from in grids(), to in grids()) {
        let image = Image::new(1, from.clone(), Intensity::Hounsfield, vec![40.0; from.n_points()]).unwrap();
        for interpolation in ALL {
            for shrinking in [Shrinking::Plain, Shrinking::Antialiased] {
                let edge = how(interpolation, shrinking, Outside::Edge).image(&image, &to).unwrap();
                prop_assert!(edge.values().iter().all(|value| (value - 40.0).abs() < 1e-3));
                let filled = how(interpolation, shrinking, Outside::Value(-1000.0)).image(&image, &to).unwrap();
                let back = from.affine().unwrap().inverse().unwrap();
                for (value, place) in filled.values().iter().zip(places(&to)) {
                    let voxel = back.world_mm(place);
                    let beyond = (0..3).map(|axis| {
                        let last = (from.shape()[2 - axis] - 1) as f64;
                        (-voxel[axis]).max(voxel[axis] - last)
                    });
                    let beyond = beyond.fold(f64::NEG_INFINITY, f64::max);
                    // Half a voxel beyond the last point is still inside; on the border itself rounding decides.
                    if (beyond - 0.5).abs() > 1e-3 {
                        let expected = if beyond < 0.5 { 40.0 } else { -1000.0 };
                        prop_assert!((value - expected).abs() < 1e-3);
                    }
                }
            }
        }
    }

    #[test]
    fn a_slope_through_the_patient_is_found_at_every_place(from in grids(), to in grids(), slope in proptest::array::uniform3(-5.0f64..5.0)) {
        let height = |place: &[f64; 3]| place.iter().zip(slope).map(|(mm, per_mm)| mm * per_mm).sum::<f64>() as f32;
        let values = places(&from).iter().map(height).collect();
        let image = Image::new(1, from.clone(), Intensity::Arbitrary, values).unwrap();
        let found = how(Interpolation::Linear, Shrinking::Plain, Outside::Edge).image(&image, &to).unwrap();
        let back = from.affine().unwrap().inverse().unwrap();
        for (value, place) in found.values().iter().zip(places(&to)) {
            let voxel = back.world_mm(place);
            if (0..3).all(|axis| (0.0..=(from.shape()[2 - axis] - 1) as f64).contains(&voxel[axis])) {
                prop_assert!((value - height(&place)).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn turning_before_or_after_gives_the_same(from in grids(), shape in shapes(), seed: u32) {
        let image = image(from.clone(), 2, seed);
        let to = from.with_shape(shape).unwrap();
        let turn = Reorientation::new(&to, "SLA".parse::<Orientation>().unwrap()).unwrap();
        for interpolation in [Interpolation::Linear, Interpolation::Cubic] {
            for shrinking in [Shrinking::Plain, Shrinking::Antialiased] {
                let how = how(interpolation, shrinking, Outside::Edge);
                let after = turn.image(&how.image(&image, &to).unwrap()).unwrap();
                let at_once = how.image(&image, turn.grid()).unwrap();
                for (a, b) in after.values().iter().zip(at_once.values()) {
                    prop_assert!((a - b).abs() < 2e-3, "{} {}", a, b);
                }
            }
        }
    }

    #[test]
    fn axes_by_themselves_and_point_by_point_give_the_same(from in grids(), shape in shapes(), seed: u32) {
        let image = image(from.clone(), 1, seed);
        let to = from.with_shape(shape).unwrap();
        // A shear of 1e-3 new voxels takes the slow way, moves a place by 0.007 source voxels at most, and there neighbours
        // differ by 100, splines through them by a little more a voxel.
        let mut sheared = to.affine().unwrap().matrix;
        let nudge = 1e-3 / (shape[2] as f64);
        (0..3).for_each(|row| sheared[row][0] += nudge * sheared[row][1]);
        let sheared = Geometry::<3>::placed(shape, Affine { matrix: sheared }).unwrap();
        for interpolation in [Interpolation::Linear, Interpolation::Cubic] {
            for shrinking in [Shrinking::Plain, Shrinking::Antialiased] {
                let how = how(interpolation, shrinking, Outside::Edge);
                let (a, b) = (how.image(&image, &to).unwrap(), how.image(&image, &sheared).unwrap());
                for (a, b) in a.values().iter().zip(b.values()) {
                    prop_assert!((a - b).abs() < 2.0, "{} {}", a, b);
                }
            }
        }
    }

    #[test]
    fn labels_made_finer_come_back(grid in grids(), factors in proptest::array::uniform3(1usize..4)) {
        let n = grid.n_points();
        let labels = LabelMap::new(grid.clone(), (0..n).map(|v| (v % 7) as u16).collect(), 7).unwrap();
        let shape = grid.shape();
        let fine = grid.with_shape([0, 1, 2].map(|axis| shape[axis] * factors[axis])).unwrap();
        let finer = resample_labels(&labels, &fine, 0).unwrap();
        for class in 0..7 {
            let count = |labels: &LabelMap<3>| labels.labels().iter().filter(|label| **label == class).count();
            prop_assert_eq!(count(&finer), count(&labels) * factors.iter().product::<usize>());
        }
        prop_assert_eq!(resample_labels(&finer, &grid, 0).unwrap(), labels);
    }
}

#[test]
fn a_smooth_volume_survives_the_way_there_and_back() {
    let grid = turned([0.2, -0.1, 0.3], [3.0, 1.0, 1.0], [0.0; 3], [12, 30, 28]);
    let smooth = |place: &[f64; 3]| ((place[0] * 0.2).sin() + (place[1] * 0.15).cos() + (place[2] * 0.1).sin()) as f32;
    let image = Image::new(1, grid.clone(), Intensity::Arbitrary, places(&grid).iter().map(smooth).collect()).unwrap();
    let how = how(Interpolation::Cubic, Shrinking::Antialiased, Outside::Edge);
    let there = how.image(&image, &grid.with_new_spacing([1.0, 0.8, 0.9]).unwrap()).unwrap();
    let back = how.image(&there, &grid).unwrap();
    let worst = back.values().iter().zip(image.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // The way back blurs by (3 - 1) / 2 fine slices, of a wave of 63 of them, and mirrored borders bend the spline.
    assert!(worst < 0.06, "{worst}");
    assert!(back.geometry().check_same_grid(&grid, 0.0, "image").is_ok());
}

#[test]
fn fine_detail_becomes_grey_with_the_gaussian_and_false_detail_without() {
    let grid = Geometry::<3>::with_spacing([1, 32, 32], [1.0; 3]).unwrap();
    let stripes: Vec<f32> = (0..1024).map(|n| if n % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let image = Image::new(1, grid.clone(), Intensity::Arbitrary, stripes).unwrap();
    let coarse = grid.with_shape([1, 11, 11]).unwrap();
    let spread = |shrinking| {
        let small = how(Interpolation::Linear, shrinking, Outside::Edge).image(&image, &coarse).unwrap();
        let inner = (2..9).flat_map(|row| small.values()[row * 11 + 2..row * 11 + 9].to_vec());
        inner.map(f32::abs).fold(0.0, f32::max)
    };
    assert!(spread(Shrinking::Plain) > 0.5, "{}", spread(Shrinking::Plain));
    assert!(spread(Shrinking::Antialiased) < 0.02, "{}", spread(Shrinking::Antialiased));
}

#[test]
fn flat_images_are_resampled_as_volumes_of_one_slice() {
    let flat = Geometry::<2>::with_spacing([3, 4], [2.0, 1.0]).unwrap();
    let deep = Geometry::<3>::with_spacing([1, 3, 4], [5.0, 2.0, 1.0]).unwrap();
    let values: Vec<f32> = (0..12u8).map(|n| f32::from(n * n)).collect();
    let a = Image::new(1, flat.clone(), Intensity::Arbitrary, values.clone()).unwrap();
    let b = Image::new(1, deep.clone(), Intensity::Arbitrary, values).unwrap();
    for interpolation in ALL {
        let how = how(interpolation, Shrinking::Antialiased, Outside::Value(0.0));
        let found = how.image(&a, &flat.with_new_spacing([1.5, 2.5]).unwrap()).unwrap();
        let expected = how.image(&b, &deep.with_new_spacing([5.0, 1.5, 2.5]).unwrap()).unwrap();
        assert_eq!(found.values(), expected.values());
    }
}

#[test]
fn grids_that_say_different_things_are_refused() {
    let placed = turned([0.0; 3], [1.0; 3], [0.0; 3], [2, 2, 2]);
    let spaced = Geometry::<3>::with_spacing([2, 2, 2], [1.0; 3]).unwrap();
    let bare = Geometry::<3>::without_spacing([2, 2, 2]).unwrap();
    let how = how(Interpolation::Linear, Shrinking::Plain, Outside::Edge);
    for (from, to) in [(&placed, &spaced), (&spaced, &placed), (&spaced, &bare), (&bare, &placed)] {
        let refused = how.image(&image(from.clone(), 1, 1), to).unwrap_err();
        assert!(matches!(&refused, ResampleError::Unrelated { .. }), "{refused}");
        assert!(refused.to_string().contains("\nhint: "));
    }
    assert!(how.image(&image(bare.clone(), 1, 1), &bare.with_shape([1, 3, 4]).unwrap()).is_ok());
}

#[test]
fn a_filling_that_is_no_number_or_no_class_is_refused_where_it_is_needed() {
    let from = turned([0.0; 3], [1.0; 3], [0.0; 3], [2, 2, 2]);
    let to = turned([0.0; 3], [1.0; 3], [5.0; 3], [2, 2, 2]);
    let how = how(Interpolation::Linear, Shrinking::Plain, Outside::Value(f32::NAN));
    assert!(matches!(how.image(&image(from.clone(), 1, 1), &to), Err(ResampleError::Image(_))));
    assert!(how.image(&image(from.clone(), 1, 1), &from).is_ok());
    let labels = LabelMap::new(from, vec![1; 8], 2).unwrap();
    assert!(matches!(resample_labels(&labels, &to, 2), Err(ResampleError::Labels(_))));
}
