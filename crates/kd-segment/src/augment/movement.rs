//! Where the points of a view come from: a patch, turned, scaled, mirrored and bent in the plane of the last two axes.

use kd_image::{Image, LabelMap};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Augmentation, draw};

/// Points of the elastic net along each axis.
const NET: usize = 5;

/// A map from points of the patch to points of the image.
pub(super) struct Movement {
    cos: f64,
    sin: f64,
    zoom: f64,
    mirror: [f64; 2],
    /// Displacements of the net as shares of the patch, row by row.
    net: [[f64; 2]; NET * NET],
    is_none: bool,
}

impl Movement {
    pub(super) fn draw(ranges: &Augmentation, rng: &mut ChaCha8Rng) -> Self {
        let angle = draw(rng, ranges.rotate_deg).to_radians();
        let zoom = 1.0 + draw(rng, ranges.scale);
        let flips = [rng.random::<bool>() && ranges.flip_vertical, rng.random::<bool>() && ranges.flip_horizontal];
        let net = std::array::from_fn(|_| [draw(rng, ranges.elastic), draw(rng, ranges.elastic)]);
        let is_none =
            ranges.rotate_deg == 0.0 && ranges.scale == 0.0 && ranges.elastic == 0.0 && flips == [false, false];
        let mirror = flips.map(|flip| if flip { -1.0 } else { 1.0 });
        Self { cos: angle.cos(), sin: angle.sin(), zoom, mirror, net, is_none }
    }

    /// Values `[channel, …size]` and labels of the patch that begins at `corner`.
    pub(super) fn take<const D: usize>(
        &self,
        image: &Image<D>,
        labels: &LabelMap<D>,
        corner: [usize; D],
        size: [usize; D],
    ) -> (Vec<f32>, Vec<u16>) {
        let shape = image.geometry().shape();
        let (sides, area) = ([shape[D - 2], shape[D - 1]], shape[D - 2] * shape[D - 1]);
        let starts = plane_starts(shape, corner, size);
        let (corner, size) = ([corner[D - 2], corner[D - 1]], [size[D - 2], size[D - 1]]);
        let points = starts.len() * size[0] * size[1];
        let (mut values, mut map) = (Vec::with_capacity(points * image.channels()), Vec::with_capacity(points));
        // The same places in every plane of every channel.
        let places = if self.is_none { Vec::new() } else { self.places(corner, size) };
        for channel in 0..image.channels() {
            for &start in &starts {
                let plane = &image.channel(channel)[start..start + area];
                if self.is_none {
                    extend_rows(&mut values, plane, sides[1], corner, size);
                } else {
                    values.extend(places.iter().map(|&place| linear(plane, sides, place)));
                }
            }
        }
        for &start in &starts {
            let plane = &labels.labels()[start..start + area];
            if self.is_none {
                extend_rows(&mut map, plane, sides[1], corner, size);
            } else {
                let at = |[y, x]: [f64; 2]| nearest(y, sides[0]) * sides[1] + nearest(x, sides[1]);
                map.extend(places.iter().map(|&place| plane[at(place)]));
            }
        }
        (values, map)
    }

    /// Where each point of the patch's plane lies in the image's, row by row.
    fn places(&self, corner: [usize; 2], size: [usize; 2]) -> Vec<[f64; 2]> {
        let centre = size.map(|points| (points as f64 - 1.0) / 2.0);
        (0..size[0])
            .flat_map(|row| (0..size[1]).map(move |column| [row, column]))
            .map(|point| {
                let bent = self.bent(point, size);
                let [y, x]: [f64; 2] =
                    std::array::from_fn(|axis| self.mirror[axis] * (point[axis] as f64 - centre[axis]) + bent[axis]);
                let turned = [self.cos * y - self.sin * x, self.sin * y + self.cos * x];
                std::array::from_fn(|axis| corner[axis] as f64 + centre[axis] + turned[axis] / self.zoom)
            })
            .collect()
    }

    /// Elastic displacement of a point, in points.
    fn bent(&self, point: [usize; 2], size: [usize; 2]) -> [f64; 2] {
        let cell: [(usize, f64); 2] = std::array::from_fn(|axis| {
            let last = size[axis].saturating_sub(1).max(1) as f64;
            let at = point[axis] as f64 / last * (NET - 1) as f64;
            let before = (at as usize).min(NET - 2);
            let share = at - before as f64;
            (before, share * share * (3.0 - 2.0 * share))
        });
        let [(row, down), (column, across)] = cell;
        std::array::from_fn(|axis| {
            let of = |row: usize, column: usize| self.net[row * NET + column][axis];
            let along = |row: usize| of(row, column) * (1.0 - across) + of(row, column + 1) * across;
            (along(row) * (1.0 - down) + along(row + 1) * down) * size[axis] as f64
        })
    }
}

/// Where each plane of the patch begins in the image's values.
fn plane_starts<const D: usize>(shape: [usize; D], corner: [usize; D], size: [usize; D]) -> Vec<usize> {
    let planes: usize = size[..D - 2].iter().product();
    let start = |plane: usize| {
        let (mut rest, mut start, mut step) = (plane, 0, shape[D - 2] * shape[D - 1]);
        for axis in (0..D - 2).rev() {
            start += (corner[axis] + rest % size[axis]) * step;
            rest /= size[axis];
            step *= shape[axis];
        }
        start
    };
    (0..planes).map(start).collect()
}

fn extend_rows<T: Copy>(taken: &mut Vec<T>, plane: &[T], width: usize, corner: [usize; 2], size: [usize; 2]) {
    for row in corner[0]..corner[0] + size[0] {
        let at = row * width + corner[1];
        taken.extend_from_slice(&plane[at..at + size[1]]);
    }
}

fn nearest(at: f64, points: usize) -> usize {
    at.round().clamp(0.0, points as f64 - 1.0) as usize
}

fn linear(plane: &[f32], [height, width]: [usize; 2], [y, x]: [f64; 2]) -> f32 {
    let (y, x) = (y.clamp(0.0, height as f64 - 1.0), x.clamp(0.0, width as f64 - 1.0));
    let (y0, x0) = (y as usize, x as usize);
    let (y1, x1) = ((y0 + 1).min(height - 1), (x0 + 1).min(width - 1));
    let (dy, dx) = ((y - y0 as f64) as f32, (x - x0 as f64) as f32);
    let row = |y: usize| plane[y * width + x0] * (1.0 - dx) + plane[y * width + x1] * dx;
    row(y0) * (1.0 - dy) + row(y1) * dy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_net_moves_its_own_points_and_no_row_folds() {
        let mut net = [[0.0; 2]; NET * NET];
        // As far apart as a check lets them be.
        (net[6], net[7]) = ([0.08, 0.08], [-0.08, -0.08]);
        let movement = Movement { cos: 1.0, sin: 0.0, zoom: 1.0, mirror: [1.0; 2], net, is_none: false };
        let places = movement.places([0, 0], [41, 41]);
        // Point (10, 10) is a point of the net, and moves by 0.08 · 41; corners stay.
        let place = places[10 * 41 + 10];
        assert!((place[0] - 13.28).abs() < 1e-9 && (place[1] - 13.28).abs() < 1e-9, "{place:?}");
        assert_eq!([places[0], places[41 * 41 - 1]].concat(), vec![0.0, 0.0, 40.0, 40.0]);
        let rows = places.chunks_exact(41);
        assert!(rows.into_iter().all(|row| row.windows(2).all(|pair| pair[1][1] > pair[0][1])));
    }

    #[test]
    fn a_quarter_turn_moves_the_top_row_to_a_side() {
        let movement =
            Movement { cos: 0.0, sin: 1.0, zoom: 1.0, mirror: [1.0; 2], net: [[0.0; 2]; 25], is_none: false };
        let places = movement.places([0, 0], [5, 5]);
        for (column, place) in places[..5].iter().enumerate() {
            assert!((place[0] - (4.0 - column as f64)).abs() < 1e-9 && place[1].abs() < 1e-9, "{place:?}");
        }
    }
}
