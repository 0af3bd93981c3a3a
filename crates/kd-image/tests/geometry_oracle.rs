//! Resampling against SimpleITK and SciPy, turned axes against nibabel.

use std::path::Path;

use kd_image::{
    Affine, Geometry, Image, Intensity, Interpolation, LabelMap, Outside, Reorientation, Resampling, Shrinking,
    resample_labels,
};
use serde_json::Value;

fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/geometry.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|v| v as f32).collect()
}

fn affine(value: &Value) -> Affine {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Affine { matrix: std::array::from_fn(|row| std::array::from_fn(|column| rows[row][column])) }
}

fn grid(value: &Value) -> Geometry<3> {
    let shape: Vec<usize> = numbers(&value["shape"]).into_iter().map(|n| n as usize).collect();
    Geometry::<3>::placed(shape.try_into().unwrap(), affine(&value["affine"])).unwrap()
}

#[test]
fn resampled_volumes_equal_those_of_simpleitk_and_scipy() {
    let document = document();
    let source = singles(&document["source"]);
    let largest = source.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 28);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let image = Image::new(1, grid(&case["from"]), Intensity::Arbitrary, source.clone()).unwrap();
        let to = grid(&case["to"]);
        let how = Resampling {
            interpolation: match case["interpolation"].as_str().unwrap() {
                "nearest" => Interpolation::Nearest,
                "linear" => Interpolation::Linear,
                _ => Interpolation::Cubic,
            },
            shrinking: if case["shrinking"] == "plain" { Shrinking::Plain } else { Shrinking::Antialiased },
            outside: case["outside"].as_f64().map_or(Outside::Edge, |value| Outside::Value(value as f32)),
        };
        let found = how.image(&image, &to).unwrap();
        assert_eq!(found.geometry(), &to);
        let expected = numbers(&case["expected"]);
        assert_eq!(found.values().len(), expected.len());
        let compared = case["compared"].as_array();
        let is_compared = |n: usize| compared.is_none_or(|compared| compared[n] == 1);
        assert!((0..expected.len()).filter(|&n| is_compared(n)).count() * 2 > expected.len(), "{name}");
        for n in (0..expected.len()).filter(|&n| is_compared(n)) {
            // Weights and sums of 32 bits: a few roundings of 6e-8 of the largest value, and the cubic's gain of 6³.
            let tolerance = f64::from(largest) * if how.interpolation == Interpolation::Cubic { 4e-6 } else { 5e-7 };
            let difference = (f64::from(found.values()[n]) - expected[n]).abs();
            assert!(difference <= tolerance, "{name}, point {n}: {} {}", found.values()[n], expected[n]);
        }
    }
}

#[test]
fn labels_take_the_place_that_simpleitk_gives_them() {
    let document = document();
    // Every point a label of its own.
    let source: Vec<u16> = (1..=6 * 9 * 7).collect();
    let values = singles(&document["source"]);
    let mut seen = 0;
    for case in document["cases"].as_array().unwrap().iter().filter(|case| case["interpolation"] == "nearest") {
        let labels = LabelMap::new(grid(&case["from"]), source.clone(), 1000).unwrap();
        let found = resample_labels(&labels, &grid(&case["to"]), 999).unwrap();
        for (label, expected) in found.labels().iter().zip(singles(&case["expected"])) {
            let value = if *label == 999 { -77.0 } else { values[usize::from(*label) - 1] };
            // SimpleITK copies the value; nine digits of it are stored.
            assert!((value - expected).abs() < 1e-5, "{}", case["name"]);
            seen += 1;
        }
    }
    assert!(seen > 2000, "{seen}");
}

#[test]
fn turned_axes_equal_those_of_nibabel() {
    let document = document();
    let turns = document["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 16);
    for case in turns {
        let from = grid(&case["from"]);
        assert_eq!(from.orientation().unwrap().to_string(), case["orientation"], "{}", case["name"]);
        let image = Image::new(1, from, Intensity::Arbitrary, (0..24u8).map(f32::from).collect()).unwrap();
        let turn = Reorientation::new(image.geometry(), case["wanted"].as_str().unwrap().parse().unwrap()).unwrap();
        let turned = turn.image(&image).unwrap();
        assert_eq!(turned.values(), singles(&case["values"]), "{} {}", case["name"], case["wanted"]);
        let shape: Vec<usize> = numbers(&case["shape"]).into_iter().map(|n| n as usize).collect();
        let expected = Geometry::<3>::placed(shape.try_into().unwrap(), affine(&case["affine"])).unwrap();
        // Both add and multiply in 64 bits, in another order.
        assert!(turned.geometry().same_grid(&expected, 1e-12), "{} {}", case["name"], case["wanted"]);
    }
}
