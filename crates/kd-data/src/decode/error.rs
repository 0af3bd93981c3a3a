//! Why a raw folder was not accepted.

use kd_image::Split;

use crate::digest::Checksum;
use crate::error::FileError;
use crate::format::FormatError;

/// Why a raw folder was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A file of the manifest is not there.
    #[error(
        "data set `{set}` lacks the file `{file}`, expected it in its raw folder\nhint: `kd data get {set}` brings it; an import has to be made again"
    )]
    Missing {
        /// The file's name in the manifest.
        file: String,
        /// The data set.
        set: String,
    },
    /// A generated set was not generated yet.
    #[error(
        "data set `{set}` was not generated yet, expected its files in the raw folder\nhint: run `kd data get {set}`"
    )]
    NotGenerated {
        /// The data set.
        set: String,
    },
    /// A set that is got by hand.
    #[error(
        "data set `{set}` is got by hand: {obtain}\nhint: `kd data import {set}-local --like {set} FOLDER` takes it in; a recipe names `{set}-local` then"
    )]
    ByHand {
        /// The data set.
        set: String,
        /// Where it is got.
        obtain: String,
    },
    /// A generated set that was made with other parameters, or changed since.
    #[error(
        "generated data set `{set}`: `{file}` is not what these parameters make\nhint: remove it with `kd data clean {set}` and run `kd data get {set}` again"
    )]
    Changed {
        /// The data set.
        set: String,
        /// The first file that differs, or the list of all.
        file: String,
    },
    /// A file is not the one that the manifest describes.
    #[error(
        "`{file}` has checksum {found}, expected {expected}\nhint: the file changed since it was downloaded or imported; remove it and get it again"
    )]
    Checksum {
        /// The file's name in the manifest.
        file: String,
        /// What the manifest says.
        expected: Checksum,
        /// What the bytes add up to.
        found: Checksum,
    },
    /// A label that no class stands for.
    #[error(
        "label of `{sample}` is {found}, expected {expected}\nhint: correct the labels, or `classes` in the manifest"
    )]
    Label {
        /// The sample.
        sample: String,
        /// The label.
        found: i64,
        /// What would have been right.
        expected: String,
    },
    /// Labels, groups or images of a wrong shape.
    #[error("`{what}` holds {found}, expected {expected}")]
    Labels {
        /// The array or sample.
        what: String,
        /// What would have been right.
        expected: String,
        /// What was found.
        found: String,
    },
    /// More or fewer images than the manifest says.
    #[error(
        "split `{split}` holds {found} images, expected {expected}\nhint: another version of the data set? import it under a name of its own"
    )]
    Count {
        /// The split.
        split: Split,
        /// What the manifest says.
        expected: usize,
        /// What was found.
        found: usize,
    },
    /// A name that cannot be an id, or two that become the same.
    #[error("file `{file}` cannot be named: {problem}\nhint: rename the file with letters, digits, `.`, `_` and `-`")]
    Name {
        /// The file, relative to the folder.
        file: String,
        /// Why.
        problem: String,
    },
    /// A table of groups that does not fit.
    #[error(
        "{column}s `{file}`: {found}, expected {expected}\nhint: write a CSV file with the columns `file,{column}` and one line an image"
    )]
    Groups {
        /// `group` or `subgroup`.
        column: &'static str,
        /// The table.
        file: String,
        /// What would have been right.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Pixels that are not what the manifest says.
    #[error("image `{sample}` has {what} {found}, expected {expected} as in the manifest")]
    Image {
        /// The sample.
        sample: String,
        /// Which fact.
        what: &'static str,
        /// What the manifest says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A set of another kind than the one that it was opened as.
    #[error("data set `{set}` has layout `{found}`, expected {expected}\nhint: {hint}")]
    Layout {
        /// The data set.
        set: String,
        /// Its layout.
        found: &'static str,
        /// Layouts that can be read so.
        expected: &'static str,
        /// What reads it.
        hint: &'static str,
    },
    /// An image and a mask that do not make a case.
    #[error("case `{case}`: expected {expected}, found {found}\nhint: {hint}")]
    Case {
        /// The case.
        case: String,
        /// What would have been right.
        expected: String,
        /// What was found.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// An image and a mask on different grids.
    #[error("case `{case}`: {problem}")]
    Grid {
        /// The case.
        case: String,
        /// Both grids.
        problem: kd_image::GridMismatch,
    },
    /// A damaged file, or one of another format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A file that could not be read.
    #[error(transparent)]
    File(FileError),
}
