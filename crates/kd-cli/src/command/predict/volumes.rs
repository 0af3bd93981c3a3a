//! Volumes and pictures through a student: NIfTI files, DICOM series, PNG and JPEG in, a file for each out; what the file
//! is, the task says.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use kd_data::format::{
    DerivedFrom, DicomStack, FileFormat, Nifti, NotFinite, Tilt, files_below, find_dicom_stacks, read_raster, sniff,
    table_csv,
};
use kd_data::prepare::one_slice;
use kd_data::store::{StagedFolder, write_atomic};
use kd_image::{Image, Intensity};
use serde::Serialize;
use serde_json::{Value, json};

use super::Failure;
use crate::args::PredictArgs;
use crate::output::{Output, columns};
use crate::package::Provenance;
use crate::progress::Progress;

/// Volumes that are shown in the terminal.
const SHOWN: usize = 10;

/// The answer to one volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Answer<T> {
    pub(super) input: String,
    /// Name of the answer below the folder of the answers.
    pub(super) file: String,
    #[serde(flatten)]
    pub(super) told: T,
}

/// A finished student that answers volumes.
pub(super) trait VolumeStudent {
    /// What is told of an answer.
    type Told: Serialize;

    /// Channels that a volume has to have.
    fn channels(&self) -> usize;

    /// Whether a picture is an image that it can answer.
    fn takes_pictures(&self) -> bool;

    /// Ending of an answer in DICOM; empty for a folder.
    fn dicom_ending(&self) -> &'static str;

    /// Answers a volume; a picture is a volume of one slice.
    fn answer(&self, image: &Image<3>, target: &Target) -> Result<Self::Told>;

    /// Columns of the terminal's table, and those of the file's.
    fn headers(&self) -> [Vec<String>; 2];

    /// Their cells.
    fn cells(&self, told: &Self::Told) -> [Vec<String>; 2];

    /// What the document says of the package.
    fn package(&self) -> PackageFacts<'_>;
}

/// What the document says of a package.
pub(super) struct PackageFacts<'a> {
    pub(super) name: &'a str,
    pub(super) provenance: &'a Provenance,
    pub(super) intended_use: &'a str,
    /// Facts of the task.
    pub(super) more: Value,
}

/// Where an answer goes, and as what.
pub(super) enum Target {
    Nifti(PathBuf),
    /// The answer to a picture.
    Png(PathBuf),
    /// A file or a folder beside the series that was answered.
    Dicom(PathBuf, Box<DerivedFrom>),
}

/// A volume that lies somewhere.
enum Found {
    Nifti(PathBuf),
    /// The files of one stack of slices.
    Series(Box<DicomStack>),
    /// PNG or JPEG.
    Picture(PathBuf),
}

impl Found {
    /// Ending of the answer's file.
    fn ending<S: VolumeStudent>(&self, args: &PredictArgs, student: &S) -> &'static str {
        match self {
            Self::Picture(_) => "png",
            Self::Series(_) if args.dicom => student.dicom_ending(),
            Self::Nifti(_) | Self::Series(_) => "nii.gz",
        }
    }

    /// What the answer at `path` is to be.
    fn target(&self, args: &PredictArgs, path: PathBuf) -> Result<Target> {
        Ok(match self {
            Self::Picture(_) => Target::Png(path),
            Self::Series(stack) if args.dicom => Target::Dicom(path, Box::new(DerivedFrom::stack(stack)?)),
            Self::Nifti(_) | Self::Series(_) => Target::Nifti(path),
        })
    }
}

/// Answers all inputs; false when one of them could not be answered.
pub(super) fn run<S: VolumeStudent>(args: &PredictArgs, student: &S, device: &str, out: &Output) -> Result<bool> {
    let mut failures = Vec::new();
    let volumes = gather(&args.inputs, student.takes_pictures(), &mut failures)?;
    let staged = StagedFolder::create(&args.out)?;
    let mut progress = Progress::new(out, "predict", volumes.len() as u64);
    let mut answers: Vec<Answer<S::Told>> = Vec::new();
    for (n, (name, volume)) in volumes.into_iter().enumerate() {
        progress.set(n as u64, &name);
        let file = free_name(&name, volume.ending(args, student), &answers);
        let answer = || {
            let target = volume.target(args, staged.path().join(&file))?;
            student.answer(&read(volume, student.channels())?, &target)
        };
        match answer() {
            Ok(told) => answers.push(Answer { input: name, file, told }),
            Err(refused) => failures.push(Failure { input: name, error: format!("{refused:#}") }),
        }
    }
    progress.clear();
    for failure in &failures {
        out.warn(format!("{}: {}", failure.input, failure.error.replace("\nhint: ", "; ")));
    }
    if answers.is_empty() {
        bail!(
            "none of {} inputs could be answered\nhint: inputs are NIfTI files, folders with a DICOM series{}, or folders of these",
            failures.len(),
            if student.takes_pictures() { ", PNG or JPEG" } else { "" }
        );
    }
    let document = document(student, device, &answers, &failures);
    let [shown, kept] = tables(student, &answers);
    write_atomic(&staged.path().join("predictions.csv"), table_csv(&kept[0], &kept[1..]).as_bytes())?;
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
        let head: Vec<&str> = shown[0].iter().map(String::as_str).collect();
        let mut text = columns(&head, &shown[1..shown.len().min(SHOWN + 1)]);
        if answers.len() > SHOWN {
            text += &format!("\n… {} more", answers.len() - SHOWN);
        }
        out.data(text);
        out.note(format!("\n{} answers in {}", answers.len(), args.out.display()));
    }
    if !failures.is_empty() {
        out.note(format!("{} of {} inputs could not be answered", failures.len(), failures.len() + answers.len()));
    }
    Ok(failures.is_empty())
}

/// A file for a volume's answer; a second one of a name gets a number.
fn free_name<T>(volume: &str, ending: &str, answers: &[Answer<T>]) -> String {
    let stem = volume.replace('/', "_");
    let ending = if ending.is_empty() { String::new() } else { format!(".{ending}") };
    let numbered = (2..).map(|number| format!("{stem}_{number}{ending}"));
    let mut names = std::iter::once(format!("{stem}{ending}")).chain(numbered);
    let is_free = |name: &String| answers.iter().all(|answer| answer.file != *name);
    names.find(is_free).expect("numbers do not end")
}

/// The terminal's table and the file's, the header first.
fn tables<S: VolumeStudent>(student: &S, answers: &[Answer<S::Told>]) -> [Vec<Vec<String>>; 2] {
    let [shown, kept] = student.headers();
    let start = |names: &[&str], more: Vec<String>| -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).chain(more).collect()
    };
    let mut tables = [vec![start(&["input"], shown)], vec![start(&["input", "file"], kept)]];
    for answer in answers {
        let [shown, kept] = student.cells(&answer.told);
        tables[0].push(start(&[&answer.input], shown));
        tables[1].push(start(&[&answer.input, &answer.file], kept));
    }
    tables
}

fn document<S: VolumeStudent>(student: &S, device: &str, answers: &[Answer<S::Told>], failures: &[Failure]) -> Value {
    let package = student.package();
    let mut document = json!({
        "schema": 1,
        "package": {
            "name": package.name,
            "weights_hash": package.provenance.weights_hash,
            "dataset": package.provenance.dataset,
            "intended_use": package.intended_use,
        },
        "program": crate::host::program(),
        "device": device,
        "answers": answers,
        "failed": failures,
    });
    if let (Value::Object(document), Value::Object(more)) = (&mut document, package.more) {
        document.extend(more);
    }
    document
}

/// All volumes behind the inputs, each with a name.
fn gather(inputs: &[PathBuf], pictures: bool, failures: &mut Vec<Failure>) -> Result<Vec<(String, Found)>> {
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
                Ok(FileFormat::Png | FileFormat::Jpeg) if pictures => {
                    volumes.push((stem(&name).to_owned(), Found::Picture(path)));
                }
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
            let error = if pictures { "the folder holds no image" } else { "the folder holds no volume" };
            failures.push(Failure { input: last, error: error.into() });
        }
    }
    Ok(volumes)
}

/// A file's name without the ending of its format.
fn stem(name: &str) -> &str {
    let endings = [".nii.gz", ".nii", ".png", ".jpeg", ".jpg"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

fn read(found: Found, channels: usize) -> Result<Image<3>> {
    let image = match found {
        Found::Nifti(path) => nifti(&path, channels)?,
        Found::Series(stack) => stack.read(Tilt::KeepSheared)?.image,
        Found::Picture(path) => one_slice(read_raster(&path)?),
    };
    if image.channels() != channels {
        bail!("image has {} channels, expected {channels}", image.channels());
    }
    Ok(image)
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
    Ok(file.channels(Intensity::Arbitrary, NotFinite::Refuse)?)
}
