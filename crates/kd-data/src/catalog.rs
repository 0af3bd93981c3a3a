//! The data sets that come with the program, and the one place where a name or a path becomes a manifest.
//!
//! The manifests are compiled in, so that a binary alone can fetch and check a set. `tests/catalog.rs` parses them all.

use std::path::Path;
use std::sync::LazyLock;

use crate::error::FileError;
use crate::manifest::{Manifest, ManifestError};
use crate::root::Root;

macro_rules! manifests {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../datasets/", $name, "/dataset.toml")))),*]
    };
}

/// Name and text of every manifest, in the order of a listing.
static TEXTS: [(&str, &str); 40] = manifests![
    "chest-phantom",
    "pathmnist",
    "pathmnist-64",
    "chestmnist",
    "chestmnist-64",
    "dermamnist",
    "dermamnist-64",
    "octmnist",
    "octmnist-64",
    "pneumoniamnist",
    "pneumoniamnist-64",
    "retinamnist",
    "retinamnist-64",
    "breastmnist",
    "breastmnist-64",
    "bloodmnist",
    "bloodmnist-64",
    "tissuemnist",
    "tissuemnist-64",
    "organamnist",
    "organamnist-64",
    "organcmnist",
    "organcmnist-64",
    "organsmnist",
    "organsmnist-64",
    "ct-phantom",
    "mr-phantom",
    "thorax-phantom",
    "msd-brain-tumour",
    "msd-heart",
    "msd-liver",
    "msd-hippocampus",
    "msd-prostate",
    "msd-lung",
    "msd-pancreas",
    "msd-hepatic-vessel",
    "msd-spleen",
    "msd-colon",
    "ldct-and-projection",
    "siim-acr-pneumothorax",
];

static MANIFESTS: LazyLock<Vec<Manifest>> = LazyLock::new(|| {
    let parsed = TEXTS.iter().map(|(name, text)| Manifest::parse(text, &format!("{name}/dataset.toml")));
    parsed.collect::<Result<_, _>>().expect("compiled-in manifests are ours and parsed by a test")
});

/// Why a name or a path gave no manifest.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Neither known, nor imported, nor a file.
    #[error(
        "no data set `{name}` in the catalogue, among the imports, or as a file{}\nhint: `kd data list` shows all names; `kd data import` adds your own",
        nearest.map(|near| format!("; the nearest name is `{near}`")).unwrap_or_default()
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The most similar name of the catalogue.
        nearest: Option<&'static str>,
    },
    /// A manifest that calls itself something else.
    #[error("manifest in raw folder `{folder}` is named `{name}`, expected the folder's name\nhint: rename the folder")]
    Name {
        /// The folder's name.
        folder: String,
        /// The name in the manifest.
        name: String,
    },
    /// Somebody's manifest with the name of a compiled-in one, but other contents.
    #[error(
        "the manifest given is named `{name}`, as one of the catalogue is, expected a name of its own\nhint: choose another `name` in it"
    )]
    Shadow {
        /// The name.
        name: String,
    },
    /// The manifest was refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The folder of imports could not be listed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// All compiled-in manifests.
#[must_use]
pub fn list() -> &'static [Manifest] {
    &MANIFESTS
}

/// The compiled-in manifest of that name.
///
/// # Errors
/// [`CatalogError::Unknown`] with the nearest name.
///
/// # Example
/// ```
/// let set = kd_data::catalog::find("breastmnist")?;
/// assert_eq!(set.classes, ["malignant", "normal, benign"]);
/// let wrong = kd_data::catalog::find("brestmnist").unwrap_err();
/// assert!(wrong.to_string().contains("`breastmnist`"));
/// # Ok::<(), kd_data::catalog::CatalogError>(())
/// ```
pub fn find(name: &str) -> Result<&'static Manifest, CatalogError> {
    list()
        .iter()
        .find(|manifest| manifest.name.as_str() == name)
        .ok_or_else(|| CatalogError::Unknown { name: name.into(), nearest: nearest(name) })
}

/// The manifests of imported sets, by name.
///
/// # Errors
/// [`CatalogError::File`] when the raw folder cannot be listed, [`CatalogError::Manifest`] for the first one refused.
pub fn imported(root: &Root) -> Result<Vec<Manifest>, CatalogError> {
    let raw = root.raw();
    let entries = match std::fs::read_dir(&raw) {
        Ok(entries) => entries,
        Err(none) if none.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(FileError::new("list", &raw, root.path(), source).into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| FileError::new("list", &raw, root.path(), source))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| !name.starts_with('.') && find(name).is_err() && root.raw_manifest(name).is_file());
    names.sort();
    names.iter().map(|name| import_of(root, name)).collect()
}

/// The manifest behind a name of the catalogue, the name of an import, or the path of a `dataset.toml` or its folder.
///
/// # Policy
/// The catalogue comes first, so no import can take a published name's place.
///
/// # Errors
/// [`CatalogError::Unknown`], [`CatalogError::Name`], [`CatalogError::Shadow`] and [`CatalogError::Manifest`].
pub fn resolve(root: &Root, name: &str) -> Result<Manifest, CatalogError> {
    if let Ok(known) = find(name) {
        return Ok(known.clone());
    }
    if crate::manifest::is_dataset_name(name) && root.raw_manifest(name).is_file() {
        return import_of(root, name);
    }
    let path = Path::new(name);
    let path = if path.is_dir() { path.join("dataset.toml") } else { path.to_path_buf() };
    if !path.is_file() {
        return Err(CatalogError::Unknown { name: name.into(), nearest: nearest(name) });
    }
    let manifest = Manifest::load(&path)?;
    match find(manifest.name.as_str()) {
        Ok(known) if *known != manifest => Err(CatalogError::Shadow { name: manifest.name.to_string() }),
        _ => Ok(manifest),
    }
}

fn import_of(root: &Root, name: &str) -> Result<Manifest, CatalogError> {
    let manifest = Manifest::load(&root.raw_manifest(name))?;
    if manifest.name.as_str() == name {
        Ok(manifest)
    } else {
        Err(CatalogError::Name { folder: name.into(), name: manifest.name.to_string() })
    }
}

/// The most similar name: at most a third of its letters changed, added or left out.
fn nearest(name: &str) -> Option<&'static str> {
    let scored = TEXTS.iter().map(|(known, _)| (edits(name, known), *known));
    scored.min().filter(|(edits, known)| *edits * 3 <= known.len()).map(|(_, known)| known)
}

fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_left_out_added_and_changed_are_counted() {
        assert_eq!(edits("chest", "chest"), 0);
        assert_eq!(edits("chst", "chest"), 1);
        assert_eq!(edits("organs", "argan"), 2);
        assert_eq!(nearest("something-else"), None);
    }
}
