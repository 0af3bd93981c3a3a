//! The filter between projection and back-projection: |frequency|, cut off at the detector's limit.
//!
//! Written as the convolution it is. The kernel of the cut-off ramp is known in closed form and every second entry of it
//! is zero; the windows are sums of cosines, which in space are weights of three neighbours. So no Fourier transform is
//! needed, nothing wraps round, and the mean of the slice comes out right, as it does not with a ramp that is sampled in
//! frequency (Kak and Slaney 1988, section 3.3.3).

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The window on the ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// None: the sharpest slice, and the noisiest.
    Ramp,
    /// `½ + ½ cos(π f / f_max)`: half the noise or less, softer edges.
    Hann,
    /// `0.54 + 0.46 cos(π f / f_max)`.
    Hamming,
}

impl Filter {
    /// The name used in recipes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ramp => "ramp",
            Self::Hann => "hann",
            Self::Hamming => "hamming",
        }
    }

    /// Weight of the middle; the two neighbours share the rest.
    fn middle(self) -> f64 {
        match self {
            Self::Ramp => 1.0,
            Self::Hann => 0.5,
            Self::Hamming => 0.54,
        }
    }

    /// The kernel at a distance in cells, times the pitch: what a projection is convolved with is this over the pitch.
    ///
    /// # Source
    /// A. C. Kak, M. Slaney, Principles of Computerized Tomographic Imaging, 1988, equation 61 of chapter 3.
    fn kernel(self, distance: usize) -> f64 {
        let side = (1.0 - self.middle()) / 2.0;
        self.middle() * ramp(distance) + side * (ramp(distance.abs_diff(1)) + ramp(distance + 1))
    }

    /// Both sides of the kernel for a detector of that many cells, `[2 · cells − 1]`.
    pub(super) fn taps(self, cells: usize, pitch_mm: f64) -> Vec<f32> {
        let of = |place: usize| (self.kernel(place.abs_diff(cells - 1)) / pitch_mm) as f32;
        (0..2 * cells - 1).map(of).collect()
    }
}

fn ramp(distance: usize) -> f64 {
    match distance {
        0 => 0.25,
        n if n.is_multiple_of(2) => 0.0,
        n => -1.0 / (PI * n as f64).powi(2),
    }
}

/// Convolves a projection; `taps` are those of its number of cells.
pub(super) fn convolve(projection: &[f32], taps: &[f32], filtered: &mut [f32]) {
    let cells = projection.len();
    filtered.fill(0.0);
    // Cell by cell of the projection, so that the inner loop runs over neighbours.
    for (cell, &value) in projection.iter().enumerate() {
        let taps = &taps[cells - 1 - cell..2 * cells - 1 - cell];
        for (sum, tap) in filtered.iter_mut().zip(taps) {
            *sum += value * tap;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequencies_are_a_ramp_under_its_window() {
        for filter in [Filter::Ramp, Filter::Hann, Filter::Hamming] {
            let n = 4001;
            for share in [0.0, 0.1, 0.37, 0.5, 0.8] {
                // Share of the highest frequency, which is half a cycle a cell.
                let response: f64 = filter.kernel(0)
                    + 2.0 * (1..n).map(|k| filter.kernel(k) * (PI * share * k as f64).cos()).sum::<f64>();
                let middle = filter.middle();
                let expected = 0.5 * share * (middle + (1.0 - middle) * (PI * share).cos());
                // What is cut from the kernel's end adds up to 1 / (π² n).
                assert!((response - expected).abs() < 1e-4, "{filter:?} at {share}: {response} {expected}");
            }
        }
    }

    #[test]
    fn a_single_cell_gives_the_kernel_around_it() {
        let taps = Filter::Ramp.taps(4, 2.0);
        let mut filtered = [9.0; 4];
        convolve(&[0.0, 3.0, 0.0, 0.0], &taps, &mut filtered);
        let side = -3.0 / 2.0 / (PI * PI) as f32;
        for (found, expected) in filtered.iter().zip([side, 0.375, side, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{filtered:?}");
        }
    }
}
