//! Seeded generators of medical-looking data: one kind a task, so that a fresh clone runs each of them offline.
//!
//! A phantom goes through the same readers as real data, and its truth is known. It stands for no patient: a result on
//! it shows that the machinery works, and how networks differ on a task of this kind.
//!
//! Every random number comes from a ChaCha stream keyed by seed, purpose and subject, so equal parameters give equal
//! bytes on any number of threads.

pub mod chest;
mod draw;
pub mod volumes;

use std::path::{Path, PathBuf};

use kd_image::{Intensity, Split};
use serde::{Deserialize, Serialize};

use self::chest::ChestParameters;
use self::draw::{Draw, Purpose};
use self::volumes::ct::CtParameters;
use self::volumes::mr::MrParameters;
use self::volumes::organs::OrganParameters;
use crate::manifest::{ImageFacts, ImageSize, Task};
use crate::store::{StagedFolder, StoreError};

/// Why a phantom could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PhantomError {
    /// A parameter outside its range.
    #[error("phantom parameter {name} is {found}, expected {expected}")]
    Parameter {
        /// Which one.
        name: &'static str,
        /// Its range.
        expected: &'static str,
        /// The value given.
        found: String,
    },
    /// Writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What to make, as a table `[generator]` spells it with its `kind`; equal parameters give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phantom {
    /// Radiographs to classify.
    Chest(ChestParameters),
    /// CT volumes to enhance.
    Ct(CtParameters),
    /// MR volumes to enhance.
    Mr(MrParameters),
    /// CT volumes of a thorax with masks, to segment.
    ThoraxOrgans(OrganParameters),
}

impl Phantom {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`PhantomError::Parameter`] for the first that is outside.
    pub fn check(&self) -> Result<(), PhantomError> {
        match self {
            Self::Chest(parameters) => parameters.check(),
            Self::Ct(parameters) => parameters.check(),
            Self::Mr(parameters) => parameters.check(),
            Self::ThoraxOrgans(parameters) => parameters.check(),
        }
    }

    /// What is asked about the images.
    #[must_use]
    pub const fn task(&self) -> Task {
        match self {
            Self::Chest(_) => Task::Binary,
            Self::Ct(_) | Self::Mr(_) => Task::Enhancement,
            Self::ThoraxOrgans(_) => Task::Segmentation,
        }
    }

    /// Channels, size and meaning of every image.
    #[must_use]
    pub const fn image(&self) -> ImageFacts {
        let (side, intensity) = match self {
            Self::Chest(parameters) => (parameters.size, Intensity::Stored { bits: 16 }),
            Self::Ct(parameters) => (parameters.size, Intensity::Hounsfield),
            Self::Mr(parameters) => (parameters.size, Intensity::Arbitrary),
            Self::ThoraxOrgans(parameters) => (parameters.size, Intensity::Hounsfield),
        };
        ImageFacts { channels: 1, size: ImageSize::Fixed { height: side, width: side }, intensity }
    }

    /// Makes and writes everything into a folder that exists.
    ///
    /// # Errors
    /// [`PhantomError`].
    pub fn write(&self, folder: &Path) -> Result<(), PhantomError> {
        match self {
            Self::Chest(parameters) => chest::write_images(&chest::generate(parameters)?, parameters.size, folder),
            Self::Ct(parameters) => parameters.write(folder),
            Self::Mr(parameters) => parameters.write(folder),
            Self::ThoraxOrgans(parameters) => parameters.write(folder),
        }
    }
}

/// Makes a phantom data set as a new folder, there whole or not at all; `finish` adds to it before it gets its name (a
/// manifest, for one).
///
/// # Errors
/// [`PhantomError::Parameter`]; [`PhantomError::Store`], among them [`StoreError::Exists`] for a name that is taken;
/// whatever `finish` reports.
pub fn create_phantom<E: From<PhantomError>>(
    phantom: &Phantom,
    folder: &Path,
    finish: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    let staged = StagedFolder::create(folder).map_err(PhantomError::from)?;
    phantom.write(staged.path())?;
    finish(staged.path())?;
    Ok(staged.commit().map_err(PhantomError::from)?)
}

fn refuse<T>(name: &'static str, expected: &'static str, found: String) -> Result<T, PhantomError> {
    Err(PhantomError::Parameter { name, expected, found })
}

/// Checks the shares of the splits and whatever else is a share.
fn check_shares(split: [f64; 3], shares: &[(&'static str, f64)]) -> Result<(), PhantomError> {
    let is_share = |value: f64| (0.0..=1.0).contains(&value);
    if !split.iter().all(|&part| is_share(part)) || (split.iter().sum::<f64>() - 1.0).abs() > 1e-9 {
        return refuse("split", "three shares that sum to 1", format!("{split:?}"));
    }
    match shares.iter().find(|(_, value)| !is_share(*value)) {
        Some((name, value)) => refuse(name, "0 to 1", value.to_string()),
        None => Ok(()),
    }
}

/// The split of each subject, in the order of their numbers.
fn subject_splits(count: usize, shares: [f64; 3], seed: u64) -> Vec<Split> {
    let part = |share: f64| (share * count as f64).round() as usize;
    let train = part(shares[0]);
    let val = part(shares[0] + shares[1]).max(train);
    let mut splits: Vec<Split> = (0..count)
        .map(|place| match place {
            _ if place < train => Split::Train,
            _ if place < val => Split::Val,
            _ => Split::Test,
        })
        .collect();
    // Fisher and Yates.
    let mut draw = Draw::new(seed, Purpose::Splits, 0);
    for place in (1..count).rev() {
        splits.swap(place, draw.below(place + 1));
    }
    splits
}
