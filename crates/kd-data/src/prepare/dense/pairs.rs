//! Pairs for restoration: clean slices, and what a degradation makes of them, once for each numbered view.

use std::path::Path;

use kd_image::{Geometry, Image, Split};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{DenseIntensity, DenseRequest, Placement, VolumeSet, finished, sample_id, slice_values};
use crate::degrade::{Degradation, DegradeKey};
use crate::digest::sha256_hex;
use crate::prepare::{PrepareError, request_text};
use crate::store::{DenseAnswers, DenseEntry, DensePlan, DenseStore, DenseWriter};

/// Raised by hand whenever the code below gives other numbers for the same input, so that old stores are left alone.
const CODE_SCHEMA: u32 = 1;

/// How clean slices become pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairRequest {
    /// How the clean slices are prepared; two entries of size, and an intensity that can be undone.
    pub clean: DenseRequest,
    /// What is done to them, in the unit of their source.
    pub degradation: Degradation,
    /// Seed of all noise.
    pub seed: u64,
    /// Inputs that are made of a training slice; others get one.
    pub n_views: u32,
}

impl PairRequest {
    /// Checks what can be checked without a volume.
    ///
    /// # Errors
    /// [`PrepareError::Plan`] for volumes as samples, an intensity that cannot be undone, no view, and a size that a
    /// coarser input does not divide.
    pub fn check(&self) -> Result<(), PrepareError> {
        self.clean.check()?;
        let refused = |what: &str, expected: &str, found: String| {
            Err(PrepareError::Plan { what: what.into(), expected: expected.into(), found })
        };
        let factor = self.degradation.factor();
        if self.clean.size.len() != 2 {
            return refused(
                "size",
                "[height, width]: slices are restored one by one",
                format!("{:?}", self.clean.size),
            );
        }
        if self.clean.size.iter().any(|side| side % factor != 0) {
            return refused("size", &format!("multiples of {factor}"), format!("{:?}", self.clean.size));
        }
        if !matches!(self.clean.intensity, DenseIntensity::Linear { .. }) {
            return refused(
                "intensity",
                "\"linear\": an answer has to come back in the unit of its source",
                format!("{:?}", self.clean.intensity),
            );
        }
        if self.n_views == 0 {
            return refused("n_views", "at least 1", "0".into());
        }
        Ok(())
    }

    /// How the inputs are prepared: as the clean slices, on the coarser grid that a degradation may leave.
    #[must_use]
    pub fn input(&self) -> DenseRequest {
        let factor = self.degradation.factor();
        let size = self.clean.size.iter().map(|side| side / factor).collect();
        #[expect(clippy::cast_precision_loss, reason = "2 or 4")]
        let spacing_mm = self.clean.spacing_mm.as_ref().map(|mm| mm.iter().map(|mm| mm * factor as f64).collect());
        DenseRequest { size, spacing_mm, ..self.clean.clone() }
    }

    /// The hash that the prepared folder is called by.
    ///
    /// # Errors
    /// [`PrepareError::Plan`] for a number that no text can be made of.
    pub fn identity(&self, manifest_hash: &str, split_hash: &str) -> Result<String, PrepareError> {
        let request = request_text(self)?;
        Ok(sha256_hex(format!("pairs {CODE_SCHEMA}\n{manifest_hash}\n{split_hash}\n{request}\n").as_bytes()))
    }
}

/// Inputs and answer of one slice.
type Pair = (Vec<Vec<f32>>, Vec<f32>);

/// Makes the pairs of a set of clean volumes in `folder/<identity>`, or opens what is there already.
///
/// # Policy
/// A slice is turned to the axes of the patient, resampled, cut or padded as the request says, and degraded then: noise
/// has the texture of the grid that the network sees. What was measured ([`Degradation::Measured`]) is treated as the
/// clean slice is, and is the same in every view. Equal input gives equal bytes, whatever the number of threads.
///
/// # Errors
/// [`PrepareError`] with the slice; [`PrepareError::Store`] for a full disk and for a folder that is there and damaged.
pub fn prepare_pairs(
    set: &VolumeSet,
    request: &PairRequest,
    channels: usize,
    manifest_hash: &str,
    folder: &Path,
) -> Result<DenseStore, PrepareError> {
    request.check()?;
    let identity = request.identity(manifest_hash, set.split_hash())?;
    let last = folder.join(&identity);
    if last.exists() {
        return Ok(DenseStore::open(&last, &identity)?);
    }
    let of = |index: usize, reason: String| PrepareError::Sample { sample: set.sample(index).to_string(), reason };
    let is_measured = request.degradation == Degradation::Measured;
    if is_measured && !set.has_inputs() {
        return Err(PrepareError::Plan {
            what: "degradation".into(),
            expected: "a data set with what was measured of every volume (`kd data import --inputs`)".into(),
            found: "clean volumes alone".into(),
        });
    }
    let placed = |index: usize| -> Result<(Image<3>, Option<Image<3>>), PrepareError> {
        let refused = |reason: String| of(index, reason);
        // Inputs that nobody asked for stay unread.
        let read = if is_measured { set.read_pair(index) } else { set.read(index).map(|clean| (clean, None)) };
        let (clean, input) = read.map_err(|error| refused(error.to_string()))?;
        let placement = Placement::new(clean.geometry(), &request.clean).map_err(|e| refused(e.to_string()))?;
        let place = |volume: &Image<3>| placement.image(volume).map_err(|error| refused(error.to_string()));
        Ok((place(&clean)?, input.map(|input| place(&input)).transpose()?))
    };
    // A request of two sides leaves the slices as they are.
    let counts: Vec<usize> = (0..set.len()).map(|index| set.n_slices(index)).collect();
    let mut entries = Vec::new();
    for (index, &count) in counts.iter().enumerate() {
        for n in 0..count {
            entries.push(DenseEntry {
                id: sample_id(set.sample(index), n, count, &request.clean)?,
                subject: set.subject(index).clone(),
                split: set.split(index),
                case: set.sample(index).clone(),
                slice: n,
            });
        }
    }
    let plan = DensePlan {
        request: request.input(),
        channels,
        answers: DenseAnswers::Images {
            size: request.clean.size.clone(),
            degradation: format!("{}; seed {}", request.degradation.protocol(), request.seed),
            n_views: request.n_views,
        },
    };
    let mut writer = DenseWriter::create(&last, &identity, plan, entries.clone())?;
    let mut start = 0;
    for (index, &count) in counts.iter().enumerate() {
        let (volume, measured) = placed(index)?;
        let made = |n| match &measured {
            Some(input) => {
                let slice = |volume| request.clean.scaled(&slice_values(volume, n, count));
                let views = n_inputs(&entries[start + n], request);
                Ok((vec![slice(input); views as usize], slice(&volume)))
            }
            None => pair(&volume, n, count, &entries[start + n], request),
        };
        let pairs: Vec<Result<Pair, PrepareError>> = (0..count).into_par_iter().map(made).collect();
        for (n, pair) in pairs.into_iter().enumerate() {
            let (inputs, answer) = pair?;
            writer.write_pair(start + n, &inputs, &answer)?;
        }
        start += count;
    }
    finished(writer, &last, &identity)
}

/// Inputs of a slice: one a view in training, and one else.
fn n_inputs(entry: &DenseEntry, request: &PairRequest) -> u32 {
    if entry.split == Split::Train { request.n_views } else { 1 }
}

fn pair(
    volume: &Image<3>,
    n: usize,
    count: usize,
    entry: &DenseEntry,
    request: &PairRequest,
) -> Result<Pair, PrepareError> {
    let refused = |reason: String| PrepareError::Sample { sample: entry.id.to_string(), reason };
    let [_, rows, columns] = volume.geometry().shape();
    let grid = match volume.geometry().spacing_mm() {
        Some([_, row, column]) => Geometry::<2>::with_spacing([rows, columns], [row, column]),
        None => Geometry::<2>::without_spacing([rows, columns]),
    };
    let grid = grid.map_err(|error| refused(error.to_string()))?;
    let clean = Image::new(volume.channels(), grid, volume.intensity(), slice_values(volume, n, count))
        .map_err(|error| refused(error.to_string()))?;
    let views = n_inputs(entry, request);
    let degraded = |view: u32| {
        let key = DegradeKey { seed: request.seed, sample: &entry.id, view };
        let image = request.degradation.apply(&clean, key).map_err(|error| refused(error.to_string()))?;
        Ok(request.clean.scaled(image.values()))
    };
    let inputs = (0..views).map(degraded).collect::<Result<Vec<_>, PrepareError>>()?;
    Ok((inputs, request.clean.scaled(clean.values())))
}
