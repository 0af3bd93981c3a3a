//! Where the surface of a mask runs: cells between points, and the area of the surface in each.
//!
//! A cell has its corners at the centres of 2 × 2 × 2 neighbouring points (2 × 2 on a plane) and is a border cell if some
//! of them are set and some are not. The piece of surface in it joins the middles of its cut edges: corners of the rarer
//! kind are cut off one from another, and a polygon is split into triangles from a vertex whose opposite, seen through the
//! middle of the cell, is a vertex too (from any, where there is none: then the polygon is flat). For all 256 cells this
//! gives the areas of surface-distance's table, which came from marching cubes, without its 256 rows.

/// A cell's code: one bit per corner, the highest for the corner nearest the origin, the last axis fastest.
pub(super) type Code = u8;

/// Codes of the cells of a part of a mask, as many along each axis as points and one more.
///
/// `shape` is that of the whole mask, `low..high` the part, outside of which the mask counts as empty. A plane (`axes` 2)
/// has one layer of cells with codes below 16.
pub(super) fn codes(mask: &[bool], shape: [usize; 3], low: [usize; 3], high: [usize; 3], axes: usize) -> Vec<Code> {
    let size: [usize; 3] = std::array::from_fn(|axis| high[axis] - low[axis]);
    let layers = if axes == 3 { size[0] + 1 } else { 1 };
    let cells = [layers, size[1] + 1, size[2] + 1];
    let mut codes = vec![0; cells.iter().product()];
    let mut column = vec![0_u8; size[2]];
    for (index, codes) in codes.chunks_exact_mut(cells[2]).enumerate() {
        let (layer, line) = (index / cells[1], index % cells[1]);
        column.fill(0);
        for (behind, below) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            // A plane has only the layer that would be behind.
            let depth = if axes == 3 { (layer + behind).checked_sub(1) } else { (behind == 1).then_some(0) };
            let row = (line + below).checked_sub(1);
            if let (Some(depth), Some(row)) = (depth.filter(|&z| z < size[0]), row.filter(|&y| y < size[1])) {
                let start = ((low[0] + depth) * shape[1] + low[1] + row) * shape[2] + low[2];
                let weight = 128_u8 >> (4 * behind + 2 * below);
                for (column, &set) in column.iter_mut().zip(&mask[start..][..size[2]]) {
                    *column |= weight * u8::from(set);
                }
            }
        }
        for (code, &column) in codes.iter_mut().zip(&column) {
            *code = column >> 1;
        }
        for (code, &column) in codes[1..].iter_mut().zip(&column) {
            *code |= column;
        }
    }
    codes
}

/// Area in mm² of the surface in a cell of each code, or length in mm of the contour on a plane.
pub(super) fn areas(spacing_mm: &[f64]) -> Vec<f64> {
    match *spacing_mm {
        [vertical, horizontal] => {
            let half = 0.5 * (vertical * vertical + horizontal * horizontal).sqrt();
            (0_u8..16)
                .map(|code| match code {
                    0 | 15 => 0.0,
                    0b0011 | 0b1100 => horizontal,
                    0b0101 | 0b1010 => vertical,
                    0b0110 | 0b1001 => 2.0 * half,
                    _ => half,
                })
                .collect()
        }
        _ => (0..=255).map(|code| polygons(code).iter().map(|polygon| area(polygon, spacing_mm)).sum()).collect(),
    }
}

/// The middle of an edge, in half steps: 0, 1 or 2 along each axis.
type Middle = [u8; 3];

/// The outlines of the surface in a cell.
fn polygons(code: Code) -> Vec<Vec<Middle>> {
    let code = if code.count_ones() > 4 { !code } else { code };
    let set = |corner: [u8; 3]| code & (128 >> (4 * corner[0] + 2 * corner[1] + corner[2])) != 0;
    let mut pieces: Vec<(Middle, Middle)> = Vec::new();
    for (axis, side) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)] {
        let corners = [[0, 0], [0, 1], [1, 1], [1, 0]].map(|[u, v]| match axis {
            0 => [side, u, v],
            1 => [u, side, v],
            _ => [u, v, side],
        });
        let middle = |edge: usize| std::array::from_fn(|a| corners[edge % 4][a] + corners[(edge + 1) % 4][a]);
        let cut: Vec<usize> = (0..4).filter(|&edge| set(corners[edge]) != set(corners[(edge + 1) % 4])).collect();
        match cut[..] {
            [first, second] => pieces.push((middle(first), middle(second))),
            // Two set corners face each other: each is cut off by itself.
            [_, _, _, _] => {
                let alone = (0..4).filter(|&corner| set(corners[corner]));
                pieces.extend(alone.map(|corner| (middle(corner + 3), middle(corner))));
            }
            _ => {}
        }
    }
    let mut polygons = Vec::new();
    while let Some((first, second)) = pieces.pop() {
        let (mut polygon, mut last) = (vec![first], second);
        while let Some(index) = pieces.iter().position(|piece| piece.0 == last || piece.1 == last) {
            polygon.push(last);
            let (a, b) = pieces.swap_remove(index);
            last = if a == last { b } else { a };
        }
        polygons.push(polygon);
    }
    polygons
}

fn area(polygon: &[Middle], spacing_mm: &[f64]) -> f64 {
    let opposite = |middle: &Middle| middle.map(|half_steps| 2 - half_steps);
    let top = polygon.iter().position(|middle| polygon.contains(&opposite(middle))).unwrap_or(0);
    let at = |index: usize| -> [f64; 3] {
        let middle = polygon[(top + index) % polygon.len()];
        std::array::from_fn(|axis| 0.5 * f64::from(middle[axis]) * spacing_mm[axis])
    };
    (1..polygon.len() - 1).map(|index| triangle(at(0), at(index), at(index + 1))).sum()
}

fn triangle(a: [f64; 3], b: [f64; 3], c: [f64; 3]) -> f64 {
    let side = |to: [f64; 3]| -> [f64; 3] { std::array::from_fn(|axis| to[axis] - a[axis]) };
    let (u, v) = (side(b), side(c));
    let cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    0.5 * cross.iter().map(|part| part * part).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_point_has_eight_corners_of_surface() {
        let codes = codes(&[true], [1, 1, 1], [0; 3], [1; 3], 3);
        assert_eq!(codes, [1, 2, 4, 8, 16, 32, 64, 128]);
        let areas = areas(&[1.0, 1.0, 1.0]);
        let total: f64 = codes.iter().map(|&code| areas[usize::from(code)]).sum();
        // An octahedron with its vertices half a step away.
        assert!((total - 3.0_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_flat_surface_has_the_area_of_a_face() {
        let areas = areas(&[2.0, 3.0, 5.0]);
        for (code, face) in [(0b1111_0000, 15.0), (0b1100_1100, 10.0), (0b1010_1010, 6.0)] {
            assert!((areas[code] - face).abs() < 1e-14, "{code:08b}: {}", areas[code]);
        }
        assert!(areas[0].abs() + areas[255].abs() < f64::MIN_POSITIVE);
    }
}
