//! Work that another program does too: reading files, scoring masks and images, one loss, one simulated scan, students on
//! whole images.
//!
//! `benches/peers/work.py` does the same with pydicom, nibabel, surface-distance, scikit-image, PyTorch and ONNX Runtime.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use kd_core::Temperature;
use kd_core::loss::{DistillLoss, HintonKd};
use kd_data::degrade::ct::{Beam, Filter};
use kd_data::degrade::{DegradeKey, LowDoseCt, LowDoseOutput};
use kd_data::format::{
    DicomModality, Nifti, NiftiType, NotFinite, SeriesFacts, Tilt, read_dicom_volume, write_dicom_series,
    write_nifti_image,
};
use kd_image::{Affine, Geometry, Image, Intensity, SampleId};
use kd_metrics::{
    BothEmpty, EmptyMasks, Grid, ImagePair, MaskPair, OneEmpty, SsimVariant, SurfaceDistances, hausdorff_percentile_mm,
    psnr, ssim, surface_dice,
};

use crate::inference::{STUDENT, TEACHER, restore, sliding_window};
use crate::{logits, numbers};

/// Names that [`prepare`] knows.
pub const WORKS: [&str; 11] = [
    "dicom-series",
    "nifti-gz",
    "hd95-nsd",
    "ssim",
    "psnr",
    "pixel-kd",
    "low-dose-ct",
    "sliding-window",
    "restore-student",
    "restore-teacher",
    "restore-tiles",
];

const MASK: usize = 128;
const IMAGE: usize = 512;
const SLICES: usize = 200;
const CUBE: usize = 256;

/// Prepares a piece of work, on the files that [`make_files`] has made in `folder`. None for an unknown name.
///
/// # Panics
/// When a file cannot be read: a bench without its files has nothing to time.
#[must_use]
pub fn prepare(name: &str, folder: &Path) -> Option<Box<dyn FnMut()>> {
    Some(match name {
        "dicom-series" => dicom_series(&folder.join("series")),
        "nifti-gz" => nifti(&folder.join("cube.nii.gz")),
        "hd95-nsd" => surfaces(),
        "ssim" => image_metric(|pair| ssim(pair, 2.0, SsimVariant::Skimage).expect("room for a window")),
        "psnr" => image_metric(|pair| psnr(pair, 2.0).expect("a range")),
        "pixel-kd" => pixel_kd(),
        "low-dose-ct" => low_dose(),
        "sliding-window" => sliding_window(),
        "restore-student" => restore(STUDENT, IMAGE),
        "restore-teacher" => restore(TEACHER, IMAGE),
        "restore-tiles" => restore(STUDENT, 4 * IMAGE),
        _ => return None,
    })
}

/// Whole numbers in the range of a CT, most of them smooth, so that gzip has something to do and something to find.
#[expect(clippy::cast_precision_loss, reason = "places are small")]
fn scan(shape: [usize; 3], spacing_mm: [f64; 3]) -> Image<3> {
    let noise = numbers(shape.iter().product(), 5);
    let value = |(index, noise): (usize, &f32)| {
        let x = (index % shape[2]) as f32 / shape[2] as f32;
        (1000.0 * (6.0 * x).sin() + 20.0 * noise).round()
    };
    let values = noise.iter().enumerate().map(value).collect();
    let [z, y, x] = spacing_mm;
    let matrix = [[0.0, 0.0, x, -90.0], [0.0, y, 0.0, -90.0], [z, 0.0, 0.0, 10.0], [0.0, 0.0, 0.0, 1.0]];
    let grid = Geometry::<3>::placed(shape, Affine { matrix }).expect("a grid");
    Image::new(1, grid, Intensity::Hounsfield, values).expect("as many values as points")
}

/// Makes the files of a folder that are not there yet.
///
/// # Panics
/// When a file cannot be made.
pub fn make_files(folder: &Path) {
    let series = folder.join("series");
    if !series.is_dir() {
        let facts = SeriesFacts {
            modality: DicomModality::Ct,
            study: None,
            series: None,
            frame_of_reference: None,
            patient_id: "Bench^One".into(),
            description: "Bench".into(),
        };
        let volume = scan([SLICES, IMAGE, IMAGE], [1.0, 0.7, 0.7]);
        write_dicom_series(&series, &volume, &facts).expect("a series is written");
    }
    let cube = folder.join("cube.nii.gz");
    if !cube.is_file() {
        write_nifti_image(&cube, &scan([CUBE; 3], [1.0; 3]), NiftiType::I16).expect("a file is written");
    }
}

fn dicom_series(folder: &Path) -> Box<dyn FnMut()> {
    let files = std::fs::read_dir(folder).expect("the series is there");
    let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    Box::new(move || {
        let volume = read_dicom_volume(&files, Tilt::Refuse).expect("a series").image;
        assert_eq!(volume.geometry().shape(), [SLICES, IMAGE, IMAGE]);
    })
}

fn nifti(path: &Path) -> Box<dyn FnMut()> {
    let path = path.to_owned();
    Box::new(move || {
        let meant = Nifti::open(&path).and_then(|file| file.meant(NotFinite::Refuse)).expect("a volume");
        assert_eq!(meant.shape, [CUBE; 3]);
    })
}

#[expect(clippy::cast_precision_loss, reason = "places are small")]
fn ellipsoid(centre: [f64; 3], radii: [f64; 3]) -> Vec<bool> {
    let inside = |i: usize| {
        let place = [i / (MASK * MASK), i / MASK % MASK, i % MASK];
        let squared = |axis: usize| ((place[axis] as f64 - centre[axis]) / radii[axis]).powi(2);
        squared(0) + squared(1) + squared(2) <= 1.0
    };
    (0..MASK.pow(3)).map(inside).collect()
}

fn surfaces() -> Box<dyn FnMut()> {
    let grid = Grid::volume([MASK; 3], [1.5, 0.8, 0.7]).expect("a grid");
    let truth = ellipsoid([60.0, 66.0, 58.0], [44.0, 50.0, 40.0]);
    let prediction = ellipsoid([62.0, 64.0, 60.0], [42.0, 52.0, 41.0]);
    let empty = EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::Undefined };
    Box::new(move || {
        let pair = MaskPair::new(grid, &prediction, &truth).expect("masks of the grid");
        let distances = SurfaceDistances::new(&pair);
        let hd95 = hausdorff_percentile_mm(&distances, 95.0, empty).expect("two surfaces");
        let nsd = surface_dice(&distances, 1.0, BothEmpty::Undefined).expect("two surfaces");
        assert!(hd95 > 1.0 && (0.1..1.0).contains(&nsd));
    })
}

fn image_metric(of: impl Fn(&ImagePair<'_>) -> f64 + 'static) -> Box<dyn FnMut()> {
    let truth: Vec<f64> = numbers(IMAGE * IMAGE, 0).into_iter().map(f64::from).collect();
    let noise = numbers(IMAGE * IMAGE, 1);
    let prediction: Vec<f64> = truth.iter().zip(&noise).map(|(value, noise)| value + 0.1 * f64::from(*noise)).collect();
    Box::new(move || {
        let pair = ImagePair::plane([IMAGE; 2], &prediction, &truth).expect("images of one size");
        assert!(of(&pair).is_finite());
    })
}

fn pixel_kd() -> Box<dyn FnMut()> {
    let shape = [8, 3, 256, 256];
    let (student, teacher) = (logits(shape, 1, &Device::flex()), logits(shape, 2, &Device::flex()));
    let loss = HintonKd::new(Temperature::new(4.0).expect("a temperature"));
    Box::new(move || {
        let leaf = Tensor::<4>::from_inner(student.clone()).require_grad();
        let gradients = loss.forward(leaf.clone(), teacher.clone(), None).backward();
        assert_eq!(leaf.grad(&gradients).expect("the student has a gradient").dims(), shape);
    })
}

fn low_dose() -> Box<dyn FnMut()> {
    let degradation = LowDoseCt {
        beam: Beam::Parallel {},
        angles: 720,
        detectors: None,
        photons: 1e5,
        dose_fraction: 0.25,
        electronic_sigma: 5.0,
        filter: Filter::Ramp,
        output: LowDoseOutput::Reconstructed,
    };
    let values = scan([1, IMAGE, IMAGE], [1.0; 3]).values().to_vec();
    let grid = Geometry::with_spacing([IMAGE, IMAGE], [0.7, 0.7]).expect("a grid");
    let slice = Image::new(1, grid, Intensity::Hounsfield, values).expect("as many values as points");
    let sample = SampleId::new("bench").expect("a plain name");
    Box::new(move || {
        let clean = degradation.prepare(&slice).expect("a slice of a CT");
        let key = DegradeKey { seed: 0, sample: &sample, view: 0 };
        assert_eq!(clean.realise(key).expect("a scan").geometry().shape(), [IMAGE, IMAGE]);
    })
}
