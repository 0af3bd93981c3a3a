//! Why files were not imported.

use crate::decode::DecodeError;
use crate::error::FileError;
use crate::format::FormatError;
use crate::manifest::ManifestError;
use crate::store::StoreError;

/// Why files were not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No name of a data set.
    #[error(
        "`{name}` cannot name a data set, expected 1 to 64 lower-case letters, digits, `-`, `_` or `.`, a letter or digit first"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// The name of a published set.
    #[error("`{name}` is a published data set of the catalogue, expected a name of its own\nhint: try `{name}-local`")]
    Catalogue {
        /// The name.
        name: String,
    },
    /// Something of that name was imported before.
    #[error(
        "the name `{name}` is taken, expected a free one\nhint: choose another name, or remove the old set with `kd data clean {name}`"
    )]
    Taken {
        /// The name.
        name: String,
    },
    /// Too few or too many paths.
    #[error("{found} paths given for format `{format}`, expected 1")]
    Paths {
        /// The format.
        format: &'static str,
        /// Paths given.
        found: usize,
    },
    /// A folder without images.
    #[error(
        "folder `{folder}` holds no image, expected PNG or JPEG files\nhint: images belong into `<class>/` or `<split>/<class>/`"
    )]
    Empty {
        /// The folder, relative to the one given.
        folder: String,
    },
    /// A file that is no image.
    #[error("`{file}` is {found}, expected a PNG or JPEG image\nhint: move it out of the folder, or convert it")]
    Foreign {
        /// The file, relative to the folder given.
        file: String,
        /// Its format, as far as it is known.
        found: &'static str,
    },
    /// Images of different kinds.
    #[error(
        "`{file}` has {found}, `{first}` has {expected}, expected all images alike in channels and bits\nhint: convert them to one kind"
    )]
    Mixed {
        /// The file that differs.
        file: String,
        /// What it has.
        found: String,
        /// The first file.
        first: String,
        /// What that has.
        expected: String,
    },
    /// Class names that do not fit the data.
    #[error(
        "classes are {found}, expected {expected}\nhint: name them in the order of the labels with `--classes a,b`"
    )]
    Classes {
        /// What was given.
        found: String,
        /// What the data hold.
        expected: String,
    },
    /// A task that does not fit the data.
    #[error("task is `{task}`, expected one that fits {found}")]
    Task {
        /// What was given.
        task: &'static str,
        /// What the data hold.
        found: String,
    },
    /// Some splits, but not all three.
    #[error(
        "the data hold the splits {found}, expected train, val and test, or no split at all\nhint: put all images into one split, or none, and let `by-subject` divide them"
    )]
    Splits {
        /// Those that are there.
        found: String,
    },
    /// The publisher's split is asked for where there is none.
    #[error(
        "the policy `official` was asked for, but the data hold no splits, expected train, val and test in them\nhint: use `by-subject`"
    )]
    NoSplits,
    /// Parameters that the generator refuses.
    #[error("data set `{set}` cannot be generated: {problem}\nhint: correct the table [generator] in its manifest")]
    Generator {
        /// The data set.
        set: String,
        /// What was expected and found.
        problem: String,
    },
    /// A folder without images and masks.
    #[error(
        "folder `{folder}` holds no images with masks, expected files in `images/` and `masks/`\nhint: `labels/`, `train/images/` with `train/masks/` and so on, and imagesTr/ with labelsTr/ are known too"
    )]
    NoPairs {
        /// The folder, relative to the one given.
        folder: String,
    },
    /// A folder without volumes.
    #[error(
        "folder `{folder}` holds no volume, expected NIfTI files, headerless files, or folders of DICOM files\nhint: they may lie below `train`, `val` and `test`; names that begin with a dot are left out"
    )]
    NoVolumes {
        /// The folder, relative to the one given.
        folder: String,
    },
    /// A table of run lengths that does not fit.
    #[error(
        "run lengths, {place}: expected {expected}, found {found}\nhint: offsets count from the end of the run before, down the columns, in the columns `ImageId,EncodedPixels`"
    )]
    RunLengths {
        /// Where in the table, or the image.
        place: String,
        /// What would have been right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A folder of DICOM files without a segmentation.
    #[error(
        "folder `{folder}` holds no DICOM segmentation, expected one for each series that is to be learned from\nhint: masks in other formats need volumes in NIfTI: `kd convert` writes them"
    )]
    NoSegmentations {
        /// The folder, relative to the one given.
        folder: String,
    },
    /// A segmentation without its images.
    #[error(
        "`{file}`: expected the series that it refers to among the files, found none\nhint: add the series' images to the folder, or move the segmentation out of it"
    )]
    Unreferenced {
        /// The file, relative to the folder given.
        file: String,
    },
    /// Two readers of one series.
    #[error(
        "`{file}`: expected segments that no other file of the series has, found `{segment}` in `{other}` too\nhint: leave one of the two in the folder; nobody but you knows which is the truth"
    )]
    TwoSegmentations {
        /// The file, relative to the folder given.
        file: String,
        /// The other one.
        other: String,
        /// The segment's name.
        segment: String,
    },
    /// An image without a mask, a mask without an image, or a case without one of its channels.
    #[error(
        "`{file}`: expected {expected} beside it, found {found}\nhint: an image and its mask have the same name; add what is missing, or move the file out of the folder"
    )]
    Unpaired {
        /// The file, relative to the folder given.
        file: String,
        /// Its partner.
        expected: String,
        /// What is there instead.
        found: String,
    },
    /// A clean volume without what was measured of it, or with several, or the other way round.
    #[error(
        "`{case}`: expected {expected}, found {found}\nhint: inputs belong to clean volumes of the same patient on the same grid; where several do, names decide"
    )]
    Inputs {
        /// The volume, as it was given.
        case: String,
        /// What belongs to it.
        expected: String,
        /// What is there instead.
        found: String,
    },
    /// A file of a format that does not belong there.
    #[error("`{file}`: expected {expected}, found {found}\nhint: move it out of the folder, or convert it")]
    Kind {
        /// The file, relative to the folder given.
        file: String,
        /// Formats that are read there.
        expected: &'static str,
        /// Its format, as far as it is known.
        found: &'static str,
    },
    /// A `dataset.json` that does not fit the files, or says what cannot be used.
    #[error("`dataset.json`: expected {expected}, found {found}\nhint: {hint}")]
    Description {
        /// What would have been right.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// Volumes whose numbers nobody explained.
    #[error(
        "nobody says what a voxel's number means, expected Hounsfield units or an arbitrary scale\nhint: say `--intensity hounsfield` for CT, `--intensity arbitrary` for magnetic resonance"
    )]
    Meaning,
    /// Masks without foreground.
    #[error(
        "the mask of `{case}` is all background, expected at least one point of another class ({count} such cases)\nhint: look whether the mask was lost; where nothing is to be found, import with `--empty-masks keep`"
    )]
    EmptyMask {
        /// The first by name.
        case: String,
        /// How many there are.
        count: usize,
    },
    /// A grid that cannot be.
    #[error(transparent)]
    Geometry(#[from] kd_image::GeometryError),
    /// Labels, groups, names or images that were not accepted.
    #[error(transparent)]
    Decode(Box<DecodeError>),
    /// A damaged file, or one of another format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Facts that make no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The new folder could not be written.
    #[error(transparent)]
    Store(StoreError),
    /// A file could not be read or linked.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<DecodeError> for ImportError {
    fn from(refused: DecodeError) -> Self {
        Self::Decode(Box::new(refused))
    }
}

impl From<StoreError> for ImportError {
    /// Somebody else may take the name between the check and the rename.
    fn from(refused: StoreError) -> Self {
        match refused {
            StoreError::Exists { path } => {
                let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
                Self::Taken { name }
            }
            other => Self::Store(other),
        }
    }
}
