//! Writing a generated set into its raw folder, with a list of checksums that names the parameters.
//!
//! A generated folder has no published checksums, so it gets its own: of the parameters, which tells a folder that was
//! made with others, and of every file, which tells a folder that was changed.

use std::collections::BTreeMap;
use std::path::Path;

use super::ImportError;
use crate::decode::{DecodeError, GENERATED_FILE, MaskedDataset, RawDataset, VolumeDataset, generated_list};
use crate::digest::sha256_file;
use crate::format::files_below;
use crate::manifest::{Layout, Manifest, Task};
use crate::phantom::{Phantom, PhantomError, create_phantom};
use crate::root::Root;

/// Makes a generated data set, unless it is there already with the same parameters; gives whether it was made.
///
/// # Errors
/// [`ImportError::Generator`] for parameters that the generator refuses, [`ImportError::Decode`] when the folder holds
/// a set of other parameters, [`ImportError::Store`]; no folder is left behind.
pub fn generate_dataset(root: &Root, manifest: &Manifest) -> Result<bool, ImportError> {
    let folder = root.raw_set(manifest.name.as_str());
    let phantom = phantom(manifest)?;
    if folder.exists() {
        check_opens(&folder, manifest)?;
        return Ok(false);
    }
    create_phantom(&phantom, &folder, |staging| -> Result<(), ImportError> {
        let mut sums = BTreeMap::new();
        for file in files_below(staging)? {
            sums.insert(file.name, sha256_file(&file.path, staging)?.0.hex());
        }
        let list = generated_list(&manifest.content_hash(), &sums);
        crate::store::write_atomic(&staging.join(GENERATED_FILE), list.as_bytes())?;
        Ok(check_opens(staging, manifest)?)
    })?;
    Ok(true)
}

/// Opens a generated folder with the reader of its task.
fn check_opens(folder: &Path, manifest: &Manifest) -> Result<(), DecodeError> {
    match manifest.task {
        Task::Enhancement => VolumeDataset::open_folder(folder, manifest).map(drop),
        Task::Segmentation => MaskedDataset::<3>::open_folder(folder, manifest).map(drop),
        _ => RawDataset::open_folder(folder, manifest).map(drop),
    }
}

fn phantom(manifest: &Manifest) -> Result<Phantom, ImportError> {
    let refused = |problem: String| ImportError::Generator { set: manifest.name.to_string(), problem };
    let (Layout::Generator, Some(table)) = (manifest.source.layout, &manifest.generator) else {
        return Err(refused(format!("layout is `{}`, expected `generator`", manifest.source.layout.name())));
    };
    let phantom: Phantom =
        table.clone().try_into().map_err(|e: toml::de::Error| refused(e.message().trim().replace('\n', ", ")))?;
    phantom.check().map_err(|e| refused(e.to_string()))?;
    let (task, image) = (phantom.task(), phantom.image());
    if manifest.image != image || manifest.task != task {
        let expected = format!("task `{}` and image {image:?}, as the parameters say", task.name());
        let found = format!("task is `{}`, image {:?}", manifest.task.name(), manifest.image);
        return Err(refused(format!("{found}, expected {expected}")));
    }
    Ok(phantom)
}

impl From<PhantomError> for ImportError {
    fn from(refused: PhantomError) -> Self {
        match refused {
            PhantomError::Store(store) => store.into(),
            other => Self::Generator { set: "phantom".into(), problem: other.to_string() },
        }
    }
}
