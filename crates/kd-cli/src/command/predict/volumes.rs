//! Volumes through a student of segmentation: NIfTI files and DICOM series in, masks on the same grid out.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use burn::tensor::Device;
use kd_core::Head;
use kd_data::format::{
    DicomStack, FileFormat, Nifti, NotFinite, Tilt, files_below, find_dicom_stacks, sniff, table_csv,
    write_nifti_labels,
};
use kd_data::store::{StagedFolder, write_atomic};
use kd_image::{Geometry, Image, Intensity, LabelMap};
use kd_segment::{NetworkSpec, UNet};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Failure, free};
use crate::args::PredictArgs;
use crate::dense::segment::{SegmentCard, SegmentVolume};
use crate::device;
use crate::output::{Output, columns};
use crate::package::Package;
use crate::progress::Progress;

/// Volumes that are shown in the terminal.
const SHOWN: usize = 10;

/// The answer to one volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Answer {
    input: String,
    /// Name of the mask below the folder of the answers.
    mask: String,
    /// Points of each class.
    points: Vec<u64>,
    /// Volume of each class in ml; none where the spacing is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    volumes_ml: Option<Vec<f64>>,
}

/// A volume that lies somewhere.
enum Found {
    Nifti(PathBuf),
    /// The files of one stack of slices.
    Series(Box<DicomStack>),
}

/// Answers all inputs; false when one of them could not be answered.
pub(super) fn run(args: &PredictArgs, out: &Output) -> Result<bool> {
    free(&args.out)?;
    let package = Package::<SegmentCard>::read(&args.package)?;
    let choice = device::resolve(&args.device)?;
    let card = &package.card;
    let head = card.head.head(card.classes.len())?;
    let network: Box<dyn SegmentVolume> = match card.preparation.size.len() {
        2 => {
            let spec: NetworkSpec<2> = card.network.clone().spec(card.channels, head.n_outputs())?;
            let network: UNet<4> = package.weights.load_into(spec.init(&choice.device))?;
            Box::new(network)
        }
        3 => {
            let spec: NetworkSpec<3> = card.network.clone().spec(card.channels, head.n_outputs())?;
            let network: UNet<5> = package.weights.load_into(spec.init(&choice.device))?;
            Box::new(network)
        }
        other => bail!("package prepares images of {other} axes, expected 2 or 3"),
    };
    let mut failures = Vec::new();
    let volumes = gather(&args.inputs, &mut failures)?;
    let staged = StagedFolder::create(&args.out)?;
    let mut progress = Progress::new(out, "predict", volumes.len() as u64);
    let mut answers: Vec<Answer> = Vec::new();
    for (n, (name, volume)) in volumes.into_iter().enumerate() {
        progress.set(n as u64, &name);
        // Names of masks tell volumes apart; a second one of a name gets a number.
        let stem = name.replace('/', "_");
        let taken = |mask: &str| answers.iter().any(|answer| answer.mask == mask);
        let mut mask = format!("{stem}.nii.gz");
        for number in 2.. {
            if !taken(&mask) {
                break;
            }
            mask = format!("{stem}_{number}.nii.gz");
        }
        match answer(volume, network.as_ref(), card, head, &choice.device) {
            Ok(labels) => {
                write_nifti_labels(&staged.path().join(&mask), &labels)?;
                answers.push(counted(name, mask, &labels, card.classes.len()));
            }
            Err(refused) => failures.push(Failure { input: name, error: format!("{refused:#}") }),
        }
    }
    progress.clear();
    for failure in &failures {
        out.warn(format!("{}: {}", failure.input, failure.error.replace("\nhint: ", "; ")));
    }
    if answers.is_empty() {
        bail!(
            "none of {} inputs could be answered\nhint: inputs are NIfTI files, folders with a DICOM series, or folders of these",
            failures.len()
        );
    }
    let document = document(card, &choice.name, &answers, &failures);
    write_atomic(&staged.path().join("predictions.csv"), csv(card, &answers).as_bytes())?;
    let json = serde_json::to_string_pretty(&document)? + "\n";
    write_atomic(&staged.path().join("predictions.json"), json.as_bytes())?;
    if args.out.is_dir() {
        // An empty folder that stands there makes way for the whole one.
        kd_data::text::remove_folder(&args.out)?;
    }
    staged.commit()?;
    if out.is_json() {
        out.json(&document)?;
    } else {
        out.data(summary(card, &answers));
        out.note(format!("\n{} masks in {}", answers.len(), args.out.display()));
    }
    if !failures.is_empty() {
        out.note(format!("{} of {} inputs could not be answered", failures.len(), failures.len() + answers.len()));
    }
    Ok(failures.is_empty())
}

/// All volumes behind the inputs, each with a name.
fn gather(inputs: &[PathBuf], failures: &mut Vec<Failure>) -> Result<Vec<(String, Found)>> {
    let mut volumes = Vec::new();
    for input in inputs {
        let last = input.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let files: Vec<(PathBuf, String)> = if input.is_dir() {
            files_below(input)?.into_iter().map(|file| (file.path, file.name)).collect()
        } else {
            vec![(input.clone(), last.clone())]
        };
        let mut slices = Vec::new();
        let before = volumes.len();
        for (path, name) in files {
            match sniff(&path) {
                Ok(FileFormat::Nifti) => volumes.push((stem(&name).to_owned(), Found::Nifti(path))),
                Ok(FileFormat::Dicom) => slices.push(path),
                Ok(_) => failures.push(Failure { input: name, error: "neither NIfTI nor DICOM".into() }),
                Err(refused) => failures.push(Failure { input: name, error: refused.to_string() }),
            }
        }
        if !slices.is_empty() {
            let series = find_dicom_stacks(&slices);
            // Folders are often named after patients; a series goes by its number.
            for (n, stack) in series.stacks.into_iter().enumerate() {
                volumes.push((format!("series-{}", n + 1), Found::Series(Box::new(stack))));
            }
            for refused in series.refused {
                failures.push(Failure { input: last.clone(), error: refused.to_string() });
            }
        }
        if volumes.len() == before && failures.is_empty() {
            failures.push(Failure { input: last, error: "the folder holds no volume".into() });
        }
    }
    Ok(volumes)
}

/// A file's name without the ending of its format.
fn stem(name: &str) -> &str {
    name.strip_suffix(".nii.gz").or_else(|| name.strip_suffix(".nii")).unwrap_or(name)
}

fn answer(
    found: Found,
    network: &dyn SegmentVolume,
    card: &SegmentCard,
    head: Head,
    device: &Device,
) -> Result<LabelMap<3>> {
    let image = match found {
        Found::Nifti(path) => nifti(&path, card.channels)?,
        Found::Series(stack) => stack.read(Tilt::KeepSheared)?.image,
    };
    if image.channels() != card.channels {
        bail!("volume has {} channels, expected {}", image.channels(), card.channels);
    }
    network.segment_volume(&image, &card.preparation, head, device)
}

/// A NIfTI with as many volumes as the network takes channels.
fn nifti(path: &Path, channels: usize) -> Result<Image<3>> {
    let file = Nifti::open(path)?;
    let header = file.header();
    if header.n_volumes() != channels {
        bail!(
            "file holds {} volumes (dim {:?}), expected {channels}\nhint: a series in time is answered one volume at a time",
            header.n_volumes(),
            header.dims
        );
    }
    let mut values = Vec::new();
    let mut grid: Option<Geometry<3>> = None;
    for volume in 0..channels {
        let image = file.volume(volume, Intensity::Arbitrary, NotFinite::Refuse)?;
        grid = Some(image.geometry().clone());
        values.extend(image.into_values());
    }
    Ok(Image::new(channels, grid.context("a network takes one channel or more")?, Intensity::Arbitrary, values)?)
}

#[expect(clippy::cast_precision_loss, reason = "points are far below 2^53")]
fn counted(input: String, mask: String, labels: &LabelMap<3>, n_classes: usize) -> Answer {
    let mut points = vec![0u64; n_classes];
    for &label in labels.labels() {
        points[usize::from(label)] += 1;
    }
    let ml = labels.geometry().spacing_mm().map(|mm| mm.iter().product::<f64>() / 1000.0);
    let volumes_ml = ml.map(|ml| points.iter().map(|&points| points as f64 * ml).collect());
    Answer { input, mask, points, volumes_ml }
}

fn document(card: &SegmentCard, device: &str, answers: &[Answer], failures: &[Failure]) -> Value {
    json!({
        "schema": 1,
        "package": {
            "name": card.name,
            "weights_hash": card.provenance.weights_hash,
            "dataset": card.provenance.dataset,
            "intended_use": card.intended_use,
        },
        "program": crate::host::program(),
        "device": device,
        "classes": card.classes,
        "answers": answers,
        "failed": failures,
    })
}

fn csv(card: &SegmentCard, answers: &[Answer]) -> String {
    let header: Vec<String> = ["input", "mask"]
        .map(str::to_owned)
        .into_iter()
        .chain(card.classes.iter().skip(1).map(|class| format!("ml_{}", class.replace(' ', "_"))))
        .collect();
    let rows: Vec<Vec<String>> = answers
        .iter()
        .map(|answer| {
            let ml = (1..card.classes.len())
                .map(|class| answer.volumes_ml.as_ref().map_or_else(String::new, |ml| format!("{:.3}", ml[class])));
            [answer.input.clone(), answer.mask.clone()].into_iter().chain(ml).collect()
        })
        .collect();
    table_csv(&header, &rows)
}

fn summary(card: &SegmentCard, answers: &[Answer]) -> String {
    let mut header = vec!["input"];
    let named: Vec<String> = card.classes.iter().skip(1).map(|class| format!("{class}, ml")).collect();
    header.extend(named.iter().map(String::as_str));
    let row = |answer: &Answer| {
        let ml = (1..card.classes.len()).map(|class| match &answer.volumes_ml {
            Some(ml) => format!("{:.1}", ml[class]),
            None => format!("{} points", answer.points[class]),
        });
        std::iter::once(answer.input.clone()).chain(ml).collect::<Vec<String>>()
    };
    let rows: Vec<Vec<String>> = answers.iter().take(SHOWN).map(row).collect();
    let mut text = columns(&header, &rows);
    if answers.len() > SHOWN {
        text += &format!("\n… {} more", answers.len() - SHOWN);
    }
    text
}
