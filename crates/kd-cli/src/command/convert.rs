//! `kd convert`: a volume in another format, on the same grid.

use anyhow::{Context as _, Result, anyhow, bail};
use kd_data::format::{
    FileFormat, Nifti, NiftiType, NotFinite, NpyArray, NpyValue, Tilt, Voi, files_below, gray8_png, read_dicom,
    read_dicom_volume, rgb8_png, sniff, write_nifti_image, write_npy,
};
use kd_data::store::write_atomic;
use kd_image::{Image, Intensity};
use serde_json::json;

use crate::args::{ConvertArgs, Meaning};
use crate::output::{Output, usage};

/// Reads one volume and writes it.
pub(crate) fn run(args: &ConvertArgs, out: &Output) -> Result<bool> {
    let name = args.out.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    if let Some(meaning) = args.values {
        return values(args, meaning, &name, out);
    }
    let is_npy = name.ends_with(".npy");
    if !(is_npy || name.ends_with(".nii") || name.ends_with(".nii.gz")) {
        return Err(usage(anyhow!(
            "`{}` has an ending that is not known, expected .nii, .nii.gz or .npy",
            args.out.display()
        )));
    }
    demand_new(args)?;
    let image = read(args)?;
    let stored = NiftiType::holding(&image);
    if is_npy {
        write_npy(&args.out, &array(&image, stored))?;
    } else {
        write_nifti_image(&args.out, &image, stored)?;
    }
    let grid = image.geometry();
    if out.is_json() {
        out.json(&json!({
            "schema": 1,
            "shape": grid.shape(),
            "channels": image.channels(),
            "spacing_mm": grid.spacing_mm(),
            "orientation": grid.orientation().map(|letters| letters.to_string()),
            "intensity": image.intensity().name(),
            "dtype": stored.name(),
        }))?;
        return Ok(true);
    }
    out.data(format!("{}: {}, {}, {}", args.out.display(), stored.name(), image.intensity().name(), grid));
    if is_npy {
        out.note("npy keeps numbers alone: spacing and place in the patient are not in it");
    }
    Ok(true)
}

fn demand_new(args: &ConvertArgs) -> Result<()> {
    if args.out.exists() {
        bail!("`{}` is there already, expected a new file\nhint: choose another name", args.out.display());
    }
    Ok(())
}

/// `--as`: the values of one file, without a grid.
fn values(args: &ConvertArgs, meaning: Meaning, name: &str, out: &Output) -> Result<bool> {
    let is_png = name.ends_with(".png");
    if !(name.ends_with(".npy") || is_png && meaning == Meaning::Display) {
        return Err(usage(anyhow!(
            "`{}` has an ending that --as does not write, expected .npy, or .png with --as display",
            args.out.display()
        )));
    }
    demand_new(args)?;
    if args.input.is_dir() {
        bail!(
            "`{}` is a folder, expected one file with --as\nhint: leave --as out to convert a series, or convert file by file",
            args.input.display()
        );
    }
    let read = || -> Result<NpyValue> {
        match (sniff(&args.input)?, meaning) {
            (FileFormat::Dicom, Meaning::Raw) => Ok(read_dicom(&args.input)?.raw().clone()),
            (FileFormat::Dicom, Meaning::Modality) => Ok(NpyValue::F32(read_dicom(&args.input)?.modality()?)),
            (FileFormat::Dicom, Meaning::Display) => Ok(NpyValue::U8(read_dicom(&args.input)?.display(Voi::File)?)),
            (FileFormat::Nifti, Meaning::Raw) => Ok(Nifti::open(&args.input)?.stored()?),
            (FileFormat::Nifti, Meaning::Modality) => {
                Ok(NpyValue::F32(Nifti::open(&args.input)?.meant(NotFinite::Refuse)?))
            }
            (FileFormat::Nifti, Meaning::Display) => bail!(
                "a NIfTI file does not say how it is shown, expected DICOM with --as display\nhint: use --as modality"
            ),
            (other, _) => bail!("file is {}, expected DICOM or NIfTI", other.name()),
        }
    };
    let value = read().with_context(|| format!("reading `{}`", args.input.display()))?;
    if is_png {
        write_atomic(&args.out, &picture(&value)?)?;
    } else {
        write_npy(&args.out, &value)?;
    }
    let (shape, dtype) = (value.shape().to_vec(), value.dtype());
    if out.is_json() {
        out.json(&json!({ "schema": 1, "shape": shape, "dtype": dtype }))?;
    } else {
        out.data(format!("{}: {dtype} {shape:?}", args.out.display()));
    }
    Ok(true)
}

/// One frame as PNG.
fn picture(value: &NpyValue) -> Result<Vec<u8>> {
    let NpyValue::U8(array) = value else { bail!("values are {}, expected uint8", value.dtype()) };
    match array.shape[..] {
        [1, height, width] => Ok(gray8_png([height, width], &array.values)?),
        [1, height, width, 3] => Ok(rgb8_png([height, width], &array.values)?),
        _ => bail!(
            "file holds {} frames (shape {:?}), expected one for a .png\nhint: write .npy",
            array.shape.first().copied().unwrap_or(0),
            array.shape
        ),
    }
}

fn read(args: &ConvertArgs) -> Result<Image<3>> {
    if args.input.is_dir() {
        let files = files_below(&args.input)?;
        let mut slices = Vec::new();
        for file in files {
            if sniff(&file.path)? == FileFormat::Dicom {
                slices.push(file.path);
            }
        }
        if slices.is_empty() {
            bail!("folder `{}` holds no DICOM file, expected one series", args.input.display());
        }
        return Ok(read_dicom_volume(&slices, Tilt::Refuse)?.image);
    }
    volume(args).with_context(|| format!("reading `{}`", args.input.display()))
}

fn volume(args: &ConvertArgs) -> Result<Image<3>> {
    match sniff(&args.input)? {
        FileFormat::Nifti => Ok(Nifti::open(&args.input)?.image(Intensity::Arbitrary, NotFinite::Refuse)?),
        FileFormat::Dicom => Ok(read_dicom_volume(std::slice::from_ref(&args.input), Tilt::Refuse)?.image),
        other => {
            bail!(
                "`{}` is {}, expected NIfTI, DICOM, or a folder with a DICOM series",
                args.input.display(),
                other.name()
            )
        }
    }
}

/// The numbers, with channels in front where there are several.
fn array(image: &Image<3>, stored: NiftiType) -> NpyValue {
    let channels = (image.channels() > 1).then_some(image.channels());
    let shape = channels.into_iter().chain(image.geometry().shape()).collect();
    let values = image.values();
    if stored == NiftiType::I16 {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within its range")]
        let values = values.iter().map(|&value| value as i16).collect();
        return NpyValue::I16(NpyArray { shape, values });
    }
    NpyValue::F32(NpyArray { shape, values: values.to_vec() })
}
