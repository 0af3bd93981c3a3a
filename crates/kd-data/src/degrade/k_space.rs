//! Lines of k-space: what a magnetic resonance scanner measures one after the other, and an image from some of them.
//!
//! The transform runs along the columns only, because the axis that is read out is sampled whole and its two transforms
//! cancel. It is written as the sums that define it: no library, exact for every number of rows, and quick enough because
//! the inner loop runs along a row.

use kd_image::Image;

use super::draw::Draw;
use super::{DegradeError, same_grid};

/// `e^(2πi m / n)` for `m` in `0..n`.
pub(super) struct Turns(Vec<[f64; 2]>);

impl Turns {
    pub(super) fn new(rows: usize) -> Self {
        let turn = |m: usize| (std::f64::consts::TAU * m as f64 / rows as f64).sin_cos();
        Self((0..rows).map(turn).map(|(sin, cos)| [cos, sin]).collect())
    }

    fn of(&self, line: usize, row: usize) -> [f64; 2] {
        self.0[line * row % self.0.len()]
    }
}

/// A slice from the lines that were added to it, before the magnitude is taken.
pub(super) struct Acquired {
    real: Vec<f64>,
    imaginary: Vec<f64>,
}

impl Acquired {
    pub(super) fn nothing(points: usize) -> Self {
        Self { real: vec![0.0; points], imaginary: vec![0.0; points] }
    }

    /// Measures one line of a slice of `columns` columns and adds its share of the image.
    pub(super) fn add_line(&mut self, slice: &[f32], columns: usize, line: usize, turns: &Turns) {
        let rows = slice.len() / columns;
        let (mut real, mut imaginary) = (vec![0.0; columns], vec![0.0; columns]);
        for (row, values) in slice.chunks_exact(columns).enumerate() {
            let [cos, sin] = turns.of(line, row);
            for ((real, imaginary), &value) in real.iter_mut().zip(&mut imaginary).zip(values) {
                *real += cos * f64::from(value);
                *imaginary -= sin * f64::from(value);
            }
        }
        let share = 1.0 / rows as f64;
        let into = self.real.chunks_exact_mut(columns).zip(self.imaginary.chunks_exact_mut(columns));
        for (row, (into_real, into_imaginary)) in into.enumerate() {
            let [cos, sin] = turns.of(line, row).map(|part| part * share);
            let measured = real.iter().zip(&imaginary);
            for ((a, b), (re, im)) in into_real.iter_mut().zip(into_imaginary).zip(measured) {
                *a += cos * re - sin * im;
                *b += cos * im + sin * re;
            }
        }
    }

    pub(super) fn magnitude(&self) -> impl Iterator<Item = f32> {
        self.real.iter().zip(&self.imaginary).map(|(re, im)| re.hypot(*im) as f32)
    }
}

/// Lines in the order from one edge of k-space to the other: the middle one, line 0, stands at `rows / 2`.
pub(super) fn line_at(place: usize, rows: usize) -> usize {
    (place + rows - rows / 2) % rows
}

/// Places, in that order, of the lines that are kept.
fn kept(rows: usize, acceleration: f64, centre_fraction: f64, draw: &mut Draw) -> Vec<usize> {
    let count = |share: f64| ((rows as f64 * share).round() as usize).clamp(1, rows);
    let centre = count(centre_fraction);
    let all = count(1.0 / acceleration).max(centre);
    let first = rows / 2 - (centre / 2).min(rows / 2);
    let outer: Vec<usize> = (0..rows).filter(|place| !(first..first + centre).contains(place)).collect();
    let drawn = draw.some_of(all - centre, outer.len()).into_iter().map(|n| outer[n]);
    let mut places: Vec<usize> = (first..first + centre).chain(drawn).collect();
    places.sort_unstable();
    places
}

pub(super) fn undersample(
    clean: &Image<2>,
    acceleration: f64,
    centre_fraction: f64,
    draw: &mut Draw,
) -> Result<Image<2>, DegradeError> {
    let [rows, columns] = clean.geometry().shape();
    let turns = Turns::new(rows);
    // One mask for all channels: they are measured together.
    let places = kept(rows, acceleration, centre_fraction, draw);
    let mut values = Vec::with_capacity(clean.values().len());
    for channel in 0..clean.channels() {
        let mut acquired = Acquired::nothing(rows * columns);
        for &place in &places {
            acquired.add_line(clean.channel(channel), columns, line_at(place, rows), &turns);
        }
        values.extend(acquired.magnitude());
    }
    same_grid(clean, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::degrade::DegradeKey;

    fn draw(view: u32) -> Draw {
        Draw::new(DegradeKey { seed: 1, sample: &"a".parse().unwrap(), view }, "k-space")
    }

    #[test]
    fn all_lines_give_the_image_back() {
        // An odd number of rows has no line of its own opposite the middle.
        for rows in [7, 8] {
            let slice: Vec<f32> = (0..rows * 3).map(|n| ((n * n) % 13) as f32).collect();
            let turns = Turns::new(rows);
            let mut acquired = Acquired::nothing(slice.len());
            (0..rows).for_each(|place| acquired.add_line(&slice, 3, line_at(place, rows), &turns));
            for (found, expected) in acquired.magnitude().zip(&slice) {
                assert!((found - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_line_in_the_middle_is_the_mean_of_each_column() {
        let slice = [1.0, 2.0, 5.0, 4.0, 3.0, 9.0];
        let mut acquired = Acquired::nothing(6);
        acquired.add_line(&slice, 2, line_at(1, 3), &Turns::new(3));
        let found: Vec<f32> = acquired.magnitude().collect();
        assert!(found.iter().zip([3.0, 5.0, 3.0, 5.0, 3.0, 5.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn the_middle_is_always_kept_and_the_rest_changes_with_the_view() {
        let places = kept(64, 4.0, 0.125, &mut draw(0));
        assert_eq!(places.len(), 16);
        assert!((28..36).all(|place| places.contains(&place)), "{places:?}");
        assert!(places.array_windows().all(|[a, b]| a < b));
        assert_ne!(places, kept(64, 4.0, 0.125, &mut draw(1)));
        assert_eq!(kept(5, 1.0, 1.0, &mut draw(0)), [0, 1, 2, 3, 4]);
        assert_eq!(kept(1, 64.0, 0.001, &mut draw(0)), [0]);
    }
}
