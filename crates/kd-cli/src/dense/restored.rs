//! One restored slice under several eyes: as it is, what is wrong with it, its hardest place enlarged, and whether what
//! was taken away was noise.

use anyhow::Result;
use kd_report::{Exhibit, Panel};

use super::pictures::grey;

/// The enlarged place has this part of the slice's sides, and is enlarged by as much.
const PART: usize = 4;
/// Bins along each axis of a picture of what was removed over the noise.
const BINS: usize = 96;

/// The pictures of a slice: the truth, the input, and answers by name. `window` is shown from black to white.
///
/// # Policy
/// - Differences from the truth have one scale, wide enough for 99 of 100 points of the input.
/// - The enlarged place is where the squared errors of all answers together are largest.
/// - Noise is input minus truth, removed is input minus answer; their correlation is over all points.
pub(super) fn exhibit(
    [truth, input]: [&[f32]; 2],
    answers: &[(String, Vec<f32>)],
    shape: [usize; 2],
    window: [f32; 2],
    unit: &str,
) -> Result<Exhibit> {
    let answered = answers.iter().map(|(name, values)| (name.as_str(), values.as_slice()));
    let shown: Vec<(&str, &[f32])> = [("truth", truth), ("input", input)].into_iter().chain(answered).collect();
    let noise = minus(input, truth);
    let most = widest(&noise);
    let place = hardest(truth, answers, shape);
    let whole = shown.iter().map(|(name, values)| grey(name, values, shape, window));
    let differences = shown[1..].iter().map(|(name, values)| {
        let difference = minus(values, truth);
        grey(&format!("{name} - truth"), &difference, shape, [-most, most])
    });
    let enlarged = shown.iter().map(|(name, values)| {
        let (values, shape) = place.enlarged(values, shape[1]);
        grey(&format!("{name}, enlarged"), &values, shape, window)
    });
    let removed = shown[2..].iter().map(|(name, values)| {
        let removed = minus(input, values);
        let r = correlation(&noise, &removed).map_or(String::new(), |r| format!(", r = {r:.2}"));
        grey(&format!("{name}: removed by noise{r}"), &joint(&noise, &removed, most), [BINS; 2], [0.0, 1.0])
    });
    let rows = vec![
        whole.collect::<Result<Vec<Panel>>>()?,
        differences.collect::<Result<_>>()?,
        enlarged.collect::<Result<_>>()?,
        removed.collect::<Result<_>>()?,
    ];
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let [top, left] = place.corner;
    let caption = format!(
        "Grey values from {} to {}{unit}; differences from -{most:.3} to {most:.3}{unit}, grey is none. Enlarged: rows from \
         {top} and columns from {left}, where errors are largest. Last row: how often the noise of a point (input minus \
         truth, to the right) meets what an answer removed there (input minus answer, upwards), both from -{most:.3} to \
         {most:.3}{unit}. A line from corner to corner: noise alone was removed, and all of it; a level line: nothing was.",
        window[0], window[1]
    );
    Ok(Exhibit { title: String::new(), caption, rows })
}

fn minus(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// A size that 99 of 100 points do not go beyond.
fn widest(differences: &[f32]) -> f32 {
    let mut sizes: Vec<f32> = differences.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    sizes[(sizes.len() - 1) * 99 / 100].max(f32::MIN_POSITIVE)
}

/// A part of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    corner: [usize; 2],
    size: [usize; 2],
}

impl Place {
    /// The values in it, every one as a square of `PART` points, and their shape.
    fn enlarged(self, values: &[f32], columns: usize) -> (Vec<f32>, [usize; 2]) {
        let Self { corner: [top, left], size: [height, width] } = self;
        let shape = [height * PART, width * PART];
        let value = |n: usize| {
            let [row, column] = [n / shape[1] / PART, n % shape[1] / PART];
            values[(top + row) * columns + left + column]
        };
        ((0..shape[0] * shape[1]).map(value).collect(), shape)
    }
}

/// Where the squared errors of all answers add up to most; the first of equal places.
fn hardest(truth: &[f32], answers: &[(String, Vec<f32>)], [rows, columns]: [usize; 2]) -> Place {
    let size = [rows.div_ceil(PART), columns.div_ceil(PART)];
    // Sums over everything above and to the left.
    let mut sums = vec![0.0; (rows + 1) * (columns + 1)];
    let at = |row: usize, column: usize| row * (columns + 1) + column;
    for row in 0..rows {
        let mut in_row = 0.0;
        for column in 0..columns {
            let point = row * columns + column;
            in_row += answers.iter().map(|(_, values)| f64::from(values[point] - truth[point]).powi(2)).sum::<f64>();
            sums[at(row + 1, column + 1)] = sums[at(row, column + 1)] + in_row;
        }
    }
    let inside = |[top, left]: [usize; 2]| {
        let [bottom, right] = [top + size[0], left + size[1]];
        sums[at(bottom, right)] - sums[at(top, right)] - sums[at(bottom, left)] + sums[at(top, left)]
    };
    let places = (0..=rows - size[0]).flat_map(|top| (0..=columns - size[1]).map(move |left| [top, left]));
    let (corner, _) = places.fold(([0, 0], f64::NEG_INFINITY), |(best, most), corner| {
        let sum = inside(corner);
        if sum > most { (corner, sum) } else { (best, most) }
    });
    Place { corner, size }
}

/// How often pairs of values meet, from 0 to 1 in logarithms: the first to the right, the second upwards, both from
/// `-most` to `most`; what lies beyond is left out.
fn joint(right: &[f32], up: &[f32], most: f32) -> Vec<f32> {
    let bin = |value: f32| {
        let place = (value / most + 1.0) / 2.0 * BINS as f32;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
        (0.0..BINS as f32).contains(&place).then_some(place as usize)
    };
    let mut counts = vec![0.0f32; BINS * BINS];
    for (&right, &up) in right.iter().zip(up) {
        if let (Some(column), Some(row)) = (bin(right), bin(up)) {
            counts[(BINS - 1 - row) * BINS + column] += 1.0;
        }
    }
    let highest = counts.iter().copied().fold(1.0, f32::max).ln_1p();
    counts.into_iter().map(|count| count.ln_1p() / highest).collect()
}

/// Pearson's correlation; none where either does not vary.
fn correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    let mean = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let means = [mean(a), mean(b)];
    let (mut both, mut squares) = (0.0, [0.0; 2]);
    for (&a, &b) in a.iter().zip(b) {
        let [a, b] = [f64::from(a) - means[0], f64::from(b) - means[1]];
        both += a * b;
        squares[0] += a * a;
        squares[1] += b * b;
    }
    let scale = (squares[0] * squares[1]).sqrt();
    (scale > 0.0).then(|| both / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hardest_place_is_the_one_with_the_largest_errors() {
        let truth = vec![0.0; 8 * 12];
        let mut answer = truth.clone();
        (answer[12 + 1], answer[6 * 12 + 9], answer[7 * 12 + 10]) = (1.0, 0.9, -0.9);
        let place = hardest(&truth, &[("a".into(), answer.clone())], [8, 12]);
        assert_eq!(place.size, [2, 3]);
        let [top, left] = place.corner;
        assert!(top == 6 && (8..=9).contains(&left), "{place:?}");
        let (enlarged, shape) = place.enlarged(&answer, 12);
        assert_eq!((shape, enlarged.len()), ([8, 12], 96));
        assert_eq!(enlarged.iter().filter(|&&value| value > 0.5).count(), PART * PART);
    }

    #[test]
    fn what_is_removed_and_was_noise_lies_on_the_rising_line() {
        let noise: Vec<f32> = (0..=100).map(|n| n as f32 / 50.0 - 1.0).collect();
        let counts = joint(&noise, &noise, 1.01);
        for row in 0..BINS {
            for column in 0..BINS {
                assert!(counts[row * BINS + column] == 0.0 || row + column == BINS - 1, "{row} {column}");
            }
        }
        assert!((correlation(&noise, &noise).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(correlation(&noise, &vec![3.0; noise.len()]), None);
        let against: Vec<f32> = noise.iter().map(|value| -2.0 * value).collect();
        assert!((correlation(&noise, &against).unwrap() + 1.0).abs() < 1e-12);
    }

    #[test]
    fn each_answer_is_shown_four_times_and_the_input_three_times() {
        let truth: Vec<f32> = (0..64).map(|n| n as f32).collect();
        let input: Vec<f32> = truth.iter().map(|value| value + (value * 7.0).sin()).collect();
        let answer: Vec<f32> = truth.iter().zip(&input).map(|(truth, input)| (truth + input) / 2.0).collect();
        let found = exhibit([&truth, &input], &[("alone".to_owned(), answer)], [8, 8], [0.0, 64.0], "HU").unwrap();
        assert_eq!(found.rows.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 3, 1]);
        assert_eq!(found.rows[3][0].label, "alone: removed by noise, r = 1.00");
        assert!(found.caption.contains("from 0 to 64 HU"), "{}", found.caption);
    }
}
