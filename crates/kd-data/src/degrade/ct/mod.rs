//! A CT scanner in two dimensions: which rays it measures, how they cross a slice, and how the slice is had back.
//!
//! Own code, because no library in Rust has it. A scan is planned once for a grid; projection and reconstruction then
//! share its angles and its detector, so the two cannot disagree about geometry.
//!
//! Coordinates in mm: x grows with the column, y against the row (up), both 0 in the middle of the slice, which is the
//! centre of rotation. At angle θ the detector runs along `(cos θ, sin θ)`, and its middle sees the centre.

mod filter;
mod projector;
mod reconstruct;

use serde::{Deserialize, Serialize};

pub use filter::Filter;

/// How rays run from the source to the detector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Beam {
    /// Side by side; the angles are spread over half a turn.
    Parallel {},
    /// From one point to a flat detector; the angles are spread over a whole turn.
    Fan {
        /// From the source to the centre of rotation.
        source_to_centre_mm: f64,
    },
}

/// Why a scan cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("scan: {what} is {found}, expected {expected}")]
pub struct ScanError {
    pub(super) what: &'static str,
    pub(super) expected: String,
    pub(super) found: String,
}

/// Angles and detector for one grid.
///
/// # Example
/// ```
/// use kd_data::degrade::ct::{Beam, Filter, Scan};
/// // One bright pixel of 2 mm in the middle: a ray down its column crosses 2 mm of it.
/// let scan = Scan::covering([5, 5], [2.0, 2.0], Beam::Parallel {}, 60, Some(7))?;
/// let mut slice = vec![0.0; 25];
/// slice[12] = 1.0;
/// let sinogram = scan.project(&slice);
/// let middle = sinogram.projection(0)[scan.detectors() / 2];
/// assert!((middle - 2.0).abs() < 1e-5);
/// let back = scan.reconstruct(&sinogram, Filter::Ramp);
/// assert!(back[12] > 0.5 && back[0].abs() < 0.1);
/// # Ok::<(), kd_data::degrade::ct::ScanError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    shape: [usize; 2],
    spacing_mm: [f64; 2],
    beam: Beam,
    angles: usize,
    detectors: usize,
    pitch_mm: f64,
}

/// Line integrals `[angle, detector]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sinogram {
    detectors: usize,
    values: Vec<f32>,
}

impl Sinogram {
    /// One projection, detector by detector; `angle` is below the number of angles.
    #[must_use]
    pub fn projection(&self, angle: usize) -> &[f32] {
        &self.values[angle * self.detectors..(angle + 1) * self.detectors]
    }

    /// All of them, angle by angle.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The same rays with other values.
    #[must_use]
    pub fn map(&self, of: impl FnMut(f32) -> f32) -> Self {
        Self { detectors: self.detectors, values: self.values.iter().copied().map(of).collect() }
    }
}

/// The most angles, cells of a detector, rows and columns: eight times a clinical scanner's, and a sinogram that fits.
const MOST: usize = 1 << 13;

impl Scan {
    /// A scan whose detector covers the diagonal of the slice, so that no ray through it is missed.
    ///
    /// # Policy
    /// Without a number of `detectors` their pitch is the smaller pixel spacing; with one, the diagonal is shared out
    /// among them. The pitch is counted at the centre of rotation; a fan's is wider by what its rays spread.
    ///
    /// # Errors
    /// As [`with_detector`](Self::with_detector).
    pub fn covering(
        shape: [usize; 2],
        spacing_mm: [f64; 2],
        beam: Beam,
        angles: usize,
        detectors: Option<usize>,
    ) -> Result<Self, ScanError> {
        let radius = half_diagonal(shape, spacing_mm);
        let half = match beam {
            Beam::Parallel {} => radius,
            // The tangent to the circle around the slice, where it meets the line through the centre.
            Beam::Fan { source_to_centre_mm: far } if far > radius => {
                far * radius / (far * far - radius * radius).sqrt()
            }
            Beam::Fan { .. } => radius,
        };
        let derived = (2.0 * half / spacing_mm[0].min(spacing_mm[1])).ceil().clamp(1.0, MOST as f64 + 1.0);
        let detectors = detectors.unwrap_or(derived as usize);
        let pitch_mm = 2.0 * half / detectors.max(1) as f64;
        Self::with_detector(shape, spacing_mm, beam, angles, detectors, pitch_mm)
    }

    /// A scan with a detector of `detectors` cells of `pitch_mm` each, counted at the centre of rotation; what a short
    /// one does not see is taken as air.
    ///
    /// # Errors
    /// [`ScanError`] for a number of angles or detectors outside of 1 to 8192, an empty grid, lengths that are not
    /// finite and above 0, and a source inside of the circle around the slice.
    pub fn with_detector(
        shape: [usize; 2],
        spacing_mm: [f64; 2],
        beam: Beam,
        angles: usize,
        detectors: usize,
        pitch_mm: f64,
    ) -> Result<Self, ScanError> {
        let refuse = |what, expected: String, found: String| Err(ScanError { what, expected, found });
        let is_length = |mm: f64| mm.is_finite() && mm > 0.0;
        if shape.contains(&0) || shape.iter().any(|&side| side > MOST) {
            return refuse("shape", format!("1 to {MOST} rows and columns"), format!("{shape:?}"));
        }
        if !spacing_mm.iter().all(|&mm| is_length(mm)) {
            return refuse("spacing_mm", "two lengths above 0".into(), format!("{spacing_mm:?}"));
        }
        if !(1..=MOST).contains(&angles) {
            return refuse("angles", format!("1 to {MOST}"), angles.to_string());
        }
        if !(1..=MOST).contains(&detectors) {
            return refuse("detectors", format!("1 to {MOST}"), detectors.to_string());
        }
        if !is_length(pitch_mm) {
            return refuse("pitch_mm", "a length above 0".into(), pitch_mm.to_string());
        }
        if let Beam::Fan { source_to_centre_mm: far } = beam {
            let radius = half_diagonal(shape, spacing_mm);
            if !(far.is_finite() && far > radius) {
                let expected = format!("above {radius:.1} mm, the radius of the circle around the slice");
                return refuse("source_to_centre_mm", expected, far.to_string());
            }
        }
        Ok(Self { shape, spacing_mm, beam, angles, detectors, pitch_mm })
    }

    /// Number of angles.
    #[must_use]
    pub fn angles(&self) -> usize {
        self.angles
    }

    /// Cells of the detector.
    #[must_use]
    pub fn detectors(&self) -> usize {
        self.detectors
    }

    /// Width of a cell, counted at the centre of rotation.
    #[must_use]
    pub fn pitch_mm(&self) -> f64 {
        self.pitch_mm
    }

    /// The angle in radians: `k π / n` of a parallel beam, `2 k π / n` of a fan.
    fn angle(&self, number: usize) -> f64 {
        let turn = match self.beam {
            Beam::Parallel {} => std::f64::consts::PI,
            Beam::Fan { .. } => std::f64::consts::TAU,
        };
        turn * number as f64 / self.angles as f64
    }

    /// Where a cell lies along the detector, in mm from its middle.
    fn along_detector(&self, cell: usize) -> f64 {
        (cell as f64 - (self.detectors as f64 - 1.0) / 2.0) * self.pitch_mm
    }
}

fn half_diagonal([rows, columns]: [usize; 2], [row_mm, column_mm]: [f64; 2]) -> f64 {
    (rows as f64 * row_mm).hypot(columns as f64 * column_mm) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_inside_of_the_slice_is_refused_with_the_radius() {
        let fan = Beam::Fan { source_to_centre_mm: 20.0 };
        let text = Scan::covering([30, 40], [1.0, 1.0], fan, 10, None).unwrap_err().to_string();
        assert!(text.contains("source_to_centre_mm is 20, expected above 25.0 mm"), "{text}");
    }

    #[test]
    fn a_derived_detector_covers_the_diagonal() {
        let scan = Scan::covering([30, 40], [1.0, 1.0], Beam::Parallel {}, 10, None).unwrap();
        assert_eq!((scan.detectors(), scan.pitch_mm()), (50, 1.0));
        let fan = Scan::covering([30, 40], [1.0, 1.0], Beam::Fan { source_to_centre_mm: 50.0 }, 10, None).unwrap();
        // tan(asin(25 / 50)) · 50 = 28.87 mm on each side.
        assert_eq!(fan.detectors(), 58);
        assert!(Scan::covering([3, 3], [1.0, f64::NAN], Beam::Parallel {}, 1, None).is_err());
        assert!(Scan::covering([3, 3], [1.0, 1.0], Beam::Parallel {}, 0, None).is_err());
        assert!(Scan::covering([3, 3], [1.0, 1.0], Beam::Parallel {}, 1, Some(0)).is_err());
        assert!(Scan::covering([3, 3], [1e-12, 1e9], Beam::Parallel {}, 1, None).is_err());
    }
}
