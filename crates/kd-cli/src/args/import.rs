//! What `kd data import` can be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kd_data::format::RawElement;

pub(super) const IMPORT_HELP: &str = "\
Examples:
  kd data import lung-local --format npz lung.npz --license CC-BY-4.0
  kd data import skin-local --format image-folder photos/ --groups patients.csv --license LicenseRef-hospital
  kd data import spleen-local --format nifti Task09_Spleen/ --license CC-BY-SA-4.0
  kd data import nuclei-local --format image-mask nuclei/ --mask-values instances --classes background,nucleus \
    --license CC0-1.0
  kd data import head-local --format raw --task enhancement head.raw --shape 108,256,256 --dtype int16 \
    --spacing 1.5,0.5,0.5 --intensity hounsfield --license GPL-2.0-only
  kd data import spleen-local --like msd-spleen Task09_Spleen/
  kd data import lung-local --format dicom --task segmentation studies/ --license CC-BY-3.0

An npz has the arrays {train,val,test}_images and _labels, perhaps _groups. A folder of images has <class>/… or
<split>/<class>/…. Images with masks lie in images/ and masks/ (or labels/, imagesTr/ and labelsTr/), perhaps below
train/, val/ and test/. Volumes without masks (--task enhancement) are files of one folder; DICOM has a folder for each
series. DICOM with masks (--task segmentation) are series and the DICOM segmentations that refer to them, wherever they lie. The CSV of --groups has the columns `file,group`: images of one patient belong to one group, and no split will
divide them.";

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A free name: lower-case letters, digits, `-`, `_` or `.`
    pub(crate) name: String,
    /// One npz, one folder, or one volume
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How the files hold their images
    #[arg(long, value_enum, required_unless_present = "like")]
    pub(crate) format: Option<ImportFormatName>,
    /// SPDX identifier of the license, or LicenseRef-… for terms without one
    #[arg(long, value_name = "SPDX", required_unless_present = "like")]
    pub(crate) license: Option<String>,
    /// A published set that is got by hand, of `kd data list`: its format, classes, license and all other facts are taken
    /// over
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["format", "license", "task", "classes", "citation", "mask_values", "intensity"]
    )]
    pub(crate) like: Option<String>,
    /// What was measured of each volume with less dose or time, in another folder of the same format; recipes use it as
    /// `degradation = { kind = "measured" }`
    #[arg(long, value_name = "DIR", help_heading = "Masks and volumes")]
    pub(crate) inputs: Option<PathBuf>,
    /// CSV with the columns `file,group`: who each image belongs to [default: the Patient ID of a DICOM series, else each
    /// image to nobody else]
    #[arg(long, value_name = "CSV")]
    pub(crate) groups: Option<PathBuf>,
    /// Copy the files instead of linking them
    #[arg(long)]
    pub(crate) copy: bool,
    /// What is asked about each image [default: as the labels say; segmentation for nifti and raw, enhancement for dicom]
    #[arg(long, value_enum)]
    pub(crate) task: Option<ImportTaskName>,
    /// Class names in the order of the labels, with commas between them; for masks the background first; of DICOM
    /// segmentations the segments that are wanted
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) classes: Option<Vec<String>>,
    /// Whom to cite
    #[arg(long, value_name = "TEXT")]
    pub(crate) citation: Option<String>,
    /// The number of each class in a mask (`0,255`), or `instances` where each object has a number [default: 0, 1, 2, …]
    #[arg(long, value_name = "N,N", help_heading = "Masks and volumes")]
    pub(crate) mask_values: Option<MaskNumbers>,
    /// CSV with the columns `ImageId,EncodedPixels`: masks of DICOM radiographs as run lengths, down the columns
    #[arg(long, value_name = "CSV", help_heading = "Masks and volumes")]
    pub(crate) run_lengths: Option<PathBuf>,
    /// CSV with the columns `file,subgroup`: what sort of image each is (stain, scanner); scores are told for each sort
    #[arg(long, value_name = "CSV", help_heading = "Masks and volumes")]
    pub(crate) subgroups: Option<PathBuf>,
    /// Subgroups to test on and never learn from
    #[arg(
        long,
        value_name = "NAME,NAME",
        requires = "subgroups",
        value_delimiter = ',',
        num_args = 1,
        help_heading = "Masks and volumes"
    )]
    pub(crate) hold_out: Vec<String>,
    /// What to do when a mask has no foreground
    #[arg(long, value_enum, default_value_t, help_heading = "Masks and volumes")]
    pub(crate) empty_masks: EmptyMasksName,
    /// What the numbers of a volume mean [default: as dataset.json or the DICOM files say]
    #[arg(long, value_enum, help_heading = "Masks and volumes")]
    pub(crate) intensity: Option<IntensityName>,
    /// Points of a headerless file: slices, rows, columns
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',', num_args = 1, help_heading = "Headerless files")]
    pub(crate) shape: Option<Vec<usize>>,
    /// Distance of neighbouring points in mm, in the order of the shape
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',', num_args = 1, help_heading = "Headerless files")]
    pub(crate) spacing: Option<Vec<f64>>,
    /// One number of an image, such as int16 or float32-be
    #[arg(long, value_name = "TYPE", help_heading = "Headerless files")]
    pub(crate) dtype: Option<RawElement>,
    /// One number of a mask
    #[arg(long, value_name = "TYPE", default_value = "uint8", help_heading = "Headerless files")]
    pub(crate) mask_dtype: RawElement,
}

/// How files to import hold their images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormatName {
    /// One npz in MedMNIST's layout
    Npz,
    /// A folder for each class
    ImageFolder,
    /// PNG or JPEG images with masks
    ImageMask,
    /// NIfTI volumes, with masks or, for enhancement, without
    Nifti,
    /// Headerless volumes, all of one shape
    Raw,
    /// DICOM series, with DICOM segmentations or, for enhancement, without
    Dicom,
}

/// What is asked about each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportTaskName {
    /// One of two classes; the second is the positive one
    Binary,
    /// One of several classes
    MultiClass,
    /// Any number of labels, each present or absent
    MultiLabel,
    /// One of several classes that have an order
    Ordinal,
    /// The class of every point
    Segmentation,
    /// The image as it was before noise or blur
    Enhancement,
}

/// What the numbers of a mask mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MaskNumbers {
    Classes(Vec<u16>),
    Instances,
}

impl std::str::FromStr for MaskNumbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "instances" {
            return Ok(Self::Instances);
        }
        let numbers = text.split(',').map(|number| number.trim().parse()).collect::<Result<Vec<u16>, _>>();
        numbers.map(Self::Classes).map_err(|_| "expected whole numbers from 0 to 65535, or `instances`".to_owned())
    }
}

/// What to do when a mask has no foreground.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EmptyMasksName {
    /// Stop: often a mask was lost
    #[default]
    Refuse,
    /// Keep it: a healthy patient
    Keep,
}

/// What the numbers of a volume mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IntensityName {
    /// Hounsfield units of a CT
    Hounsfield,
    /// No unit, as in most MR
    Arbitrary,
}
