//! `kd data import`: one's own files under a name of its own.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use kd_data::import::{
    EmptyMasks, ImportFormat, ImportRequest, MaskFormat, MaskImportRequest, RawFacts, VolumeFormat,
    VolumeImportRequest, groups_in, import_dataset, import_masks, import_volumes,
};
use kd_data::manifest::{Layout, Manifest, MaskValues, Task};
use kd_data::{Root, catalog};
use kd_image::Intensity;
use serde_json::json;

use super::data::{document, size_of};
use crate::args::{EmptyMasksName, ImportArgs, ImportFormatName, ImportTaskName, IntensityName, MaskNumbers};
use crate::output::Output;

/// Which reader takes the files.
enum Kind {
    Labelled(ImportFormat),
    Masked(MaskFormat),
    Volumes(VolumeFormat),
}

pub(super) fn run(mut args: ImportArgs, root: &Root, out: &Output) -> Result<bool> {
    let like = args.like.clone().map(|name| take_over(&name, &mut args)).transpose()?;
    let format = args.format.context("--format is missing")?;
    let license = args.license.take().context("--license is missing")?;
    let kind = kind_of(&args, format)?;
    refuse_idle_flags(&args, format, &kind)?;
    let copy = args.copy;
    let manifest = match kind {
        Kind::Labelled(format) => labelled(args, format, license, root)?,
        Kind::Masked(format) => masked(args, format, (license, like), root)?,
        Kind::Volumes(format) => volumes(args, format, (license, like), root)?,
    };
    if out.is_json() {
        out.json(&json!({ "schema": 1, "dataset": document(root, &manifest, "import") }))?;
    } else {
        let classes = match manifest.classes.join(", ") {
            none if none.is_empty() => none,
            names => format!(" ({names})"),
        };
        out.data(format!("{}: {}, {}{classes}", manifest.name, manifest.task.name(), size_of(&manifest)));
        out.note(format!(
            "`kd data verify {0}` reads every image; a recipe uses it as data.name = \"{0}\"",
            manifest.name
        ));
    }
    match groups_in(root, &manifest)? {
        Some(groups) => out.note(format!("subjects: {groups}, which no split will divide")),
        None if manifest.source.layout != Layout::MedmnistNpz => {
            out.note("every image counts as a subject of its own: where patients have several, --groups has to say so");
        }
        None => {}
    }
    if !copy {
        out.note("the files are linked: leave them where they are, or import with --copy");
    }
    Ok(true)
}

/// Takes over what is known of a published set.
fn take_over(name: &str, args: &mut ImportArgs) -> Result<&'static Manifest> {
    let known = catalog::find(name)?;
    if known.source.obtain.is_none() {
        bail!("`{name}` is no set that is got by hand\nhint: `kd data get {name}` brings it");
    }
    args.format = match known.source.layout {
        Layout::NiftiMasks | Layout::NiftiVolumes => Some(ImportFormatName::Nifti),
        Layout::DicomSeries => Some(ImportFormatName::Dicom),
        Layout::ImageMasks if args.run_lengths.is_some() => Some(ImportFormatName::Dicom),
        Layout::ImageMasks => Some(ImportFormatName::ImageMask),
        _ => None,
    };
    args.license = Some(known.license.spdx.clone());
    args.task = match known.task {
        Task::Segmentation => Some(ImportTaskName::Segmentation),
        _ => Some(ImportTaskName::Enhancement),
    };
    args.classes = (!known.classes.is_empty()).then(|| known.classes.clone());
    args.mask_values = known.mask.as_ref().map(|mask| match mask {
        MaskValues::Classes(numbers) => MaskNumbers::Classes(numbers.clone()),
        MaskValues::Instances => MaskNumbers::Instances,
    });
    args.intensity = match known.image.intensity {
        Intensity::Hounsfield => Some(IntensityName::Hounsfield),
        Intensity::Arbitrary => Some(IntensityName::Arbitrary),
        _ => None,
    };
    Ok(known)
}

fn kind_of(args: &ImportArgs, format: ImportFormatName) -> Result<Kind> {
    use ImportFormatName as Name;
    let without_masks = args.task == Some(ImportTaskName::Enhancement);
    let (name, expected): (_, &[ImportTaskName]) = match format {
        Name::Npz => ("npz", &CLASSES),
        Name::ImageFolder => ("image-folder", &CLASSES),
        Name::ImageMask => ("image-mask", &[ImportTaskName::Segmentation]),
        Name::Nifti => ("nifti", &[ImportTaskName::Segmentation, ImportTaskName::Enhancement]),
        Name::Raw => ("raw", &[ImportTaskName::Segmentation, ImportTaskName::Enhancement]),
        Name::Dicom => ("dicom", &[ImportTaskName::Segmentation, ImportTaskName::Enhancement]),
    };
    if let Some(task) = args.task
        && !expected.contains(&task)
    {
        let names: Vec<&str> = expected.iter().map(|task| task_of(*task).name()).collect();
        bail!("--task is {}, format `{name}` is for {}", task_of(task).name(), names.join(" or "));
    }
    Ok(match format {
        Name::Npz => Kind::Labelled(ImportFormat::Npz),
        Name::ImageFolder => Kind::Labelled(ImportFormat::ImageFolder),
        Name::ImageMask => Kind::Masked(MaskFormat::ImageMask),
        Name::Nifti if without_masks => Kind::Volumes(VolumeFormat::Nifti),
        Name::Nifti => Kind::Masked(MaskFormat::Nifti),
        Name::Raw => {
            let RawFacts { shape, element, spacing_mm, .. } = raw_facts(args)?;
            if without_masks {
                Kind::Volumes(VolumeFormat::Raw { shape, element, spacing_mm })
            } else {
                Kind::Masked(MaskFormat::Raw(raw_facts(args)?))
            }
        }
        Name::Dicom if args.task == Some(ImportTaskName::Segmentation) => Kind::Masked(MaskFormat::Dicom),
        Name::Dicom => Kind::Volumes(VolumeFormat::Dicom),
    })
}

/// Tasks whose labels are classes of an image.
const CLASSES: [ImportTaskName; 4] =
    [ImportTaskName::Binary, ImportTaskName::MultiClass, ImportTaskName::MultiLabel, ImportTaskName::Ordinal];

const fn task_of(name: ImportTaskName) -> Task {
    match name {
        ImportTaskName::Binary => Task::Binary,
        ImportTaskName::MultiClass => Task::MultiClass,
        ImportTaskName::MultiLabel => Task::MultiLabel,
        ImportTaskName::Ordinal => Task::Ordinal,
        ImportTaskName::Segmentation => Task::Segmentation,
        ImportTaskName::Enhancement => Task::Enhancement,
    }
}

/// What a file without a header does not say.
fn raw_facts(args: &ImportArgs) -> Result<RawFacts> {
    let need = "format `raw` needs --shape, --spacing and --dtype: the files do not say them";
    let shape = args.shape.as_ref().context(need)?;
    let spacing = args.spacing.as_ref().context(need)?;
    let three = |flag: &str, found: usize| format!("{flag} has {found} numbers, expected 3: slices, rows, columns");
    Ok(RawFacts {
        shape: shape.as_slice().try_into().with_context(|| three("--shape", shape.len()))?,
        element: args.dtype.context(need)?,
        mask_element: args.mask_dtype,
        spacing_mm: spacing.as_slice().try_into().with_context(|| three("--spacing", spacing.len()))?,
    })
}

/// A flag that would change nothing was meant to change something.
fn refuse_idle_flags(args: &ImportArgs, format: ImportFormatName, kind: &Kind) -> Result<()> {
    let raw = format == ImportFormatName::Raw;
    let masked = matches!(kind, Kind::Masked(_));
    let volumes = format != ImportFormatName::ImageMask && !matches!(kind, Kind::Labelled(_));
    let idle = [
        ("--shape", args.shape.is_some() && !raw, "format raw"),
        ("--spacing", args.spacing.is_some() && !raw, "format raw"),
        ("--dtype", args.dtype.is_some() && !raw, "format raw"),
        ("--intensity", args.intensity.is_some() && !volumes, "volumes"),
        (
            "--mask-values",
            args.like.is_none() && args.mask_values.is_some() && (!masked || format == ImportFormatName::Dicom),
            "masks whose numbers have no names",
        ),
        (
            "--inputs",
            args.inputs.is_some() && !matches!(kind, Kind::Volumes(_)),
            "volumes to restore (--task enhancement)",
        ),
        (
            "--run-lengths",
            args.run_lengths.is_some() && !(masked && format == ImportFormatName::Dicom),
            "DICOM radiographs with masks (--format dicom --task segmentation)",
        ),
        ("--subgroups", args.subgroups.is_some() && !masked, "images with masks"),
        ("--hold-out", !args.hold_out.is_empty() && !masked, "images with masks"),
        ("--empty-masks keep", args.empty_masks == EmptyMasksName::Keep && !masked, "images with masks"),
        ("--classes", args.classes.is_some() && matches!(kind, Kind::Volumes(_)), "labels and masks"),
    ];
    match idle.into_iter().find(|(_, idle, _)| *idle) {
        Some((flag, _, what)) => {
            bail!("{flag} is for {what}, this import has none\nhint: leave it out, or see --format")
        }
        None => Ok(()),
    }
}

fn labelled(args: ImportArgs, format: ImportFormat, license: String, root: &Root) -> Result<Manifest> {
    let request = ImportRequest {
        name: args.name,
        format,
        paths: args.paths,
        groups_csv: args.groups,
        copy: args.copy,
        task: args.task.map(task_of),
        classes: args.classes,
        license,
        citation: args.citation,
        split: None,
    };
    Ok(import_dataset(root, &request)?)
}

fn masked(
    args: ImportArgs,
    format: MaskFormat,
    (license, like): (String, Option<&'static Manifest>),
    root: &Root,
) -> Result<Manifest> {
    let request = MaskImportRequest {
        name: args.name,
        format,
        path: one_path(args.paths)?,
        groups_csv: args.groups,
        subgroups_csv: args.subgroups,
        run_lengths: args.run_lengths,
        held_out: args.hold_out,
        copy: args.copy,
        classes: args.classes,
        values: args.mask_values.map(|values| match values {
            MaskNumbers::Classes(numbers) => MaskValues::Classes(numbers),
            MaskNumbers::Instances => MaskValues::Instances,
        }),
        intensity: args.intensity.map(intensity_of),
        empty_masks: match args.empty_masks {
            EmptyMasksName::Refuse => EmptyMasks::Refuse,
            EmptyMasksName::Keep => EmptyMasks::Keep,
        },
        like,
        license,
        citation: args.citation,
        split: None,
    };
    Ok(import_masks(root, &request)?)
}

fn volumes(
    args: ImportArgs,
    format: VolumeFormat,
    (license, like): (String, Option<&'static Manifest>),
    root: &Root,
) -> Result<Manifest> {
    let request = VolumeImportRequest {
        name: args.name,
        format,
        path: one_path(args.paths)?,
        inputs: args.inputs,
        groups_csv: args.groups,
        copy: args.copy,
        intensity: args.intensity.map(intensity_of),
        like,
        license,
        citation: args.citation,
        split: None,
    };
    Ok(import_volumes(root, &request)?)
}

const fn intensity_of(name: IntensityName) -> Intensity {
    match name {
        IntensityName::Hounsfield => Intensity::Hounsfield,
        IntensityName::Arbitrary => Intensity::Arbitrary,
    }
}

fn one_path(paths: Vec<PathBuf>) -> Result<PathBuf> {
    match <[PathBuf; 1]>::try_from(paths) {
        Ok([path]) => Ok(path),
        Err(paths) => bail!("{} paths given, expected 1: the folder that holds the images", paths.len()),
    }
}
