//! One's own data: a manifest is written from what the files hold, under a name of its own.
//!
//! An import is checked as strictly as a download before it gets its name: everything is built in a staging folder and
//! opened with the ordinary reader, so what a later command opens was opened once already. Groups are numbered on the
//! way in; what a hospital calls its patients does not enter the artifacts.

mod arrays;
mod dataset_json;
mod error;
mod folder;
mod generated;
mod inputs;
mod masks;
mod pairs;
mod place;
mod run_lengths;
mod segmentations;
mod volumes;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kd_image::DatasetId;

use dataset_json::DatasetJson;
pub use error::ImportError;
pub use generated::generate_dataset;
pub use masks::{EmptyMasks, MaskFormat, MaskImportRequest, RawFacts, import_masks};
pub use volumes::{VolumeFormat, VolumeImportRequest, import_volumes};

use crate::catalog;
use crate::decode::{Column, RawDataset, read_groups};
use crate::manifest::{
    Citation, Counts, ImageFacts, Layout, License, Manifest, MaskValues, Source, SourceFile, SplitPolicy, SplitShares,
    Task, is_dataset_name,
};
use crate::root::Root;
use crate::store::StagedFolder;

/// How the files to import hold their images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// One npz in MedMNIST's layout: `{train,val,test}_images`, `_labels`, perhaps `_groups`.
    Npz,
    /// A folder with `<class>/…` or `<split>/<class>/…`, PNG or JPEG.
    ImageFolder,
}

impl ImportFormat {
    /// The name used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Npz => "npz",
            Self::ImageFolder => "image-folder",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Npz, Self::ImageFolder].into_iter().find(|format| format.name() == name)
    }
}

/// What to import, and what the files do not say themselves.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// A free name.
    pub name: String,
    /// How the files hold their images.
    pub format: ImportFormat,
    /// One npz, or one folder.
    pub paths: Vec<PathBuf>,
    /// CSV with the columns `file,group`; `file` is the name below the folder, or `train/00012` for an npz.
    pub groups_csv: Option<PathBuf>,
    /// Copies the files; otherwise they are linked, and must stay where they are.
    pub copy: bool,
    /// The task; none lets the labels decide: two classes are binary, more are multi-class, several labels an image
    /// are multi-label.
    pub task: Option<Task>,
    /// Class names in the order of the labels; none takes the sorted folder names, or `class_0`, `class_1`, ….
    pub classes: Option<Vec<String>>,
    /// SPDX identifier, or `LicenseRef-…` for terms without one.
    pub license: String,
    /// Whom to cite; none says that it is unpublished.
    pub citation: Option<String>,
    /// Where splits come from; none takes those in the files, and where there are none draws them by subject with
    /// [`DEFAULT_SEED`] and [`DEFAULT_SHARES`], as the manifest then says.
    pub split: Option<SplitPolicy>,
}

/// Seed of a split that nobody asked for in particular.
pub const DEFAULT_SEED: u64 = 0;
/// Train, val and test of a split that nobody asked for in particular: MedMNIST's own shares.
pub const DEFAULT_SHARES: [f64; 3] = [0.7, 0.1, 0.2];

/// How many groups a set's own table of groups tells apart: patients, where it was told well. None where it has no such
/// table, and every image counts as a subject of its own unless an npz says otherwise.
///
/// # Errors
/// [`ImportError`] for a table that cannot be read.
pub fn groups_in(root: &Root, manifest: &Manifest) -> Result<Option<usize>, ImportError> {
    let Some(table) = &manifest.source.groups else { return Ok(None) };
    let groups = read_groups(&root.raw_set(manifest.name.as_str()).join(table), Column::Group)?;
    Ok(Some(groups.into_values().collect::<BTreeSet<_>>().len()))
}

/// What a reader of one layout found.
struct Found {
    layout: Layout,
    task: Task,
    classes: Vec<String>,
    image: ImageFacts,
    mask: Option<MaskValues>,
    counts: Option<Counts>,
    /// Files with their place below the new folder.
    files: Vec<SourceFile>,
    /// Whether the files hold train, val and test.
    has_splits: bool,
}

/// What no file says.
struct Terms<'a> {
    license: &'a str,
    citation: Option<&'a str>,
    split: Option<SplitPolicy>,
    /// The published set that this is a copy of.
    like: Option<&'a Manifest>,
}

/// Imports a data set into `ROOT/raw/<name>/`; gives the manifest that was written there.
///
/// # Policy
/// Names of the catalogue are refused, and so is every name that is taken. Files are hard-linked where that works, else
/// linked by symbolic link, else copied.
///
/// # Errors
/// [`ImportError`]; no folder of that name is left behind.
pub fn import_dataset(root: &Root, request: &ImportRequest) -> Result<Manifest, ImportError> {
    let name = check_name(root, &request.name)?;
    let [path] = &request.paths[..] else {
        return Err(ImportError::Paths { format: request.format.name(), found: request.paths.len() });
    };
    let staged = StagedFolder::create(&root.raw_set(name.as_str()))?;
    let mut found = match request.format {
        ImportFormat::Npz => arrays::import(path, request, staged.path())?,
        ImportFormat::ImageFolder => folder::import(path, request, staged.path())?,
    };
    let groups = match &request.groups_csv {
        Some(table) => {
            let file = place::groups(table, staged.path(), &found.files, request.format)?;
            let name = file.name.clone();
            found.files.push(file);
            Some(name)
        }
        None => None,
    };
    let terms =
        Terms { license: &request.license, citation: request.citation.as_deref(), split: request.split, like: None };
    let manifest = manifest_of(name, &terms, found, groups)?;
    // Through the text, so that what is written is what a later call reads and checks.
    let text = manifest.to_toml();
    let manifest = Manifest::parse(&text, "the manifest of the import")?;
    check_opens(staged.path(), &manifest)?;
    crate::store::write_atomic(&staged.path().join("dataset.toml"), text.as_bytes())?;
    staged.commit()?;
    Ok(manifest)
}

fn check_name(root: &Root, name: &str) -> Result<DatasetId, ImportError> {
    let id = DatasetId::new(name).ok().filter(|_| is_dataset_name(name));
    let id = id.ok_or_else(|| ImportError::Name { name: name.into() })?;
    if catalog::find(name).is_ok() {
        return Err(ImportError::Catalogue { name: name.into() });
    }
    if root.raw_set(name).symlink_metadata().is_ok() {
        return Err(ImportError::Taken { name: name.into() });
    }
    Ok(id)
}

fn manifest_of(
    name: DatasetId,
    terms: &Terms<'_>,
    found: Found,
    groups: Option<String>,
) -> Result<Manifest, ImportError> {
    let mut manifest = Manifest {
        title: name.to_string(),
        name,
        task: found.task,
        classes: found.classes,
        image: found.image,
        mask: found.mask,
        license: License { spdx: terms.license.to_owned(), note: None },
        citation: Citation { text: terms.citation.unwrap_or("unpublished data").to_owned(), doi: None, homepage: None },
        source: Source { layout: found.layout, groups, subgroups: None, files: found.files, obtain: None },
        counts: found.counts,
        split: split_policy(terms.split, found.has_splits)?,
        held_out: Vec::new(),
        notes: vec!["imported: classes, license and groups are the word of whoever imported it".into()],
        generator: None,
    };
    if let Some(like) = terms.like {
        manifest.title.clone_from(&like.title);
        manifest.license = like.license.clone();
        manifest.citation = like.citation.clone();
        manifest.notes.extend(like.notes.iter().cloned());
    }
    Ok(manifest)
}

fn split_policy(asked: Option<SplitPolicy>, has_splits: bool) -> Result<SplitPolicy, ImportError> {
    match (asked, has_splits) {
        (Some(SplitPolicy::Official), false) => Err(ImportError::NoSplits),
        (Some(policy), _) => Ok(policy),
        (None, true) => Ok(SplitPolicy::Official),
        (None, false) => {
            let [train, val, test] = DEFAULT_SHARES;
            let shares = SplitShares::new(train, val, test).expect("the default shares add up to 1");
            Ok(SplitPolicy::BySubject { seed: DEFAULT_SEED, shares })
        }
    }
}

/// Opens the staged set and reads the first sample of each split: a wrong label, group or shape has to come out before
/// the set has a name.
fn check_opens(folder: &Path, manifest: &Manifest) -> Result<(), ImportError> {
    let set = RawDataset::open_folder(folder, manifest)?;
    let mut splits = Vec::new();
    for (n, record) in set.records().iter().enumerate() {
        if !splits.contains(&record.split) {
            splits.push(record.split);
            set.read(n)?;
        }
    }
    Ok(())
}
