//! A CT slice as it is had with a part of the dose.
//!
//! The slice is turned into attenuation, projected, counted with Poisson and electronic noise, and reconstructed. So the
//! noise has the texture of a scan: correlated between pixels, more of it behind bones and in the middle of the body, as
//! streaks where hardly a photon arrives. Noise drawn in the slice has none of that, and is easier to remove.

use kd_image::{Image, Intensity};
use serde::{Deserialize, Serialize};

use super::ct::{Beam, Filter, Scan, Sinogram};
use super::draw::Draw;
use super::{DegradeError, DegradeKey, same_grid};

/// Attenuation of water at 60 keV, the mean of a usual 120 kV spectrum: 0.2059 cm²/g times 1 g/cm³ (J. H. Hubbell, S. M.
/// Seltzer, NISTIR 5632, 1995).
pub const WATER_PER_MM: f64 = 0.02059;
/// Fewer photons than this are taken as this many: a logarithm needs one.
const FEWEST: f64 = 1.0;

const KIND: &str = "low-dose-ct";

/// What becomes of the slice itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LowDoseOutput {
    /// The clean slice plus the reconstruction of the noise alone: input and target differ by noise and nothing else, as
    /// two reconstructions of one scan with two doses do.
    NoiseInserted,
    /// The reconstruction of the noisy projections: what detector and filter do to edges is part of the result.
    Reconstructed,
}

/// A scan with a part of the dose: projection, counting, reconstruction.
///
/// # Formula
/// `μ = max(0, μ_water (1 + HU / 1000))`; `p` its integral along a ray (Joseph); `I ~ Poisson(d N₀ e^(−p)) + σ n`;
/// `p̂ = ln(d N₀ / max(I, 1))`; `FBP` is filtered back-projection, which is linear. Reconstructed: `HU = 1000 (FBP(p̂) /
/// μ_water − 1)`. Noise inserted: `HU = clean + 1000 FBP(p̂ − p) / μ_water`.
///
/// # Policy
/// Attenuation is that of water at 60 keV ([`WATER_PER_MM`]) for every tissue: one energy, so no beam hardening, and no
/// scatter. What is below −1000 HU counts as air. The clean slice is taken as free of noise: where it holds some, the
/// result holds it too. Electronic noise is counted in photons and does not fall with the dose. With a `dose_fraction` of
/// 1 the noise of the full dose stays.
///
/// # Source
/// I. A. Elbakri, J. A. Fessler, Statistical image reconstruction for polyenergetic X-ray computed tomography, IEEE
/// Transactions on Medical Imaging 21(2), 2002, equation 2 (one energy); D. Zeng and others, A simple low-dose X-ray CT
/// simulation from high-dose scan, IEEE Transactions on Nuclear Science 62(5), 2015.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LowDoseCt {
    /// How the rays run.
    pub beam: Beam,
    /// Projections: over half a turn of a parallel beam, over a whole one of a fan.
    pub angles: usize,
    /// Cells of the detector, which always covers the slice's diagonal; left out, their pitch is the smaller pixel
    /// spacing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectors: Option<usize>,
    /// Photons that a cell counts at full dose with nothing in the way, for one angle.
    pub photons: f64,
    /// Which part of the dose is used; above 0, at most 1.
    pub dose_fraction: f64,
    /// Standard deviation of the electronic noise, in photons.
    pub electronic_sigma: f64,
    /// The window on the ramp.
    pub filter: Filter,
    /// What becomes of the slice itself.
    pub output: LowDoseOutput,
}

impl LowDoseCt {
    pub(super) fn check(&self, intensity: Intensity) -> Result<(), DegradeError> {
        let refuse = |name, expected, found: String| Err(DegradeError::Parameter { kind: KIND, name, expected, found });
        if !(1..=8192).contains(&self.angles) {
            return refuse("angles", "1 to 8192", self.angles.to_string());
        }
        if let Some(detectors) = self.detectors.filter(|count| !(1..=8192).contains(count)) {
            return refuse("detectors", "1 to 8192, or left out", detectors.to_string());
        }
        if !(1.0..=1e12).contains(&self.photons) {
            return refuse("photons", "1 to 1e12", self.photons.to_string());
        }
        if !(self.dose_fraction > 0.0 && self.dose_fraction <= 1.0) {
            return refuse("dose_fraction", "above 0, at most 1", self.dose_fraction.to_string());
        }
        if !(0.0..=1e6).contains(&self.electronic_sigma) {
            return refuse("electronic_sigma", "0 to 1e6", self.electronic_sigma.to_string());
        }
        if intensity == Intensity::Hounsfield {
            return Ok(());
        }
        Err(DegradeError::Intensity {
            kind: KIND,
            expected: "Hounsfield units",
            found: intensity.name(),
            hint: "read the slices from DICOM or NIfTI files of a CT and say `intensity = \"hounsfield\"`",
        })
    }

    /// The part that all views of a slice share: its line integrals.
    ///
    /// # Errors
    /// As [`Degradation::apply`](super::Degradation::apply).
    pub fn prepare(&self, clean: &Image<2>) -> Result<NoiseFree, DegradeError> {
        self.check(clean.intensity())?;
        let spacing = clean.geometry().spacing_mm().ok_or(DegradeError::Spacing { kind: KIND })?;
        let shape = clean.geometry().shape();
        let scan = Scan::covering(shape, spacing, self.beam, self.angles, self.detectors).map_err(|refused| {
            DegradeError::Grid {
                kind: KIND,
                expected: format!("{} {}", refused.what, refused.expected),
                found: format!("{} for a slice of {shape:?} pixels of {spacing:?} mm", refused.found),
                hint: "correct the scan, or crop or resize the slices first",
            }
        })?;
        let of = |channel: usize| {
            let attenuation: Vec<f32> = clean.channel(channel).iter().map(|&hu| per_mm(hu)).collect();
            scan.project(&attenuation)
        };
        let integrals = (0..clean.channels()).map(of).collect();
        Ok(NoiseFree { protocol: self.clone(), clean: clean.clone(), scan, integrals })
    }

    pub(super) fn protocol(&self) -> String {
        let (beam, turn) = match self.beam {
            Beam::Parallel {} => ("parallel beam".to_owned(), 180),
            Beam::Fan { source_to_centre_mm: far } => {
                (format!("fan beam on a flat detector, source {far} mm from the centre"), 360)
            }
        };
        let detectors = match self.detectors {
            Some(count) => format!("{count} detector cells over the diagonal"),
            None => "detector cells as wide as a pixel over the diagonal".to_owned(),
        };
        format!(
            "low-dose-ct: {beam}, {} angles over {turn} degrees, {detectors}, {} photons a cell and angle, dose {}, \
             electronic noise of sigma {} photons, water {WATER_PER_MM}/mm (60 keV), counts below {FEWEST} taken as \
             {FEWEST}, Joseph projection, filtered back-projection with {} filter, {}",
            self.angles,
            self.photons,
            self.dose_fraction,
            self.electronic_sigma,
            self.filter.name(),
            match self.output {
                LowDoseOutput::NoiseInserted => "noise alone reconstructed and added to the slice",
                LowDoseOutput::Reconstructed => "slice reconstructed with its noise",
            }
        )
    }
}

fn per_mm(hu: f32) -> f32 {
    (WATER_PER_MM * (1.0 + f64::from(hu) / 1000.0)).max(0.0) as f32
}

fn hounsfield(per_mm: f32) -> f32 {
    (1000.0 * (f64::from(per_mm) / WATER_PER_MM - 1.0)) as f32
}

/// A slice's line integrals before a photon was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseFree {
    protocol: LowDoseCt,
    clean: Image<2>,
    scan: Scan,
    integrals: Vec<Sinogram>,
}

impl NoiseFree {
    /// Counts photons and reconstructs; equal keys give equal values.
    ///
    /// # Errors
    /// [`DegradeError::Image`] when a value is no finite number.
    ///
    /// # Example
    /// ```
    /// use kd_data::degrade::{Degradation, DegradeKey, LowDoseCt};
    /// use kd_image::{Geometry, Image, Intensity};
    /// let scan: LowDoseCt = toml::from_str(
    ///     "beam = { kind = \"parallel\" }\nangles = 30\nphotons = 1e5\ndose_fraction = 0.25\nelectronic_sigma = 5.0\nfilter = \"ramp\"\noutput = \"reconstructed\"",
    /// )?;
    /// let grid = Geometry::<2>::with_spacing([16, 16], [2.0, 2.0])?;
    /// let clean = Image::new(1, grid, Intensity::Hounsfield, vec![0.0; 256])?;
    /// let sample = "s00001".parse()?;
    /// let key = DegradeKey { seed: 1, sample: &sample, view: 3 };
    /// let prepared = scan.prepare(&clean)?;
    /// assert_eq!(prepared.realise(key)?, Degradation::LowDoseCt(scan).apply(&clean, key)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn realise(&self, key: DegradeKey<'_>) -> Result<Image<2>, DegradeError> {
        let LowDoseCt { photons, dose_fraction, electronic_sigma, output, .. } = self.protocol;
        let mut draw = Draw::new(key, KIND);
        let sent = photons * dose_fraction;
        let mut measured = |integral: f32| {
            let counted = draw.poisson(sent * (-f64::from(integral)).exp()) + electronic_sigma * draw.normal();
            (sent / counted.max(FEWEST)).ln() as f32
        };
        match output {
            LowDoseOutput::Reconstructed => {
                let values = self.back_projected(measured).into_iter().map(hounsfield).collect();
                same_grid(&self.clean, values)
            }
            LowDoseOutput::NoiseInserted => {
                let noise = self.back_projected(|integral| measured(integral) - integral);
                let values = self.clean.values().iter().zip(noise);
                let values =
                    values.map(|(hu, noise)| (f64::from(*hu) + 1000.0 * f64::from(noise) / WATER_PER_MM) as f32);
                same_grid(&self.clean, values.collect())
            }
        }
    }

    /// The reconstruction without noise: what the scan alone, and no dose, does to the slice.
    ///
    /// # Errors
    /// As [`realise`](Self::realise).
    pub fn without_noise(&self) -> Result<Image<2>, DegradeError> {
        same_grid(&self.clean, self.back_projected(|integral| integral).into_iter().map(hounsfield).collect())
    }

    /// Attenuation per mm from integrals that are changed on the way.
    fn back_projected(&self, mut measured: impl FnMut(f32) -> f32) -> Vec<f32> {
        let of = |integrals: &Sinogram| self.scan.reconstruct(&integrals.map(&mut measured), self.protocol.filter);
        self.integrals.iter().flat_map(of).collect()
    }
}
