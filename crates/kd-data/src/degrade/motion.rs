//! A head that moves during a scan: each part of k-space is measured of another position.

use kd_image::Image;

use super::draw::Draw;
use super::k_space::{Acquired, Turns, line_at};
use super::{DegradeError, same_grid};

/// A position: a turn about the middle of the slice, then a shift.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pose {
    angle: f64,
    shift_mm: [f64; 2],
}

pub(super) fn displace(
    clean: &Image<2>,
    moves: usize,
    max_shift_mm: f64,
    max_rotation_degrees: f64,
    draw: &mut Draw,
) -> Result<Image<2>, DegradeError> {
    let [rows, columns] = clean.geometry().shape();
    let spacing = clean.geometry().spacing_mm().ok_or(DegradeError::Spacing { kind: "motion" })?;
    if moves >= rows {
        return Err(DegradeError::Grid {
            kind: "motion",
            expected: format!("more rows than the {moves} moves"),
            found: format!("{rows} rows"),
            hint: "a head moves between two lines; ask for fewer moves",
        });
    }
    // Places, in the order of acquisition, from which on the head lies elsewhere; 0 is no move.
    let from: Vec<usize> = draw.some_of(moves, rows - 1).into_iter().map(|place| place + 1).collect();
    let poses: Vec<Pose> = (0..=moves)
        .map(|_| Pose {
            angle: draw.either_way(max_rotation_degrees).to_radians(),
            shift_mm: [draw.either_way(max_shift_mm), draw.either_way(max_shift_mm)],
        })
        .collect();
    let at_rest = from.iter().filter(|&&place| place <= rows / 2).count();
    let bounds: Vec<usize> = std::iter::once(0).chain(from).chain(std::iter::once(rows)).collect();
    let turns = Turns::new(rows);
    let mut values = Vec::with_capacity(clean.values().len());
    for channel in 0..clean.channels() {
        let mut acquired = Acquired::nothing(rows * columns);
        for (number, (pose, &[first, next])) in poses.iter().zip(bounds.array_windows()).enumerate() {
            let moved = if number == at_rest {
                clean.channel(channel).to_vec()
            } else {
                moved(clean.channel(channel), [rows, columns], spacing, *pose)
            };
            (first..next).for_each(|place| acquired.add_line(&moved, columns, line_at(place, rows), &turns));
        }
        values.extend(acquired.magnitude());
    }
    same_grid(clean, values)
}

/// The slice in another position: linear interpolation between four pixels, the edge repeated beyond it.
fn moved(slice: &[f32], [rows, columns]: [usize; 2], [row_mm, column_mm]: [f64; 2], pose: Pose) -> Vec<f32> {
    let (sin, cos) = pose.angle.sin_cos();
    let middle = |count: usize| (count as f64 - 1.0) / 2.0;
    let of = |n: usize| {
        // From where the head is now back to where it was: the shift off, then the turn back.
        let y = (((n / columns) as f64) - middle(rows)) * row_mm - pose.shift_mm[0];
        let x = (((n % columns) as f64) - middle(columns)) * column_mm - pose.shift_mm[1];
        let row = ((cos * y - sin * x) / row_mm + middle(rows)).clamp(0.0, (rows - 1) as f64);
        let column = ((sin * y + cos * x) / column_mm + middle(columns)).clamp(0.0, (columns - 1) as f64);
        let (top, left) = (row as usize, column as usize);
        let (bottom, right) = ((top + 1).min(rows - 1), (left + 1).min(columns - 1));
        let at = |row: usize, column: usize| f64::from(slice[row * columns + column]);
        let part = column - left as f64;
        let line = |row: usize| at(row, left) + part * (at(row, right) - at(row, left));
        (line(top) + (row - top as f64) * (line(bottom) - line(top))) as f32
    };
    (0..rows * columns).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_in_mm_moves_by_pixels_of_each_axis() {
        let mut slice = vec![0.0; 20];
        slice[7] = 1.0; // row 1, column 2 of 4 rows and 5 columns
        let pose = Pose { angle: 0.0, shift_mm: [2.0, -1.0] };
        let moved = moved(&slice, [4, 5], [2.0, 0.5], pose);
        let mut expected = vec![0.0; 20];
        expected[10] = 1.0; // row 2, column 0
        assert_eq!(moved, expected);
    }

    #[test]
    fn a_quarter_turn_moves_right_to_bottom() {
        let slice = [0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0];
        let pose = Pose { angle: std::f64::consts::FRAC_PI_2, shift_mm: [0.0; 2] };
        let moved = moved(&slice, [3, 3], [1.0; 2], pose);
        assert!((moved[7] - 5.0).abs() < 1e-6, "{moved:?}");
        assert!(moved.iter().enumerate().all(|(n, value)| n == 7 || value.abs() < 1e-6), "{moved:?}");
    }
}
