//! What a data set is, where it comes from and what must be in it: one `dataset.toml`, read strictly.
//!
//! A manifest is somebody's word about data, and most false results begin with a silent guess about it: which class is
//! positive, what a grey value means, who may use it. So nothing that a number depends on has a default here. An
//! unknown key, a missing class, unit or license is an error that names file, line and key. After [`Manifest::parse`]
//! the values are typed and the rest of the crate trusts them.

pub(crate) mod check;
mod error;
mod raw;
mod value;

use std::path::Path;

pub use error::{KeyProblem, ManifestError};
pub use value::{
    Citation, Counts, ImageFacts, ImageSize, Layout, License, MaskValues, SharesError, Source, SourceFile, SplitPolicy,
    SplitShares, Task,
};

use kd_image::DatasetId;

use crate::error::FileError;

/// A checked `dataset.toml`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// The name it goes by: lower-case letters, digits, `-`, `_` and `.`.
    pub name: DatasetId,
    /// The name that people read.
    pub title: String,
    /// What is asked about each image.
    pub task: Task,
    /// Class names by index; of a binary task, index 1 is the positive class. Enhancement has none.
    pub classes: Vec<String>,
    /// Channels, size and meaning of the pixels.
    pub image: ImageFacts,
    /// What the numbers of the masks stand for; of segmentation only.
    pub mask: Option<MaskValues>,
    /// Who may use it.
    pub license: License,
    /// Whom to cite.
    pub citation: Citation,
    /// Files and their layout.
    pub source: Source,
    /// Images a split that the files must hold, where that is known.
    pub counts: Option<Counts>,
    /// Where the splits come from.
    pub split: SplitPolicy,
    /// Subgroups that are tested on and never learned from, whatever the split says of the others.
    pub held_out: Vec<String>,
    /// Traps that somebody who reads a number from this set has to know.
    pub notes: Vec<String>,
    /// Parameters of a generated set; read by the generator.
    pub generator: Option<toml::Table>,
}

impl Manifest {
    /// Reads and checks the text of a `dataset.toml`; `file` is the name that errors show.
    ///
    /// # Errors
    /// [`ManifestError::Syntax`] for text that is no TOML, holds an unknown key or a value of the wrong type;
    /// [`ManifestError::Key`] for a key that is missing or whose value cannot be.
    ///
    /// # Example
    /// ```
    /// let wrong = kd_data::Manifest::parse("nmae = \"x\"", "dataset.toml").unwrap_err();
    /// assert!(wrong.to_string().starts_with("dataset.toml:1: unknown field `nmae`"));
    /// ```
    pub fn parse(text: &str, file: &str) -> Result<Self, ManifestError> {
        let raw: raw::RawManifest =
            toml::from_str(text).map_err(|refused| ManifestError::syntax(file, text, &refused))?;
        Self::try_from(raw).map_err(|problem| problem.at(file, text))
    }

    /// Reads and checks a file; errors show its last two path parts at most.
    ///
    /// # Errors
    /// [`ManifestError::File`] when it cannot be read, and those of [`parse`](Self::parse).
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| FileError::new("read", path, path.parent().unwrap_or(path), source))?;
        Self::parse(&text, &crate::store::path_tail(path))
    }

    /// The text that [`parse`](Self::parse) reads back as the same value.
    #[must_use]
    pub fn to_toml(&self) -> String {
        raw::RawManifest::from(self).to_toml()
    }

    /// The index of the positive class of a binary task.
    #[must_use]
    pub fn positive(&self) -> Option<usize> {
        (self.task == Task::Binary).then_some(1)
    }

    /// A hash of the contents: the sorted checksums of the source files and what the numbers of masks stand for, or the
    /// parameters of a generated set.
    ///
    /// It stays the same when title, notes or addresses change, because the pixels do.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut lines: Vec<String> =
            self.source.files.iter().map(|file| format!("{} {}", file.checksum, file.name)).collect();
        lines.sort();
        if let Some(generator) = &self.generator {
            lines.push(generator.to_string());
        }
        if let Some(mask) = &self.mask {
            lines.push(format!("mask {mask:?}"));
        }
        lines.insert(0, self.source.layout.name().into());
        crate::digest::sha256_hex(lines.join("\n").as_bytes())
    }
}

/// Whether a text may name a data set: it becomes a folder's name, and names must not differ by case alone.
#[must_use]
pub fn is_dataset_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    (1..=64).contains(&text.len())
        && text.chars().all(allowed)
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && !text.ends_with('.')
}
