//! The typed parts of a manifest.

use kd_image::{Intensity, Split};

use crate::digest::Checksum;

/// What is asked about each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Task {
    /// One of two classes; the second is the positive one.
    Binary,
    /// One of several classes.
    MultiClass,
    /// Any number of labels, each present or absent.
    MultiLabel,
    /// One of several classes that have an order, as grades have.
    Ordinal,
    /// One class a pixel or voxel; the first class is the background.
    Segmentation,
    /// Another image: the clean one of which the input is a degraded version. It has no classes.
    Enhancement,
}

impl Task {
    /// Every task, in the order of a help text.
    pub const ALL: [Self; 6] =
        [Self::Binary, Self::MultiClass, Self::MultiLabel, Self::Ordinal, Self::Segmentation, Self::Enhancement];

    /// The name used in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::MultiClass => "multi-class",
            Self::MultiLabel => "multi-label",
            Self::Ordinal => "ordinal",
            Self::Segmentation => "segmentation",
            Self::Enhancement => "enhancement",
        }
    }

    /// The task of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }
}

/// How many rows and columns an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageSize {
    /// Every image the same.
    Fixed {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// Each image its own; preparation brings them to one size.
    Varies,
}

/// Channels, size and meaning of the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageFacts {
    /// 1 for grey, 3 for color; of volumes any number, as many as there are sequences.
    pub channels: usize,
    /// Rows and columns.
    pub size: ImageSize,
    /// What a stored number means.
    pub intensity: Intensity,
}

/// Who may use the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// SPDX identifier, or `LicenseRef-…` for terms without one.
    pub spdx: String,
    /// Terms that the identifier does not carry.
    pub note: Option<String>,
}

/// Whom to cite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// Authors, title, venue, year.
    pub text: String,
    /// Digital object identifier.
    pub doi: Option<String>,
    /// Where the publisher describes it.
    pub homepage: Option<String>,
}

/// How files hold the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// One npz with `{train,val,test}_images`, `_labels` and perhaps `_groups`.
    MedmnistNpz,
    /// Image files in `<class>/` or `<split>/<class>/`.
    ImageFolder,
    /// Made by a generator with the parameters of `[generator]`.
    Generator,
    /// PNG or JPEG pairs in `[<split>/]images/…` and `[<split>/]masks/…` under one name.
    ImageMasks,
    /// NIfTI pairs in the same folders; several channels in one file, or in `images-0/…`, `images-1/…`.
    NiftiMasks,
    /// NIfTI volumes without masks in `[<split>/]images/…`; several channels in one file.
    NiftiVolumes,
    /// DICOM files in a folder a volume, `[<split>/]series/<case>/…`.
    DicomSeries,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 7] = [
        Self::MedmnistNpz,
        Self::ImageFolder,
        Self::Generator,
        Self::ImageMasks,
        Self::NiftiMasks,
        Self::NiftiVolumes,
        Self::DicomSeries,
    ];

    /// Whether each image has a mask beside it.
    #[must_use]
    pub const fn has_masks(self) -> bool {
        matches!(self, Self::ImageMasks | Self::NiftiMasks)
    }

    /// Whether it holds volumes without an answer of their own.
    #[must_use]
    pub const fn has_volumes(self) -> bool {
        matches!(self, Self::NiftiVolumes | Self::DicomSeries)
    }

    /// The name used in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MedmnistNpz => "medmnist-npz",
            Self::ImageFolder => "image-folder",
            Self::Generator => "generator",
            Self::ImageMasks => "image-masks",
            Self::NiftiMasks => "nifti-masks",
            Self::NiftiVolumes => "nifti-volumes",
            Self::DicomSeries => "dicom-series",
        }
    }
}

/// What the numbers of a mask stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskValues {
    /// For each class the number that stands for it, background first: `[0, 255]` in many a black and white mask.
    Classes(Vec<u16>),
    /// 0 is background, every other number one object of the second class.
    Instances,
}

/// The files of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How files hold the images.
    pub layout: Layout,
    /// File (one of `files`) with columns `file,group`: who each image belongs to.
    pub groups: Option<String>,
    /// File (one of `files`) with columns `file,subgroup`: what sort of image each is, such as its stain or scanner. Scores
    /// are told for each sort.
    pub subgroups: Option<String>,
    /// All files, each with its checksum; empty for a generated set, and for one that is got by hand.
    pub files: Vec<SourceFile>,
    /// Where people get the files of a set that no program may, or can, download: such a manifest holds the facts that
    /// an import takes over.
    pub obtain: Option<String>,
}

impl Source {
    /// Whether a file holds groups or subgroups, and no image.
    #[must_use]
    pub fn is_table(&self, name: &str) -> bool {
        [&self.groups, &self.subgroups].into_iter().flatten().any(|table| table == name)
    }
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Name below the raw folder, with `/` between its parts.
    pub name: String,
    /// Where it can be downloaded; imported files have none.
    pub url: Option<String>,
    /// What its bytes must add up to.
    pub checksum: Checksum,
    /// Its size, where published.
    pub bytes: Option<u64>,
}

/// Images a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// To learn from.
    pub train: usize,
    /// To choose on.
    pub val: usize,
    /// To report.
    pub test: usize,
}

impl Counts {
    /// The images of one split.
    #[must_use]
    pub const fn of(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::Val => self.val,
            Split::Test => self.test,
        }
    }
}

/// Where the splits come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SplitPolicy {
    /// The publisher's own, as the files hold it.
    Official,
    /// Drawn here: subjects, not images, are divided, stratified by class.
    BySubject {
        /// Seed of the draw.
        seed: u64,
        /// Which part goes where.
        shares: SplitShares,
    },
}

/// Which part of the subjects goes to which split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitShares([f64; 3]);

/// Why shares were refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("split shares are {train}, {val}, {test}, expected three numbers above 0 that add up to 1")]
pub struct SharesError {
    train: f64,
    val: f64,
    test: f64,
}

impl SplitShares {
    /// Checks three shares.
    ///
    /// # Errors
    /// [`SharesError`] unless each is above 0 and they add up to 1 (within 1e-6).
    pub fn new(train: f64, val: f64, test: f64) -> Result<Self, SharesError> {
        let fits = |share: f64| share.is_finite() && share > 0.0;
        if fits(train) && fits(val) && fits(test) && (train + val + test - 1.0).abs() < 1e-6 {
            Ok(Self([train, val, test]))
        } else {
            Err(SharesError { train, val, test })
        }
    }

    /// Train, val, test.
    #[must_use]
    pub const fn as_array(&self) -> [f64; 3] {
        self.0
    }
}
