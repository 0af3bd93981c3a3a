//! Runs over every row of the property table: properties, derivatives, extreme numbers, stored precision.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use kd_core::loss::Beside;
use proptest::prelude::*;

use crate::feature_subjects::{feature_losses, image_losses};
use crate::subjects::{Cell, Subject, logit_losses};
use crate::tensors::{assert_all_near, assert_near, numbers, scalar, tensor, value_and_gradient};

/// What every row is asked with: student, teacher and labels drawn asymmetrically.
struct Drawn {
    student: Tensor<4>,
    teacher: Tensor<4>,
    labels: Tensor<4, Int>,
}

fn every_subject() -> Vec<Subject> {
    logit_losses(2.0).into_iter().chain(feature_losses()).chain(image_losses()).collect()
}

fn position_dims(dims: [usize; 4]) -> [usize; 4] {
    [dims[0], 1, dims[2], dims[3]]
}

fn drawn(dims: [usize; 4], phase: f64, dtype: DType) -> Drawn {
    let size = dims.iter().product::<usize>();
    // Sines of irrational steps: no repeats, no symmetry, a chosen size.
    let wave = |step: f64, shift: f64, spread: f64| -> Vec<f64> {
        (0..size).map(|i| spread * (step * i as f64 + shift + phase).sin()).collect()
    };
    let positions = position_dims(dims);
    let classes = dims[1].max(2);
    let labels: Vec<i32> =
        (0..positions.iter().product()).map(|i: usize| ((i / 7 + i * i / 90) % classes) as i32).collect();
    Drawn {
        student: tensor(&wave(1.7, 0.0, 2.0), dims, dtype),
        teacher: tensor(&wave(2.3, 0.8, 3.0), dims, dtype),
        labels: Tensor::from_data(TensorData::new(labels, positions), &Device::flex()),
    }
}

impl Drawn {
    fn beside(&self) -> Beside<4> {
        Beside::new(self.teacher.clone()).with_labels(Some(self.labels.clone()))
    }

    fn value(&self, subject: &Subject) -> f64 {
        scalar((subject.run)(self.student.clone(), self.beside()))
    }

    fn map(self, f: impl Fn(Tensor<4>) -> Tensor<4>, g: impl Fn(Tensor<4, Int>) -> Tensor<4, Int>) -> Self {
        Self { student: f(self.student), teacher: f(self.teacher), labels: g(self.labels) }
    }

    fn with_student(self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self { student: f(self.student.clone()), ..self }
    }
}

/// Checks one cell: equal numbers for a `Yes`, clearly different ones for a `No`.
fn judge(subject: &Subject, property: &str, cell: Cell, found: f64, expected: f64) {
    let what = format!("{}: {property}", subject.name);
    match cell {
        // Sums of some hundred terms of order 1 to 100 in float64, and ε = 1e-7 of the standardisation.
        Cell::Yes => assert_near(found, expected, 1e-9, 1e-9, &what),
        Cell::No(reason) => {
            assert!(reason.len() > 10, "{what} needs a reason");
            let apart = (found - expected).abs() > 1e-6 * expected.abs().max(1e-2);
            assert!(apart, "{what} is said not to hold ({reason}), but {found} equals {expected}");
        }
        Cell::Moot(reason) => assert!(reason.len() > 10, "{what} needs a reason"),
    }
}

/// An orthogonal matrix `[n, n]`: a product of plane rotations.
fn rotation(n: usize) -> Tensor<2> {
    let mut rows: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    if n == 1 {
        rows[0][0] = -1.0;
    }
    for i in 0..n {
        for j in i + 1..n {
            let (sine, cosine) = (0.7 + 0.9 * i as f64 + 0.4 * j as f64).sin_cos();
            for row in &mut rows {
                (row[i], row[j]) = (cosine * row[i] - sine * row[j], sine * row[i] + cosine * row[j]);
            }
        }
    }
    tensor(&rows.concat(), [n, n], DType::F64)
}

fn turned(map: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = map.dims();
    let flat = map.reshape([batch, channels, height * width]);
    let matrix = rotation(channels).unsqueeze::<3>().expand([batch, channels, channels]);
    matrix.matmul(flat).reshape([batch, channels, height, width])
}

/// An order of pixels that is no symmetry of a small map.
fn order(pixels: usize) -> Tensor<1, Int> {
    let mut order: Vec<i32> = (0..pixels as i32).collect();
    order.sort_by_key(|i| (31 * i * i + 17 * i) % 101);
    Tensor::from_data(order.as_slice(), &Device::flex())
}

fn shuffled(map: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = map.dims();
    let flat = map.reshape([batch, channels, height * width]);
    flat.select(2, order(height * width)).reshape([batch, channels, height, width])
}

fn shuffled_labels(map: Tensor<4, Int>) -> Tensor<4, Int> {
    let [batch, channels, height, width] = map.dims();
    let flat = map.reshape([batch, channels, height * width]);
    flat.select(2, order(height * width)).reshape([batch, channels, height, width])
}

fn check_properties(subject: &Subject, phase: f64) {
    let draw = || drawn(subject.dims, phase, DType::F64);
    let plain = draw().value(subject);
    let [batch, _, height, width] = subject.dims;

    let at_teacher = |d: &Drawn| value_and_gradient(d.teacher.clone(), |s| (subject.run)(s, d.beside()));
    let (value, gradient) = at_teacher(&draw());
    judge(subject, "zero at the teacher", subject.zero, value, 0.0);
    let steepest = gradient.iter().fold(0.0f64, |a, g| a.max(g.abs()));
    judge(subject, "zero gradient at the teacher", subject.zero_gradient, steepest, 0.0);

    let shifted = draw().with_student(|s| s.add_scalar(1.25));
    judge(subject, "shift", subject.shift, shifted.value(subject), plain);
    let scaled = draw().with_student(|s| s.mul_scalar(1.75));
    judge(subject, "scale", subject.scale, scaled.value(subject), plain);
    judge(subject, "rotation", subject.rotation, draw().with_student(turned).value(subject), plain);

    let rolled = draw().map(|t| t.roll_dim(1, 0).flip([0]), |t| t.roll_dim(1, 0).flip([0]));
    judge(subject, "order of samples", subject.samples, rolled.value(subject), plain);
    if height * width > 1 {
        let moved = draw().map(shuffled, shuffled_labels);
        judge(subject, "order of pixels", subject.pixels, moved.value(subject), plain);
    }

    let (axis, length) = if height * width > 1 { (2, height) } else { (0, batch) };
    let kept = draw().map(|t| t.narrow(axis, 0, length - 1), |t| t.narrow(axis, 0, length - 1));
    let positions = position_dims(subject.dims);
    let mut gone = positions;
    gone[axis] = 1;
    let options = (&Device::flex(), DType::F64);
    let mut here = positions;
    here[axis] = length - 1;
    let mask = Tensor::cat(vec![Tensor::<4>::ones(here, options), Tensor::zeros(gone, options)], axis);
    assert_eq!(mask.dims(), [batch, 1, height, width]);
    let d = draw();
    let masked = scalar((subject.run)(d.student.clone(), d.beside().with_mask(Some(mask))));
    judge(subject, "masking as cutting", subject.removal, masked, kept.value(subject));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn every_cell_of_the_property_table_holds(phase in 0.0f64..6.0) {
        for subject in every_subject() {
            check_properties(&subject, phase);
        }
    }
}

/// A mask without symmetry, with weights of 0, 1 and 2, that leaves whole windows of 3.
fn patchy(dims: [usize; 4], dtype: DType) -> Tensor<4> {
    let positions = position_dims(dims);
    let values: Vec<f64> = (0..positions.iter().product())
        .map(|i: usize| if i % 23 == 2 { 0.0 } else { 1.0 + f64::from(u8::from(i % 5 == 1)) })
        .collect();
    tensor(&values, positions, dtype)
}

#[test]
fn every_gradient_is_the_derivative() {
    for subject in every_subject() {
        let d = drawn(subject.dims, 0.3, DType::F64);
        for mask in [None, Some(patchy(subject.dims, DType::F64))] {
            let what = format!("{} masked={}", subject.name, mask.is_some());
            let beside = d.beside().with_mask(mask);
            let (_, gradient) = value_and_gradient(d.student.clone(), |s| (subject.run)(s, beside.clone()));
            assert!(gradient.iter().any(|g| g.abs() > 1e-5), "{what}: a zero gradient would prove nothing");
            let at = numbers(d.student.clone());
            for i in 0..at.len() {
                let shifted = |step: f64| {
                    let mut moved = at.clone();
                    moved[i] += step;
                    scalar((subject.run)(tensor(&moved, subject.dims, DType::F64), beside.clone()))
                };
                // Four points: truncation of order step⁴, so a step of 1e-4 leaves rounding alone, 1e-12 of the value.
                let h = 1e-4;
                let difference =
                    (8.0 * (shifted(h) - shifted(-h)) - (shifted(2.0 * h) - shifted(-2.0 * h))) / (12.0 * h);
                assert_near(gradient[i], difference, 1e-8, 1e-7, &format!("{what} [{i}]"));
            }
        }
    }
}

#[test]
fn extreme_numbers_stay_finite_in_single_precision() {
    for temperature in [1.0, 10.0] {
        for subject in logit_losses(temperature).into_iter().chain(feature_losses()).chain(image_losses()) {
            let d = drawn(subject.dims, 0.3, DType::F32);
            let signs = |t: Tensor<4>, phase: f32| t.add_scalar(phase).sign().mul_scalar(1e4);
            let all_equal = d.student.full_like(1e4);
            let cases = [
                (signs(d.student.clone(), 0.5), signs(d.teacher.clone(), -0.5)),
                (signs(d.student.clone(), 0.5), all_equal.clone()),
                (all_equal, signs(d.teacher.clone(), -0.5)),
                (signs(d.student.clone(), 0.5), signs(d.student.clone(), 0.5)),
            ];
            for (case, (student, teacher)) in cases.into_iter().enumerate() {
                let beside = Beside { teacher, ..d.beside() };
                let (value, gradient) = value_and_gradient(student, |s| (subject.run)(s, beside));
                let finite = value.is_finite() && gradient.iter().all(|g| g.is_finite());
                assert!(finite, "{} τ={temperature} case {case}: {value} {gradient:?}", subject.name);
            }
        }
    }
}

#[test]
fn whatever_stands_at_a_masked_pixel_changes_neither_value_nor_gradient() {
    for subject in every_subject() {
        let d = drawn(subject.dims, 1.1, DType::F64);
        let mask = patchy(subject.dims, DType::F64);
        let hidden = mask.clone().equal_elem(0.0);
        let run = |s: f64, t: f64| {
            let everywhere = hidden.clone().expand(subject.dims);
            let student = d.student.clone().mask_fill(everywhere.clone(), s);
            let beside = Beside { teacher: d.teacher.clone().mask_fill(everywhere, t), ..d.beside() };
            value_and_gradient(student, |student| (subject.run)(student, beside.with_mask(Some(mask.clone()))))
        };
        let expected = run(0.5, -0.25);
        for (s, t) in [(1e4, -1e4), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert_eq!(run(s, t), expected, "{} {s} {t}", subject.name);
        }
    }
}

#[test]
fn a_mask_without_a_valid_position_gives_exactly_zero_and_a_zero_gradient() {
    for subject in every_subject() {
        let d = drawn(subject.dims, 1.1, DType::F64);
        let nothing = patchy(subject.dims, DType::F64).zeros_like();
        let beside = Beside { teacher: d.teacher.full_like(f64::NAN), ..d.beside() }.with_mask(Some(nothing));
        let (value, gradient) = value_and_gradient(d.student.clone(), |s| (subject.run)(s, beside));
        assert!(value == 0.0 && gradient.iter().all(|g| *g == 0.0), "{}: {value} {gradient:?}", subject.name);
    }
}

#[test]
fn no_gradient_reaches_a_teacher_or_a_mask_that_asks_for_one() {
    for subject in every_subject() {
        let d = drawn(subject.dims, 0.3, DType::F32);
        let student = d.student.clone().autodiff().require_grad();
        let teacher = d.teacher.clone().autodiff().require_grad();
        let mask = patchy(subject.dims, DType::F32).autodiff().require_grad();
        let beside = Beside { teacher: teacher.clone(), ..d.beside() }.with_mask(Some(mask.clone()));
        let gradients = (subject.run)(student.clone(), beside).backward();
        assert!(student.grad(&gradients).is_some(), "{}", subject.name);
        assert!(teacher.grad(&gradients).is_none() && mask.grad(&gradients).is_none(), "{}", subject.name);
    }
}

#[test]
fn soft_labels_stored_in_half_precision_move_a_loss_by_no_more_than_their_rounding() {
    for subject in every_subject() {
        let d = drawn(subject.dims, 0.7, DType::F64);
        let value = |teacher: Tensor<4>| scalar((subject.run)(d.student.clone(), Beside { teacher, ..d.beside() }));
        let full = numbers(d.teacher.clone());
        let stored = numbers(d.teacher.clone().cast(DType::F16).cast(DType::F64));
        // First order: Σ |∂L/∂t|·|Δt|, by differences, since a loss gives the teacher no gradient. The second order is
        // below a tenth of it: Δt is at most 2⁻¹⁰.
        let mut bound = 0.0;
        for i in 0..full.len() {
            let moved = |step: f64| {
                let mut teacher = full.clone();
                teacher[i] += step;
                value(tensor(&teacher, subject.dims, DType::F64))
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((stored[i] - full[i]).abs() <= 2f64.powi(-10), "teacher numbers lie within ±4");
            bound += (slope * (stored[i] - full[i])).abs();
        }
        let found = value(tensor(&stored, subject.dims, DType::F64));
        let expected = value(d.teacher.clone());
        assert!((found - expected).abs() <= 1.1 * bound + 1e-6, "{}: {found} {expected} {bound}", subject.name);
    }
    assert_all_near(
        &numbers(tensor::<1>(&[0.1], [1], DType::F16).cast(DType::F64)),
        &[0.1],
        2f64.powi(-14),
        0.0,
        "f16",
    );
}
