//! Downloads: each file of a manifest ends up verified under its own name, or not at all.
//!
//! Bytes go to `NAME.part` and are added to the checksum as they pass; only a file whose checksum fits is renamed. What
//! an interruption leaves is a `.part`, which no reader looks at and the next call goes on from. A folder of copies
//! (`mirror`) is read the same way and checked the same way: hospital networks have no way out.

mod error;
#[cfg(feature = "fetch")]
mod http;
mod part;

use std::fs::{self, File};
use std::path::Path;

pub use error::FetchError;

use crate::digest::checksum_file;
use crate::error::FileError;
use crate::manifest::{Layout, Manifest, SourceFile};
use crate::root::Root;
use part::Part;

/// Where bytes come from.
#[derive(Debug, Clone, Copy, Default)]
pub struct FetchOptions<'a> {
    /// A folder with the same files; nothing is downloaded then.
    pub mirror: Option<&'a Path>,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchProgress<'a> {
    /// The file's name in the manifest.
    pub file: &'a str,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes in all, where that is known.
    pub total: Option<u64>,
}

/// How a file came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchOutcome {
    /// It was there and its checksum fits.
    AlreadyThere,
    /// Downloaded; the first `resumed_from` bytes were there from an earlier call.
    Downloaded {
        /// Its size.
        bytes: u64,
        /// Bytes that an earlier call had left.
        resumed_from: u64,
    },
    /// Copied from the mirror.
    Mirrored {
        /// Its size.
        bytes: u64,
    },
}

/// Brings all files of a data set into `ROOT/raw/<name>/`, verified; returns name and outcome of each.
///
/// # Policy
/// A file that is there is read and checked, never downloaded again. One whose checksum does not fit is reported and
/// left alone: it may be somebody's, and only its owner may remove it.
///
/// # Errors
/// [`FetchError`]; files that were finished before stay, no unverified file gets its name.
pub fn fetch(
    root: &Root,
    manifest: &Manifest,
    options: FetchOptions<'_>,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<Vec<(String, FetchOutcome)>, FetchError> {
    if manifest.source.layout == Layout::Generator {
        return Err(FetchError::Generated { name: manifest.name.to_string() });
    }
    if let Some(obtain) = &manifest.source.obtain {
        return Err(FetchError::ByHand { name: manifest.name.to_string(), obtain: obtain.clone() });
    }
    let folder = root.raw_set(manifest.name.as_str());
    let mut outcomes = Vec::new();
    for file in &manifest.source.files {
        outcomes.push((file.name.clone(), fetch_file(&folder, file, options, progress)?));
    }
    Ok(outcomes)
}

fn fetch_file(
    folder: &Path,
    file: &SourceFile,
    options: FetchOptions<'_>,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<FetchOutcome, FetchError> {
    let last = folder.join(&file.name);
    if last.exists() {
        let (found, bytes) = checksum_file(&last, folder, file.checksum.running())?;
        if found != file.checksum {
            return Err(FetchError::Present { file: file.name.clone(), expected: file.checksum, found });
        }
        progress(FetchProgress { file: &file.name, done: bytes, total: Some(bytes) });
        return Ok(FetchOutcome::AlreadyThere);
    }
    if let Some(mirror) = options.mirror {
        return from_mirror(folder, file, mirror, progress);
    }
    let Some(url) = &file.url else {
        return Err(FetchError::NoAddress { file: file.name.clone() });
    };
    #[cfg(feature = "fetch")]
    return http::download(folder, file, url, progress);
    #[cfg(not(feature = "fetch"))]
    Err(FetchError::Network {
        url: url.clone(),
        reason: "this program was built without the feature `fetch`".into(),
        kept: 0,
    })
}

fn from_mirror(
    folder: &Path,
    file: &SourceFile,
    mirror: &Path,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<FetchOutcome, FetchError> {
    let from = mirror.join(&file.name);
    let mut source = match File::open(&from) {
        Ok(source) => source,
        Err(none) if none.kind() == std::io::ErrorKind::NotFound => {
            return Err(FetchError::NotInMirror { file: file.name.clone() });
        }
        Err(source) => return Err(FileError::new("read", &from, mirror, source).into()),
    };
    let total = source.metadata().ok().map(|facts| facts.len());
    let mut part = Part::empty(folder, file)?;
    part.append(&mut source, total, progress).map_err(|stopped| match stopped {
        part::Stopped::Read(source) => FetchError::File(FileError::new("read", &from, mirror, source)),
        part::Stopped::Write(refused) => refused.into(),
    })?;
    let bytes = part.len();
    match part.finish() {
        Ok(()) => Ok(FetchOutcome::Mirrored { bytes }),
        Err(FetchError::Checksum { file, expected, found, .. }) => {
            let hint = "the mirror's copy is damaged or another version; copy it from the publisher again";
            Err(FetchError::Checksum { file, expected, found, hint })
        }
        Err(other) => Err(other),
    }
}

/// Removes the raw folder of a data set: downloads, links of an import, partial files. Nothing else is touched, and
/// files that an import links to stay where they are.
///
/// # Errors
/// [`FetchError::NotADataSet`] for a name that could lead outside of the raw folder, [`FetchError::File`] when it
/// cannot be removed. A folder that is not there is no error; the result says whether there was one.
pub fn remove(root: &Root, name: &str) -> Result<bool, FetchError> {
    if !crate::manifest::is_dataset_name(name) {
        return Err(FetchError::NotADataSet { name: name.into() });
    }
    let folder = root.raw_set(name);
    match fs::remove_dir_all(&folder) {
        Ok(()) => Ok(true),
        Err(none) if none.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(FileError::new("remove", &folder, root.path(), source).into()),
    }
}
