//! From raw images to prepared ones: size, channels, intensity, and the store that holds the result.
//!
//! Statistics come from training samples only: a mean over all images carries the test set into training.

mod dense;
mod plan;
mod resize;

use std::path::Path;

use kd_image::{Image, SampleId, Split, SubjectId, Target};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use dense::{
    Blocks, Case, CaseError, CaseFiles, CaseSet, DenseIntensity, DenseRequest, ObjectTarget, PairRequest, Placement,
    SplitSet, VolumeFiles, VolumeSet, one_slice, prepare_cases, prepare_pairs,
};
pub use plan::{Channels, Normalization, PreparePlan, Resize};

use crate::digest::sha256_hex;
use crate::store::{Element, PreparedEntry, PreparedStore, PreparedWriter, StoreError};

/// Raised by hand whenever the code below gives other numbers for the same input, so that old stores are left alone.
const CODE_SCHEMA: u32 = 1;
/// Images in memory at once.
const BLOCK: usize = 256;

/// Why images could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The plan does not hold together.
    #[error("preparation: {what} is {found}, expected {expected}")]
    Plan {
        /// Which part.
        what: String,
        /// What would do.
        expected: String,
        /// What was given.
        found: String,
    },
    /// An image does not fit the plan.
    #[error("{what} is {found}, expected {expected}")]
    Image {
        /// Which property.
        what: String,
        /// What the plan takes.
        expected: String,
        /// What the image has.
        found: String,
    },
    /// One sample failed.
    #[error("sample `{sample}`: {reason}")]
    Sample {
        /// Which one.
        sample: String,
        /// Why.
        reason: String,
    },
    /// No sample of the training split.
    #[error(
        "no training sample, expected at least one to take means and standard deviations from\nhint: check the split of the data set"
    )]
    NoTraining,
    /// A channel that says nothing.
    #[error("channel {channel} is constant over all training samples (standard deviation {std}), expected it to vary")]
    Constant {
        /// Which channel.
        channel: usize,
        /// Its standard deviation, in 0 to 1.
        std: f64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Decoded images with names, subjects, splits and answers, in a fixed order.
pub trait RawSource: Sync {
    /// What reading can fail with.
    type Error: std::error::Error;

    /// How many samples there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a sample; `index` is below [`len`](Self::len).
    fn id(&self, index: usize) -> &SampleId;

    /// The subject of a sample.
    fn subject(&self, index: usize) -> &SubjectId;

    /// Where a sample belongs.
    fn split(&self, index: usize) -> Split;

    /// The answer of a sample.
    fn target(&self, index: usize) -> &Target;

    /// Reads a raw image.
    ///
    /// # Errors
    /// Whatever the reader reports.
    fn read(&self, index: usize) -> Result<Image<2>, Self::Error>;
}

/// Where means and standard deviations come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NormalizationRequest {
    /// Values stay in 0 to 1.
    Unit,
    /// From the training samples of this data set.
    TrainStatistics,
    /// Given, as for a network that was trained elsewhere.
    Given {
        /// Mean of each channel, in 0 to 1.
        mean: Vec<f64>,
        /// Standard deviation of each channel, in 0 to 1.
        std: Vec<f64>,
    },
}

/// A preparation before its statistics are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareRequest {
    /// Height and width.
    pub size: [usize; 2],
    /// 1 or 3.
    pub channels: usize,
    /// How an image becomes `size`.
    pub resize: Resize,
    /// What happens to other channels.
    pub convert: Channels,
    /// Where means and standard deviations come from.
    pub normalization: NormalizationRequest,
    /// How prepared values are kept.
    pub element: Element,
}

impl PrepareRequest {
    fn plan(&self, normalization: Normalization) -> PreparePlan {
        let Self { size, channels, resize, convert, .. } = *self;
        PreparePlan { size, channels, resize, convert, normalization }
    }

    /// The hash that the prepared folder is called by, from the hashes of manifest and split, this request and the
    /// version of the code. The statistics follow from these, so they are no part of it.
    ///
    /// # Errors
    /// [`PrepareError::Plan`] for a number that no text can be made of.
    pub fn identity(&self, manifest_hash: &str, split_hash: &str) -> Result<String, PrepareError> {
        let request = request_text(self)?;
        let text = format!("prepared {CODE_SCHEMA}\n{manifest_hash}\n{split_hash}\n{request}\n");
        Ok(sha256_hex(text.as_bytes()))
    }
}

/// A request as the text that its hash is made of.
fn request_text<R: Serialize>(request: &R) -> Result<String, PrepareError> {
    serde_json::to_string(request).map_err(|error| PrepareError::Plan {
        what: "request".into(),
        expected: "finite numbers".into(),
        found: error.to_string(),
    })
}

fn of_sample<S: RawSource>(source: &S, index: usize, reason: impl std::fmt::Display) -> PrepareError {
    PrepareError::Sample { sample: source.id(index).to_string(), reason: reason.to_string() }
}

/// Completes a request with statistics.
///
/// # Policy
/// Mean and standard deviation (divisor n) of each channel over all pixels of all training samples, after channels and
/// size, in `f64`; summed image by image in stored order, so the number of threads changes nothing. Kept to nine digits:
/// any JSON or TOML reader gives such a number back exactly, which one of seventeen digits is not sure of.
///
/// # Errors
/// [`PrepareError::NoTraining`], [`PrepareError::Constant`] for a standard deviation below 10⁻⁶,
/// [`PrepareError::Plan`], and [`PrepareError::Sample`] for an image that cannot be read or does not fit.
pub fn fit_plan<S: RawSource>(source: &S, request: &PrepareRequest) -> Result<PreparePlan, PrepareError> {
    let plan = request.plan(match &request.normalization {
        NormalizationRequest::Given { mean, std } => Normalization::ZScore { mean: mean.clone(), std: std.clone() },
        NormalizationRequest::Unit | NormalizationRequest::TrainStatistics => Normalization::Unit,
    });
    plan.check()?;
    if request.normalization != NormalizationRequest::TrainStatistics {
        return Ok(plan);
    }
    let train: Vec<usize> = (0..source.len()).filter(|&index| source.split(index) == Split::Train).collect();
    if train.is_empty() {
        return Err(PrepareError::NoTraining);
    }
    let points = plan.size[0] * plan.size[1];
    let sums: Vec<Vec<(f64, f64)>> = train
        .par_iter()
        .map(|&index| {
            let image = source.read(index).map_err(|error| of_sample(source, index, error))?;
            let values = plan.unit_values(&image).map_err(|error| of_sample(source, index, error))?;
            let of_channel = |values: &[f32]| {
                values.iter().fold((0.0, 0.0), |(sum, squares), &value| {
                    let value = f64::from(value);
                    (sum + value, squares + value * value)
                })
            };
            Ok(values.chunks_exact(points).map(of_channel).collect())
        })
        .collect::<Result<_, PrepareError>>()?;
    let count = (train.len() * points) as f64;
    let (mut mean, mut std) = (Vec::new(), Vec::new());
    for channel in 0..plan.channels {
        let (sum, squares) =
            sums.iter().fold((0.0, 0.0), |(sum, squares), image| (sum + image[channel].0, squares + image[channel].1));
        let center = sum / count;
        let spread = (squares / count - center * center).max(0.0).sqrt();
        if spread < 1e-6 {
            return Err(PrepareError::Constant { channel, std: spread });
        }
        mean.push(nine_digits(center));
        std.push(nine_digits(spread));
    }
    Ok(request.plan(Normalization::ZScore { mean, std }))
}

fn nine_digits(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value)
}

/// Prepares all samples of a source into `folder/<identity>`, or opens what is there already.
///
/// # Policy
/// Equal input gives equal bytes, whatever the number of threads. A folder that is there is checked, not made again.
///
/// # Errors
/// As [`fit_plan`]; [`PrepareError::Store`] for a full disk and for a folder that is there and damaged.
pub fn prepare<S: RawSource>(
    source: &S,
    request: &PrepareRequest,
    manifest_hash: &str,
    split_hash: &str,
    folder: &Path,
) -> Result<PreparedStore, PrepareError> {
    let identity = request.identity(manifest_hash, split_hash)?;
    let last = folder.join(&identity);
    if last.exists() {
        return Ok(PreparedStore::open(&last, &identity)?);
    }
    let plan = fit_plan(source, request)?;
    let entry = |index| PreparedEntry {
        id: source.id(index).clone(),
        subject: source.subject(index).clone(),
        split: source.split(index),
        target: source.target(index).clone(),
    };
    let entries: Vec<PreparedEntry> = (0..source.len()).map(entry).collect();
    let mut writer = PreparedWriter::create(&last, &identity, plan.clone(), entries, request.element)?;
    for start in (0..source.len()).step_by(BLOCK) {
        let block: Vec<usize> = (start..source.len().min(start + BLOCK)).collect();
        let prepared: Vec<Image<2>> = block
            .par_iter()
            .map(|&index| {
                let image = source.read(index).map_err(|error| of_sample(source, index, error))?;
                plan.apply(&image).map_err(|error| of_sample(source, index, error))
            })
            .collect::<Result<_, PrepareError>>()?;
        for (index, image) in block.into_iter().zip(&prepared) {
            writer.write(index, image)?;
        }
    }
    match writer.finish() {
        Ok(_) => {}
        // Another process prepared the same thing meanwhile; equal input gives equal bytes.
        Err(StoreError::Exists { .. }) if last.exists() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(PreparedStore::open(&last, &identity)?)
}
