//! Degradations: from a clean image to the input of an enhancement task, with physics, a seed and a name for each choice.
//!
//! A denoising result hangs on how the noise was made: noise added to pixels is easier than noise that went through a
//! reconstruction. So each degradation works where its cause is (rays, k-space, detector), every parameter that changes a
//! number has to be given, and [`Degradation::protocol`] says them all in one line for the report.
//!
//! A degradation is drawn for a seed, a sample and a numbered view. Equal keys give equal values on any number of
//! threads; other views of a sample give other noise over the same clean image.

pub mod ct;
mod downsample;
mod draw;
mod error;
mod k_space;
mod low_dose;
mod motion;
mod noise;

use kd_image::{Image, Intensity, SampleId};
use serde::{Deserialize, Serialize};

pub use error::DegradeError;
pub use low_dose::{LowDoseCt, LowDoseOutput, NoiseFree, WATER_PER_MM};

use draw::Draw;

/// Which realisation: equal keys give equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DegradeKey<'a> {
    /// Seed of the whole set.
    pub seed: u64,
    /// The image.
    pub sample: &'a SampleId,
    /// The numbered view.
    pub view: u32,
}

/// What is done to a clean image, as a recipe spells it: a table with its `kind`.
///
/// # Example
/// ```
/// use kd_data::degrade::{Degradation, DegradeKey};
/// use kd_image::{Geometry, Image, Intensity};
/// let noise: Degradation = toml::from_str("kind = \"gaussian\"\nsigma = 5.0")?;
/// let clean = Image::new(1, Geometry::<2>::without_spacing([2, 2])?, Intensity::Hounsfield, vec![0.0; 4])?;
/// let sample = "s00001".parse()?;
/// let view = |view| noise.apply(&clean, DegradeKey { seed: 7, sample: &sample, view });
/// assert_eq!(view(0)?, view(0)?);
/// assert_ne!(view(0)?, view(1)?);
/// // A parameter that is not there has no default.
/// assert!(toml::from_str::<Degradation>("kind = \"gaussian\"").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Degradation {
    /// A CT slice as it is had with a part of the dose: see [`LowDoseCt`].
    LowDoseCt(LowDoseCt),
    /// White Gaussian noise: `y = x + σ n`, every value by itself. No value is cut.
    Gaussian {
        /// Standard deviation, in the unit of the values.
        sigma: f64,
    },
    /// Noise of a magnitude image: `y = √((x + σ n₁)² + (σ n₂)²)`, as a magnetic resonance scanner with one coil has it
    /// (Gudbjartsson and Patz 1995). No value may be below 0.
    Rician {
        /// Standard deviation of each of the two channels, in the unit of the values.
        sigma: f64,
    },
    /// Lines of k-space left out and filled with zeros; the magnitude of what comes back.
    ///
    /// Rows are the lines that are phase-encoded. `round(rows / acceleration)` lines are kept: `round(rows ·
    /// centre_fraction)` around the middle, the others drawn evenly from the rest, anew for each view, as fastMRI's
    /// random masks are. With Cartesian lines the other axis is sampled whole, so its transform and its inverse cancel.
    KSpace {
        /// How many times fewer lines; 1 or more.
        acceleration: f64,
        /// Share of all lines that is kept around the middle; above 0, at most `1 / acceleration`.
        centre_fraction: f64,
    },
    /// A Gaussian blur, then the mean over blocks of `factor × factor` pixels: a coarser detector or matrix.
    ///
    /// The blur is cut at four standard deviations, to the nearest pixel, and repeats the pixels at the edge. Blocks keep the outer faces of the
    /// grid where they are, so the middle of the image does not move.
    Downsample {
        /// 2 or 4; rows and columns have to be a multiple of it.
        factor: usize,
        /// Standard deviation of the blur in pixels of the clean image; 0 for none.
        blur_sigma: f64,
    },
    /// None: inputs are what a scanner measured with less dose or time, and lie beside the clean volumes of the set.
    Measured,
    /// A head that moves while k-space is filled line by line; the magnitude of what comes back.
    ///
    /// Lines are acquired from one edge of k-space to the other; `moves` moments are drawn, and from each on the head lies
    /// elsewhere: turned about the middle of the slice and shifted, each evenly drawn from its range. The position during
    /// the middle line is the clean image's own, so that input and target lie on each other.
    Motion {
        /// How often it moves; at least 1, fewer than there are rows.
        moves: usize,
        /// Largest shift along each axis, either way.
        max_shift_mm: f64,
        /// Largest turn, either way, at most 45.
        max_rotation_degrees: f64,
    },
}

impl Degradation {
    /// The name used in recipes.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LowDoseCt(_) => "low-dose-ct",
            Self::Gaussian { .. } => "gaussian",
            Self::Rician { .. } => "rician",
            Self::KSpace { .. } => "k-space",
            Self::Downsample { .. } => "downsample",
            Self::Measured => "measured",
            Self::Motion { .. } => "motion",
        }
    }

    /// How many times fewer rows and columns the result has.
    #[must_use]
    pub const fn factor(&self) -> usize {
        match self {
            Self::Downsample { factor, .. } => *factor,
            _ => 1,
        }
    }

    /// Checks the parameters, and whether values of that meaning can be degraded so.
    ///
    /// # Errors
    /// [`DegradeError::Parameter`] for the first that is outside of its range, [`DegradeError::Intensity`].
    pub fn check(&self, intensity: Intensity) -> Result<(), DegradeError> {
        let refuse =
            |name, expected, found: String| Err(DegradeError::Parameter { kind: self.name(), name, expected, found });
        let is_length = |value: f64| value.is_finite() && value >= 0.0;
        match *self {
            Self::LowDoseCt(ref scan) => return scan.check(intensity),
            Self::Gaussian { sigma } | Self::Rician { sigma } if !(sigma.is_finite() && sigma > 0.0) => {
                return refuse("sigma", "a number above 0", sigma.to_string());
            }
            Self::Gaussian { .. } | Self::Measured => return Ok(()),
            Self::KSpace { acceleration, .. } if !(1.0..=64.0).contains(&acceleration) => {
                return refuse("acceleration", "1 to 64", acceleration.to_string());
            }
            Self::KSpace { acceleration, centre_fraction: share } if !(share > 0.0 && share * acceleration <= 1.0) => {
                return refuse("centre_fraction", "above 0, at most 1 / acceleration", share.to_string());
            }
            Self::Downsample { factor, .. } if ![2, 4].contains(&factor) => {
                return refuse("factor", "2 or 4", factor.to_string());
            }
            Self::Downsample { blur_sigma, .. } if !(0.0..=16.0).contains(&blur_sigma) => {
                return refuse("blur_sigma", "0 to 16", blur_sigma.to_string());
            }
            Self::Downsample { .. } => return Ok(()),
            Self::Motion { moves: 0, .. } => return refuse("moves", "at least 1", "0".into()),
            Self::Motion { max_shift_mm, .. } if !is_length(max_shift_mm) => {
                return refuse("max_shift_mm", "a length, 0 or more", max_shift_mm.to_string());
            }
            Self::Motion { max_rotation_degrees: most, .. } if !(0.0..=45.0).contains(&most) => {
                return refuse("max_rotation_degrees", "0 to 45", most.to_string());
            }
            Self::Rician { .. } | Self::KSpace { .. } | Self::Motion { .. } => {}
        }
        match intensity {
            Intensity::Stored { .. } | Intensity::Unit | Intensity::Arbitrary => Ok(()),
            Intensity::Hounsfield | Intensity::ZScore => Err(DegradeError::Intensity {
                kind: self.name(),
                expected: "magnitudes (stored, unit or arbitrary)",
                found: intensity.name(),
                hint: "it is made for magnetic resonance; for CT use `low-dose-ct` or `gaussian`",
            }),
        }
    }

    /// Degrades an image; each channel is drawn by itself.
    ///
    /// # Policy
    /// Values of the result are not cut: noise may go below the range of the clean image. A blank image stays an image.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); [`DegradeError::Spacing`] where lengths in mm are needed and unknown;
    /// [`DegradeError::Grid`] for a slice that does not fit; [`DegradeError::Negative`] for magnitudes below 0;
    /// [`DegradeError::Measured`] for [`Measured`](Self::Measured), which nothing is made of.
    pub fn apply(&self, clean: &Image<2>, key: DegradeKey<'_>) -> Result<Image<2>, DegradeError> {
        self.check(clean.intensity())?;
        let mut draw = Draw::new(key, self.name());
        match *self {
            Self::LowDoseCt(ref scan) => scan.prepare(clean)?.realise(key),
            Self::Gaussian { sigma } => noise::gaussian(clean, sigma, &mut draw),
            Self::Rician { sigma } => {
                check_magnitudes(self.name(), clean)?;
                noise::rician(clean, sigma, &mut draw)
            }
            Self::KSpace { acceleration, centre_fraction } => {
                check_magnitudes(self.name(), clean)?;
                k_space::undersample(clean, acceleration, centre_fraction, &mut draw)
            }
            Self::Downsample { factor, blur_sigma } => downsample::downsample(clean, factor, blur_sigma),
            Self::Measured => Err(DegradeError::Measured),
            Self::Motion { moves, max_shift_mm, max_rotation_degrees } => {
                check_magnitudes(self.name(), clean)?;
                motion::displace(clean, moves, max_shift_mm, max_rotation_degrees, &mut draw)
            }
        }
    }

    /// Everything that changes a number, in one line, for the report.
    #[must_use]
    pub fn protocol(&self) -> String {
        match self {
            Self::LowDoseCt(scan) => scan.protocol(),
            Self::Gaussian { sigma } => format!("gaussian: white noise of sigma {sigma} added to each pixel"),
            Self::Rician { sigma } => format!("rician: magnitude with noise of sigma {sigma} in both channels"),
            Self::KSpace { acceleration, centre_fraction } => format!(
                "k-space: lines along the rows undersampled {acceleration} times, {centre_fraction} of all lines kept in \
                 the middle, the rest drawn evenly; zero-filled magnitude"
            ),
            Self::Downsample { factor, blur_sigma } => format!(
                "downsample: Gaussian blur of sigma {blur_sigma} px, then means over blocks of {factor} x {factor} px"
            ),
            Self::Measured => "measured: inputs as the scanner gave them, on the grid of the clean images".to_owned(),
            Self::Motion { moves, max_shift_mm, max_rotation_degrees } => format!(
                "motion: {moves} moves while lines of k-space are filled in order, shifts up to {max_shift_mm} mm and \
                 turns up to {max_rotation_degrees} degrees either way, middle line at rest; magnitude"
            ),
        }
    }
}

fn check_magnitudes(kind: &'static str, clean: &Image<2>) -> Result<(), DegradeError> {
    match clean.values().iter().position(|&value| value < 0.0) {
        Some(position) => Err(DegradeError::Negative { kind, position, found: clean.values()[position] }),
        None => Ok(()),
    }
}

/// Another image on the same grid.
fn same_grid(clean: &Image<2>, values: Vec<f32>) -> Result<Image<2>, DegradeError> {
    Ok(Image::new(clean.channels(), clean.geometry().clone(), clean.intensity(), values)?)
}
