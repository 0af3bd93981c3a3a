//! What `kd data` can be told.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::deidentify::{self, DeidentifyArgs};
use super::import::{IMPORT_HELP, ImportArgs};

const EXPORT_HELP: &str = "\
Examples:
  kd data export thorax-phantom phantoms --format dicom
  kd data import phantoms-local --format dicom --task segmentation phantoms --license LicenseRef-generated

NIfTI is written as [SPLIT/]images/CASE.nii.gz and [SPLIT/]masks/CASE.nii.gz, DICOM as [SPLIT/]CASE/image/0001.dcm and
on, with [SPLIT/]CASE/mask.dcm, a segmentation of that series.";

const PROPOSE_HELP: &str = "\
Examples:
  kd data propose spleen-local > spleen.toml
  kd run spleen.toml --dry-run

Rules, each told beside its key in the recipe: volumes are the samples unless slices are three times as far apart as their
points or fewer than 16; the median spacing where cases differ in it; a window from the 0.5th to the 99.5th percentile of the
foreground for Hounsfield units, else each volume by itself; a patch where a whole case is more than a step on a plain CPU
should take; students of about a tenth and a fiftieth of the teacher's parameters. A proposal is a start: weights are to
be chosen with `kd sweep`.";

/// How volumes are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormatName {
    /// One file a volume
    Nifti,
    /// One file a slice, and a segmentation for a mask
    Dicom,
}

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// All data sets: those that kd knows, and your imports
    List,
    /// Download a data set with checksum and resume, or generate it
    Get {
        /// Name from `kd data list`, or path to a dataset.toml
        name: String,
        /// Folder with copies of the publisher's files; nothing is downloaded then
        #[arg(long, value_name = "DIR")]
        mirror: Option<PathBuf>,
    },
    /// Take in your own data under a name of their own
    #[command(after_help = IMPORT_HELP)]
    Import(Box<ImportArgs>),
    /// Write a data set of volumes as files that other programs open, and that an import takes in
    #[command(after_help = EXPORT_HELP)]
    Export {
        /// Name from `kd data list`, or path to a dataset.toml
        name: String,
        /// A new folder
        out: PathBuf,
        /// What to write
        #[arg(long, value_enum)]
        format: ExportFormatName,
    },
    /// Copy DICOM files without what names a person
    #[command(after_help = deidentify::HELP)]
    Deidentify(DeidentifyArgs),
    /// Check every file, label and image of a data set against its manifest
    Verify {
        /// Name from `kd data list`, or path to a dataset.toml
        name: String,
    },
    /// Count images, subjects and classes of a data set, and say what its numbers mean
    Describe {
        /// Name from `kd data list`, or path to a dataset.toml
        name: String,
    },
    /// Propose a recipe for a data set with masks: grid, patch, intensities and networks from its training cases
    #[command(after_help = PROPOSE_HELP)]
    Propose {
        /// Name from `kd data list`, or path to a dataset.toml
        name: String,
    },
    /// Remove the raw files of data sets; says what would go unless --yes is given
    Clean {
        /// Names of data sets; none lists what there is
        names: Vec<String>,
        /// Really remove them
        #[arg(long, requires = "names")]
        yes: bool,
    },
}
