//! A slice from its line integrals: weight, filter, smear back.
//!
//! Filtered back-projection and no iteration: it is linear, so what noise does to the slice can be understood, and it is
//! what most low-dose studies degrade with. Every pixel asks each projection for the value at its own place, between two
//! cells by linear interpolation; bands of rows are summed by themselves, so the result does not hang on the threads.

use rayon::prelude::*;

use super::filter::{Filter, convolve};
use super::{Beam, Scan, Sinogram};

/// Rows that are summed together: a projection is used for all of them while it is in the cache.
const BAND: usize = 8;

impl Scan {
    /// The slice that has these line integrals, `[rows, columns]`, in units of the integrals per mm.
    ///
    /// # Policy
    /// Parallel: `f(x, y) = Δθ Σ Q_θ(x cos θ + y sin θ)`. Fan: projections are weighted with `D / √(D² + s²)`, then
    /// `f(x, y) = ½ Δβ Σ Q_β(s) / U²` with `U = (D + x sin β − y cos β) / D`; each ray is seen twice in a whole turn, hence
    /// the half. `Q` is the projection convolved with the filter. What lies beyond the detector counts as 0.
    ///
    /// # Panics
    /// When the sinogram is of another scan.
    ///
    /// # Source
    /// A. C. Kak, M. Slaney, Principles of Computerized Tomographic Imaging, 1988, sections 3.3 and 3.4.2.
    #[must_use]
    pub fn reconstruct(&self, sinogram: &Sinogram, filter: Filter) -> Vec<f32> {
        assert_eq!(sinogram.values.len(), self.angles * self.detectors, "a sinogram has the shape of its scan");
        // Two zeros on each side let a place fade out and be clamped.
        let stride = self.detectors + 4;
        let mut filtered = vec![0.0; self.angles * stride];
        let taps = filter.taps(self.detectors, self.pitch_mm);
        let weights: Vec<f32> = (0..self.detectors).map(|cell| self.weight(cell)).collect();
        filtered.par_chunks_exact_mut(stride).zip(sinogram.values.par_chunks_exact(self.detectors)).for_each(
            |(filtered, projection)| {
                let weighted: Vec<f32> =
                    projection.iter().zip(&weights).map(|(value, weight)| value * weight).collect();
                convolve(&weighted, &taps, &mut filtered[2..self.detectors + 2]);
            },
        );
        let [rows, columns] = self.shape;
        let mut slice = vec![0.0; rows * columns];
        slice.par_chunks_mut(BAND * columns).enumerate().for_each(|(band, pixels)| {
            for (number, projection) in filtered.chunks_exact(stride).enumerate() {
                self.smear(number, projection, band * BAND, pixels);
            }
        });
        slice
    }

    /// What a fan's projection is multiplied with before it is filtered, and the step of the angle.
    fn weight(&self, cell: usize) -> f32 {
        let step = match self.beam {
            Beam::Parallel {} => std::f64::consts::PI,
            // Half of a whole turn: every ray is seen from both ends.
            Beam::Fan { source_to_centre_mm: far } => std::f64::consts::PI * far / far.hypot(self.along_detector(cell)),
        };
        (step / self.angles as f64) as f32
    }

    /// Adds one projection to some rows, the first of which is `first`.
    fn smear(&self, number: usize, projection: &[f32], first: usize, pixels: &mut [f32]) {
        let [rows, columns] = self.shape;
        let [row_mm, column_mm] = self.spacing_mm;
        let (sin, cos) = self.angle(number).sin_cos();
        let middle = (self.detectors as f64 - 1.0) / 2.0 + 2.0;
        let last = (self.detectors + 2) as f32;
        let x_first = -(columns as f64 - 1.0) / 2.0 * column_mm;
        for (row, pixels) in pixels.chunks_exact_mut(columns).enumerate() {
            let y = ((rows as f64 - 1.0) / 2.0 - (first + row) as f64) * row_mm;
            let start = ((x_first * cos + y * sin) / self.pitch_mm) as f32;
            let step = (column_mm * cos / self.pitch_mm) as f32;
            match self.beam {
                Beam::Parallel {} => {
                    let start = start + middle as f32;
                    for (column, pixel) in pixels.iter_mut().enumerate() {
                        *pixel += between(projection, start + step * column as f32, last);
                    }
                }
                Beam::Fan { source_to_centre_mm: far } => {
                    let depth_start = ((far + x_first * sin - y * cos) / far) as f32;
                    let depth_step = (column_mm * sin / far) as f32;
                    for (column, pixel) in pixels.iter_mut().enumerate() {
                        let nearer = 1.0 / (depth_start + depth_step * column as f32);
                        let place = (start + step * column as f32) * nearer + middle as f32;
                        *pixel += nearer * nearer * between(projection, place, last);
                    }
                }
            }
        }
    }
}

/// The value between two cells; places beyond the zeros at both ends are 0 as these are.
fn between(projection: &[f32], place: f32, last: f32) -> f32 {
    let place = place.clamp(0.0, last);
    let whole = place as usize;
    let part = place - whole as f32;
    let cells = &projection[whole..whole + 2];
    cells[0] + part * (cells[1] - cells[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A smooth slice: two bumps off the centre, within the circle that every projection sees whole.
    fn bumps(rows: usize, columns: usize) -> Vec<f32> {
        let bump = |x: f64, y: f64, at: [f64; 2], width: f64| {
            (-((x - at[0]).powi(2) + (y - at[1]).powi(2)) / (2.0 * width * width)).exp()
        };
        let at = |n: usize, count: usize| (n as f64 - (count as f64 - 1.0) / 2.0) / count as f64;
        let value = |n: usize| {
            let (x, y) = (at(n % columns, columns), -at(n / columns, rows));
            bump(x, y, [0.12, 0.2], 0.06) - 0.4 * bump(x, y, [-0.15, -0.05], 0.09)
        };
        (0..rows * columns).map(|n| value(n) as f32).collect()
    }

    #[test]
    fn what_was_projected_comes_back() {
        let fan = Beam::Fan { source_to_centre_mm: 150.0 };
        for (beam, shape, spacing) in [
            (Beam::Parallel {}, [96, 96], [1.0, 1.0]),
            (fan, [96, 96], [1.0, 1.0]),
            // Rows and columns differ in number and distance.
            (Beam::Parallel {}, [80, 120], [1.5, 1.0]),
            (fan, [80, 120], [1.5, 1.0]),
        ] {
            let truth = bumps(shape[0], shape[1]);
            let scan = Scan::covering(shape, spacing, beam, 240, None).unwrap();
            let back = scan.reconstruct(&scan.project(&truth), Filter::Ramp);
            let worst = back.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // The two linear interpolations flatten the narrower bump, of 5 pixels' width, by about this.
            assert!(worst < 0.02, "{beam:?} {shape:?}: {worst}");
        }
    }

    #[test]
    fn a_coarse_detector_stays_inside_of_its_cells() {
        let scan = Scan::covering([9, 7], [1.0, 1.0], Beam::Parallel {}, 5, Some(3)).unwrap();
        assert!(scan.reconstruct(&scan.project(&[1.0; 63]), Filter::Hann).iter().all(|value| value.is_finite()));
    }
}
