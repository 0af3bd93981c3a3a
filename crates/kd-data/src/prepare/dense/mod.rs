//! Preparation where each point has an answer: segmentation, and restoration after it.
//!
//! A case becomes one volume of a fixed size, or its slices; values become what a network takes. Each step has a way back,
//! because a mask or a restored image belongs on the grid that its image came from.

mod cases;
mod objects;
mod pairs;
mod placement;
mod split_set;
mod volumes;

use std::path::Path;

use kd_image::{Image, Intensity, LabelMap, SampleId};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use cases::{Case, CaseError, CaseFiles, CaseSet, one_slice};
pub use objects::ObjectTarget;
pub use pairs::{PairRequest, prepare_pairs};
pub use placement::Placement;
pub use split_set::SplitSet;
pub use volumes::{Blocks, VolumeFiles, VolumeSet};

use super::{PrepareError, request_text};
use crate::digest::sha256_hex;
use crate::store::{DenseEntry, DensePlan, DenseStore, DenseWriter, Element, StoreError};

/// Raised by hand whenever the code below gives other numbers for the same input, so that old stores are left alone.
const CODE_SCHEMA: u32 = 1;
/// Cases in memory at once.
const BLOCK: usize = 8;

/// What the values of a case become.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DenseIntensity {
    /// `(value − mean) / standard deviation`, over the prepared volume and each channel by itself: for modalities whose
    /// numbers have no unit, such as magnetic resonance.
    EachVolume,
    /// `low` becomes 0 and `high` 1, values beyond are cut off: for numbers with a unit, such as Hounsfield units.
    Window {
        /// What becomes 0.
        low: f64,
        /// What becomes 1.
        high: f64,
    },
    /// `(value − offset) / scale`, nothing cut off: what restoration uses, since it can be undone exactly.
    Linear {
        /// What becomes 0.
        offset: f64,
        /// What becomes 1, counted from `offset`; above 0.
        scale: f64,
    },
}

/// How cases are prepared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseRequest {
    /// Points of a prepared sample: height and width where slices are the samples, depth, height and width where volumes
    /// are.
    pub size: Vec<usize>,
    /// Distance of points in mm in the order of `size`; none keeps the source's.
    pub spacing_mm: Option<Vec<f64>>,
    /// What the values become.
    pub intensity: DenseIntensity,
    /// How prepared values are kept.
    pub element: Element,
    /// How objects that touch are told apart, where the masks number them; none learns the classes alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectTarget>,
}

impl DenseRequest {
    /// Checks what can be checked without a case.
    ///
    /// # Errors
    /// [`PrepareError::Plan`] for a size of another length than 2 or 3 or with a 0, a spacing that does not go with it, and
    /// an intensity that maps nothing.
    pub fn check(&self) -> Result<(), PrepareError> {
        let refused = |what: &str, expected: &str, found: String| {
            Err(PrepareError::Plan { what: what.into(), expected: expected.into(), found })
        };
        if !matches!(self.size.len(), 2 | 3) || self.size.contains(&0) {
            return refused("size", "[height, width] or [depth, height, width]", format!("{:?}", self.size));
        }
        if let Some(mm) = &self.spacing_mm
            && (mm.len() != self.size.len() || mm.iter().any(|mm| !(mm.is_finite() && *mm > 0.0)))
        {
            return refused("spacing_mm", "a length above 0 for each entry of size", format!("{mm:?}"));
        }
        if let Some((expected, found)) = self.objects.and_then(|objects| objects.problem()) {
            return refused("objects", expected, found);
        }
        match self.intensity {
            DenseIntensity::Window { low, high } if !(low.is_finite() && high.is_finite() && low < high) => {
                refused("intensity", "a window with low below high", format!("{low} to {high}"))
            }
            DenseIntensity::Linear { offset, scale } if !(offset.is_finite() && scale.is_finite() && scale > 0.0) => {
                refused("intensity", "a scale above 0", format!("offset {offset}, scale {scale}"))
            }
            _ => Ok(()),
        }
    }

    /// Values as a network takes them, where that does not depend on the volume.
    pub(crate) fn scaled(&self, values: &[f32]) -> Vec<f32> {
        self.mapped(values, self.fixed().unwrap_or((0.0, 1.0)))
    }

    /// What becomes 0, and how far from it 1 is; none where each volume has its own.
    fn fixed(&self) -> Option<(f64, f64)> {
        match self.intensity {
            DenseIntensity::EachVolume => None,
            DenseIntensity::Window { low, high } => Some((low, high - low)),
            DenseIntensity::Linear { offset, scale } => Some((offset, scale)),
        }
    }

    fn mapped(&self, values: &[f32], (offset, scale): (f64, f64)) -> Vec<f32> {
        let cut = matches!(self.intensity, DenseIntensity::Window { .. });
        let value = |&value: &f32| {
            let value = (f64::from(value) - offset) / scale;
            (if cut { value.clamp(0.0, 1.0) } else { value }) as f32
        };
        values.iter().map(value).collect()
    }

    /// The hash that the prepared folder is called by.
    ///
    /// # Errors
    /// [`PrepareError::Plan`] for a number that no text can be made of.
    pub fn identity(&self, manifest_hash: &str, split_hash: &str) -> Result<String, PrepareError> {
        let request = request_text(self)?;
        Ok(sha256_hex(format!("dense {CODE_SCHEMA}\n{manifest_hash}\n{split_hash}\n{request}\n").as_bytes()))
    }

    /// A case's answer on the prepared grid: its classes, or insides and borders of its objects.
    ///
    /// # Errors
    /// [`PrepareError::Image`] for a mask that does not number its objects where they are asked for.
    pub fn target(&self, placement: &Placement, case: &Case) -> Result<LabelMap<3>, PrepareError> {
        let Some(objects) = self.objects else { return placement.labels(&case.labels) };
        let numbered = case.instances.as_ref().ok_or_else(|| PrepareError::Image {
            what: "mask".into(),
            expected: "a number for each object".into(),
            found: "classes alone".into(),
        })?;
        Ok(objects.target(&placement.labels(numbered)?, self.size.len() == 2))
    }

    /// A case's image on the prepared grid with the values that a network takes; what prediction does too.
    ///
    /// # Errors
    /// [`PrepareError::Image`] for a volume that does not vary where each is scaled by itself.
    pub fn image(&self, placement: &Placement, image: &Image<3>) -> Result<Image<3>, PrepareError> {
        let placed = placement.image(image)?;
        let channels = placed.channels();
        let mut values = Vec::with_capacity(placed.values().len());
        for channel in 0..channels {
            let line = match self.fixed() {
                Some(line) => line,
                None => of_volume(placed.channel(channel), channel)?,
            };
            values.extend(self.mapped(placed.channel(channel), line));
        }
        let intensity = match self.intensity {
            DenseIntensity::Window { .. } => Intensity::Unit,
            _ => Intensity::ZScore,
        };
        Image::new(channels, placement.grid().clone(), intensity, values).map_err(|error| PrepareError::Image {
            what: "prepared values".into(),
            expected: "finite numbers".into(),
            found: error.to_string(),
        })
    }
}

fn of_volume(values: &[f32], channel: usize) -> Result<(f64, f64), PrepareError> {
    let n = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / n;
    let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / n;
    let spread = variance.sqrt();
    if spread > 1e-6 * mean.abs().max(1e-6) {
        return Ok((mean, spread));
    }
    Err(PrepareError::Image {
        what: format!("channel {channel}"),
        expected: "values that vary, since each volume is scaled by its own standard deviation".into(),
        found: format!("{mean} everywhere"),
    })
}

/// A volume cut into the samples of a store: itself, or its slices, each with its number.
pub(crate) fn n_samples(request: &DenseRequest, placement: &Placement) -> usize {
    if request.size.len() == 2 { placement.grid().shape()[0] } else { 1 }
}

/// The name of a sample of a case.
fn sample_id(case: &SampleId, n: usize, of: usize, request: &DenseRequest) -> Result<SampleId, PrepareError> {
    if request.size.len() == 3 {
        return Ok(case.clone());
    }
    let width = of.to_string().len();
    SampleId::new(format!("{case}#{n:0width$}")).map_err(|error| PrepareError::Sample {
        sample: case.to_string(),
        reason: format!("has a name that is too long for its slices: {error}"),
    })
}

fn of_case(set: &CaseSet, index: usize, reason: impl std::fmt::Display) -> PrepareError {
    PrepareError::Sample { sample: set.sample(index).to_string(), reason: reason.to_string() }
}

/// Prepares all cases of a set with masks into `folder/<identity>`, or opens what is there already.
///
/// # Policy
/// Equal input gives equal bytes, whatever the number of threads. A folder that is there is checked, not made again.
///
/// # Errors
/// [`PrepareError`] with the case; [`PrepareError::Store`] for a full disk and for a folder that is there and damaged.
pub fn prepare_cases(
    set: &CaseSet,
    request: &DenseRequest,
    (channels, n_classes): (usize, usize),
    manifest_hash: &str,
    folder: &Path,
) -> Result<DenseStore, PrepareError> {
    request.check()?;
    let identity = request.identity(manifest_hash, set.split_hash())?;
    let last = folder.join(&identity);
    if last.exists() {
        return Ok(DenseStore::open(&last, &identity)?);
    }
    // Grids first: they say how many samples there are.
    let grids: Vec<Result<usize, PrepareError>> = (0..set.len())
        .into_par_iter()
        .map(|index| {
            let case = set.read(index).map_err(|error| of_case(set, index, error))?;
            let placement = Placement::new(case.image.geometry(), request);
            Ok(n_samples(request, &placement.map_err(|error| of_case(set, index, error))?))
        })
        .collect();
    let counts = grids.into_iter().collect::<Result<Vec<usize>, _>>()?;
    let mut entries = Vec::new();
    let mut starts = Vec::new();
    for (index, &count) in counts.iter().enumerate() {
        starts.push(entries.len());
        for n in 0..count {
            entries.push(DenseEntry {
                id: sample_id(set.sample(index), n, count, request)?,
                subject: set.subject(index).clone(),
                split: set.split(index),
                case: set.sample(index).clone(),
                slice: n,
            });
        }
    }
    let plan = DensePlan::labelled(request.clone(), channels, n_classes);
    let mut writer = DenseWriter::create(&last, &identity, plan, entries)?;
    for start in (0..set.len()).step_by(BLOCK) {
        let block: Vec<usize> = (start..set.len().min(start + BLOCK)).collect();
        let prepared: Vec<(Image<3>, LabelMap<3>)> = block
            .par_iter()
            .map(|&index| {
                let case = set.read(index).map_err(|error| of_case(set, index, error))?;
                let placed = Placement::new(case.image.geometry(), request)
                    .and_then(|place| Ok((request.image(&place, &case.image)?, request.target(&place, &case)?)));
                placed.map_err(|error| of_case(set, index, error))
            })
            .collect::<Result<_, PrepareError>>()?;
        for (index, (image, labels)) in block.into_iter().zip(&prepared) {
            let count = counts[index];
            for n in 0..count {
                writer.write_labelled(
                    starts[index] + n,
                    &slice_values(image, n, count),
                    slice_labels(labels, n, count),
                )?;
            }
        }
    }
    finished(writer, &last, &identity)
}

/// Closes a store and opens it.
fn finished(writer: DenseWriter, last: &Path, identity: &str) -> Result<DenseStore, PrepareError> {
    match writer.finish() {
        Ok(_) => {}
        // Another process prepared the same thing meanwhile; equal input gives equal bytes.
        Err(StoreError::Exists { .. }) if last.exists() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(DenseStore::open(last, identity)?)
}

/// Values of part `n` of `count` along the first axis, channel after channel.
pub(crate) fn slice_values(image: &Image<3>, n: usize, count: usize) -> Vec<f32> {
    let points = image.geometry().n_points() / count;
    let part = |channel| &image.channel(channel)[n * points..(n + 1) * points];
    (0..image.channels()).flat_map(|channel| part(channel).iter().copied()).collect()
}

fn slice_labels(labels: &LabelMap<3>, n: usize, count: usize) -> &[u16] {
    let points = labels.labels().len() / count;
    &labels.labels()[n * points..(n + 1) * points]
}
