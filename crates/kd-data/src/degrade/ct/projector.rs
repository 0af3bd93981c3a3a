//! Line integrals through a slice, after Joseph.
//!
//! A ray steps through the lines (rows or columns) that it crosses most directly, takes the value between two pixels of
//! each by linear interpolation, and counts each as long as its way from line to line. No pixel is skipped and none
//! counted twice, and the integral changes smoothly with the angle, which a nearest pixel's would not.

use rayon::prelude::*;

use super::{Beam, Scan, Sinogram};

/// A slice with a border of one pixel of nothing, so that a ray fades out over the edge.
struct Lines {
    values: Vec<f32>,
    /// Lines without the border.
    lines: usize,
    /// Pixels of a line without the border.
    length: usize,
    line_mm: f64,
    pixel_mm: f64,
}

impl Lines {
    fn new(lines: usize, length: usize, line_mm: f64, pixel_mm: f64, at: impl Fn(usize, usize) -> f32) -> Self {
        let stride = length + 3;
        let mut values = vec![0.0; lines * stride];
        for (line, row) in values.chunks_exact_mut(stride).enumerate() {
            for pixel in 0..length {
                row[pixel + 1] = at(line, pixel);
            }
        }
        Self { values, lines, length, line_mm, pixel_mm }
    }

    /// The integral along a ray through `across_mm` (along a line) and `along_mm` (from line to line, counted as the
    /// lines are) in the direction of the two others, of which the second is not 0.
    fn integral(&self, [across_mm, along_mm]: [f64; 2], [across, along]: [f64; 2]) -> f32 {
        let slope = across / along;
        // Place on line 0, counted in pixels with the border, and how it moves from line to line.
        let first_mm = -(self.lines as f64 - 1.0) / 2.0 * self.line_mm;
        let start =
            (across_mm + slope * (first_mm - along_mm)) / self.pixel_mm + (self.length as f64 - 1.0) / 2.0 + 1.0;
        let step = slope * self.line_mm / self.pixel_mm;
        // Lines on which the place lies within the border.
        let end = self.length as f64 + 1.0;
        let (from, to) = if step.abs() < 1e-12 {
            if (0.0..=end).contains(&start) { (0.0, self.lines as f64) } else { (0.0, 0.0) }
        } else {
            let (a, b) = (-start / step, (end - start) / step);
            (a.min(b).ceil().max(0.0), (a.max(b).floor() + 1.0).clamp(0.0, self.lines as f64))
        };
        let stride = self.length + 3;
        let mut sum = 0.0f32;
        for line in from as usize..(to as usize).max(from as usize) {
            // Rounding may leave a place a hair outside.
            let place = (start + step * line as f64).clamp(0.0, end) as f32;
            let whole = place as usize;
            let part = place - whole as f32;
            let pixels = &self.values[line * stride + whole..line * stride + whole + 2];
            sum += pixels[0] + part * (pixels[1] - pixels[0]);
        }
        // The way of the ray from line to line.
        let way = self.line_mm * (1.0 + slope * slope).sqrt();
        (f64::from(sum) * way) as f32
    }
}

impl Scan {
    /// Integrals of a slice along all rays: in units of the values times mm.
    ///
    /// # Shapes
    /// `values` is `[rows, columns]`.
    ///
    /// # Panics
    /// When `values` has another length than the grid that the scan was made for.
    ///
    /// # Source
    /// P. M. Joseph, An improved algorithm for reprojecting rays through pixel images, IEEE Transactions on Medical Imaging
    /// 1(3), 1982.
    #[must_use]
    pub fn project(&self, values: &[f32]) -> Sinogram {
        let [rows, columns] = self.shape;
        assert_eq!(values.len(), rows * columns, "a slice has the shape of its scan");
        let [row_mm, column_mm] = self.spacing_mm;
        let by_row = Lines::new(rows, columns, row_mm, column_mm, |row, column| values[row * columns + column]);
        let by_column = Lines::new(columns, rows, column_mm, row_mm, |column, row| values[row * columns + column]);
        let mut sinogram = vec![0.0; self.angles * self.detectors];
        sinogram.par_chunks_exact_mut(self.detectors).enumerate().for_each(|(number, projection)| {
            let (sin, cos) = self.angle(number).sin_cos();
            for (cell, value) in projection.iter_mut().enumerate() {
                let along = self.along_detector(cell);
                let point = [along * cos, along * sin];
                let direction = match self.beam {
                    Beam::Parallel {} => [-sin, cos],
                    Beam::Fan { source_to_centre_mm: far } => [point[0] + far * sin, point[1] - far * cos],
                };
                // Rows run down, y up.
                let (x, down) = (point[0], -point[1]);
                let (dx, ddown) = (direction[0], -direction[1]);
                *value = if ddown.abs() * column_mm >= dx.abs() * row_mm {
                    by_row.integral([x, down], [dx, ddown])
                } else {
                    by_column.integral([down, x], [ddown, dx])
                };
            }
        });
        Sinogram { detectors: self.detectors, values: sinogram }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disc whose edge pixels are weighted with the part of them that it covers.
    fn disc(side: usize, centre: [f64; 2], radius: f64) -> Vec<f32> {
        let fine = 16;
        let at = |n: usize, sub: usize| n as f64 + (sub as f64 + 0.5) / fine as f64 - 0.5 - (side as f64 - 1.0) / 2.0;
        let mut values = Vec::with_capacity(side * side);
        for row in 0..side {
            for column in 0..side {
                let inside = (0..fine * fine).filter(|sub| {
                    let (x, y) = (at(column, sub % fine), -at(row, sub / fine));
                    (x - centre[0]).hypot(y - centre[1]) < radius
                });
                values.push(inside.count() as f32 / (fine * fine) as f32);
            }
        }
        values
    }

    #[test]
    fn a_disc_gives_its_chords() {
        // 0.5 mm pixels; the disc of 15 mm lies off the centre, so that a mirrored angle shows.
        let (side, spacing, centre, radius) = (129, 0.5, [9.0, 4.0], 15.0);
        let values = disc(side, centre.map(|mm| mm / spacing), radius / spacing);
        for beam in [Beam::Parallel {}, Beam::Fan { source_to_centre_mm: 120.0 }] {
            let scan = Scan::covering([side, side], [spacing; 2], beam, 37, None).unwrap();
            let sinogram = scan.project(&values);
            let (mut worst, mut sum, mut n) = (0.0f64, 0.0, 0);
            for number in 0..37 {
                let (sin, cos) = scan.angle(number).sin_cos();
                for (cell, &found) in sinogram.projection(number).iter().enumerate() {
                    let along = scan.along_detector(cell);
                    let from_centre = along - centre[0] * cos - centre[1] * sin;
                    let distance = match beam {
                        Beam::Parallel {} => from_centre,
                        Beam::Fan { source_to_centre_mm: far } => {
                            let direction = [along * cos + far * sin, along * sin - far * cos];
                            let to = [centre[0] + far * sin, centre[1] - far * cos];
                            (direction[0] * to[1] - direction[1] * to[0]) / direction[0].hypot(direction[1])
                        }
                    };
                    let chord = 2.0 * (radius * radius - distance * distance).max(0.0).sqrt();
                    // Within three pixels of the edge the chord rises steeper than pixels can tell.
                    if (distance.abs() - radius).abs() > 3.0 * spacing {
                        let error = f64::from(found) - chord;
                        worst = worst.max(error.abs());
                        sum += error;
                        n += 1;
                    }
                }
            }
            // A chord ends within two pixels of half a mm, which are grey; over all rays that evens out.
            let mean = sum / f64::from(n);
            assert!(worst < 0.25 && mean.abs() < 0.01, "{beam:?}: {worst} mm, mean {mean} mm");
        }
    }

    #[test]
    fn rays_of_a_grid_with_long_pixels_are_counted_in_mm() {
        let scan = Scan::covering([8, 4], [1.0, 3.0], Beam::Parallel {}, 2, Some(8)).unwrap();
        let sinogram = scan.project(&[1.0; 32]);
        // Angle 0 looks along y: 8 rows of 1 mm. Angle 90° looks along x: 4 columns of 3 mm.
        assert!((sinogram.projection(0)[3] - 8.0).abs() < 1e-4);
        assert!((sinogram.projection(1)[4] - 12.0).abs() < 1e-4);
    }

    #[test]
    fn a_ray_beside_the_slice_is_empty() {
        let scan = Scan::with_detector([4, 4], [1.0; 2], Beam::Parallel {}, 3, 9, 2.0).unwrap();
        let sinogram = scan.project(&[1.0; 16]);
        for number in 0..3 {
            assert_eq!((sinogram.projection(number)[0], sinogram.projection(number)[8]), (0.0, 0.0));
        }
    }
}
