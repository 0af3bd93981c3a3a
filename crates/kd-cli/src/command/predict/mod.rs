//! `kd predict`: a finished student on somebody's files.
//!
//! Every image goes through the preparation that the training images went through; it travels in the package. One bad
//! file does not cost the answers for the others, but it is named, counted and makes the command fail in the end.

mod enhance;
mod segment;
mod volumes;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use burn::tensor::{Device, Tensor, TensorData};
use kd_classify::Classifier;
use kd_classify::score::probabilities;
use kd_core::Head;
use kd_data::Root;
use kd_data::format::{ImageFile, files_below, table_csv};
use kd_data::store::{StagedFolder, write_atomic};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::PredictArgs;
use crate::device;
use crate::output::{Output, UsageError, columns, usage};
use crate::package::{Card, Decision, Package, task_of};
use crate::progress::Progress;
use crate::recipe::TaskKind;

/// Images that go through the network at once.
const BATCH: usize = 64;
/// A label is present above this probability; the packages of several labels carry no threshold of their own.
const LABEL_CUT: f64 = 0.5;
/// Answers that are shown in the terminal.
const SHOWN: usize = 10;

/// The answer for one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Answer {
    input: String,
    /// One a class or label, in the order of `classes`.
    probabilities: Vec<f64>,
    /// The class of highest probability, or every label that is present.
    predicted: Vec<String>,
    /// For two classes with an operating point: whether the second one's probability reaches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
}

/// An image without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Failure {
    input: String,
    error: String,
}

/// A student that is ready to answer.
struct Student {
    card: Card,
    head: Head,
    network: Classifier,
    device: Device,
}

/// Answers all inputs; false when one of them could not be answered.
pub(crate) fn run(args: PredictArgs, _root: &Root, out: &Output) -> Result<bool> {
    match task_of(&args.package)? {
        TaskKind::Classify if args.dicom => {
            let reason = "--dicom writes masks and images, this student answers with classes\nhint: leave --dicom out";
            Err(UsageError::new(reason).into())
        }
        TaskKind::Classify => classify(args, out),
        TaskKind::Segment => segment::run(&args, out),
        TaskKind::Enhance => enhance::run(&args, out),
    }
}

fn classify(args: PredictArgs, out: &Output) -> Result<bool> {
    free(&args.out)?;
    let package = Package::read(&args.package)?;
    let choice = device::resolve(&args.device)?;
    let network = package.network(&choice.device).context("network of the package cannot be built")?;
    let channels = package.card.preparation.channels;
    let spec = package.card.network.clone().spec(channels, package.head()?.n_outputs())?;
    spec.check_input(package.card.preparation.size)?;
    let student = Student { head: package.head()?, network, device: choice.device, card: package.card };
    let mut failures = Vec::new();
    let files = gather(&args.inputs, &mut failures)?;
    let mut answers = Vec::new();
    let mut progress = Progress::new(out, "predict", files.len() as u64);
    for (n, file) in files.iter().enumerate() {
        progress.set(n as u64, &file.name);
        student.answer_file(file, &mut answers, &mut failures);
    }
    progress.clear();
    for failure in &failures {
        out.warn(format!("{}: {}", failure.input, failure.error.replace("\nhint: ", "; ")));
    }
    if answers.is_empty() {
        bail!(
            "none of {} inputs could be answered\nhint: inputs are PNG, JPEG, npz with images, or folders of these",
            failures.len()
        );
    }
    let document = document(&student, &choice.name, &answers, &failures);
    write(&args.out, &csv(&student.card, &answers), &document)?;
    if out.is_json() {
        out.json(&document)?;
    } else {
        out.data(summary(&student.card, &answers));
        out.note(format!("\n{} answers in {}", answers.len(), args.out.join("predictions.csv").display()));
    }
    if !failures.is_empty() {
        out.note(format!("{} of {} inputs could not be answered", failures.len(), failures.len() + answers.len()));
    }
    Ok(failures.is_empty())
}

/// Answers are never mixed with what stands there already.
fn free(folder: &Path) -> Result<()> {
    let taken = if folder.is_dir() { !files_below(folder)?.is_empty() } else { folder.exists() };
    if taken {
        bail!("`{}` is not empty, expected a new folder for the answers\nhint: choose another --out", folder.display());
    }
    Ok(())
}

/// A file with the name that its answers go by.
struct Named {
    path: PathBuf,
    name: String,
    member: Option<String>,
}

/// All files behind the inputs; names must tell them apart.
fn gather(inputs: &[PathBuf], failures: &mut Vec<Failure>) -> Result<Vec<Named>> {
    let mut files = Vec::new();
    for input in inputs {
        let last = |path: &Path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if input.is_dir() {
            let found = files_below(input)?;
            if found.is_empty() {
                failures.push(Failure { input: last(input), error: "the folder holds no file".into() });
            }
            files.extend(found.into_iter().map(|file| Named { path: file.path, name: file.name, member: None }));
            continue;
        }
        // `set.npz:test_images` names an array, unless a file is called that.
        let text = input.to_string_lossy();
        match text.rsplit_once(':') {
            Some((file, member)) if !input.exists() && Path::new(file).is_file() => {
                let path = PathBuf::from(file);
                files.push(Named { name: last(&path), path, member: Some(member.to_owned()) });
            }
            _ => files.push(Named { path: input.clone(), name: last(input), member: None }),
        }
    }
    let mut seen = BTreeSet::new();
    if let Some(double) = files.iter().find(|file| !seen.insert((&file.name, &file.member))) {
        return Err(usage(anyhow!(
            "two inputs are called `{}`, expected names that tell them apart\nhint: give the folder above them",
            double.name
        )));
    }
    Ok(files)
}

impl Student {
    /// Answers every image of a file, and notes those that cannot be answered.
    fn answer_file(&self, file: &Named, answers: &mut Vec<Answer>, failures: &mut Vec<Failure>) {
        let mut failed = |input: &str, error: String| failures.push(Failure { input: input.to_owned(), error });
        let stacks = match ImageFile::list(&file.path, &file.name, file.member.as_deref()) {
            Ok(stacks) => stacks,
            Err(refused) => return failed(&file.name, refused.to_string()),
        };
        for stack in stacks {
            let stack = match stack.read() {
                Ok(stack) => stack,
                Err(refused) => {
                    failed(&file.name, refused.to_string());
                    continue;
                }
            };
            for start in (0..stack.len()).step_by(BATCH) {
                let mut names = Vec::new();
                let mut values = Vec::new();
                for index in start..stack.len().min(start + BATCH) {
                    let name = stack.name(index);
                    let prepared = stack.image(index).map_err(|refused| refused.to_string());
                    match prepared.and_then(|raw| self.card.preparation.apply(&raw).map_err(|no| no.to_string())) {
                        Ok(image) => {
                            names.push(name);
                            values.extend(image.into_values());
                        }
                        Err(refused) => failed(&name, refused),
                    }
                }
                if names.is_empty() {
                    continue;
                }
                for (name, row) in names.iter().zip(self.logits(names.len(), values)) {
                    match self.answer(name, &row) {
                        Ok(answer) => answers.push(answer),
                        Err(refused) => failed(name, refused.to_string()),
                    }
                }
            }
        }
    }

    /// Raw outputs, one row an image.
    fn logits(&self, n: usize, values: Vec<f32>) -> Vec<Vec<f32>> {
        let [height, width] = self.card.preparation.size;
        let shape = [n, self.card.preparation.channels, height, width];
        let raw = self.network.forward(Tensor::from_data(TensorData::new(values, shape), &self.device));
        let all = raw.into_data().convert::<f32>().try_into_vec::<f32>().expect("converted to f32 just before");
        all.chunks(self.head.n_outputs()).map(<[f32]>::to_vec).collect()
    }

    fn answer(&self, input: &str, logits: &[f32]) -> Result<Answer> {
        let temperature = self.card.temperature.unwrap_or(1.0);
        let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) / temperature).collect();
        let probabilities = probabilities(self.head, &logits)?;
        let classes = &self.card.classes;
        let predicted = match self.head {
            Head::MultiLabel { .. } => {
                let present = classes.iter().zip(&probabilities).filter(|(_, p)| **p > LABEL_CUT);
                present.map(|(class, _)| class.clone()).collect()
            }
            _ => vec![classes[first_largest(&probabilities)].clone()],
        };
        let decision = self.card.decision.as_ref().filter(|_| probabilities.len() == 2);
        let decision = decision.map(|decision| decide(decision, probabilities[1], classes));
        Ok(Answer { input: input.to_owned(), probabilities, predicted, decision })
    }
}

fn decide(decision: &Decision, positive: f64, classes: &[String]) -> String {
    classes[usize::from(positive >= decision.threshold)].clone()
}

/// The first of equal ones, as everywhere.
fn first_largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, next| if values[next] > values[best] { next } else { best })
}

fn document(student: &Student, device: &str, answers: &[Answer], failures: &[Failure]) -> Value {
    let card = &student.card;
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
        "head": student.head.name(),
        "classes": card.classes,
        "temperature": card.temperature,
        "operating_point": card.decision,
        "answers": answers,
        "failed": failures,
    })
}

fn csv(card: &Card, answers: &[Answer]) -> String {
    let probabilities = card.classes.iter().map(|class| format!("probability_{class}"));
    let decides = card.decision.is_some();
    let header: Vec<String> = std::iter::once("input".to_owned())
        .chain(probabilities)
        .chain(["predicted".to_owned()])
        .chain(decides.then(|| "decision".to_owned()))
        .collect();
    let rows: Vec<Vec<String>> = answers
        .iter()
        .map(|answer| {
            let numbers = answer.probabilities.iter().map(|p| format!("{p:.6}"));
            let decision = decides.then(|| answer.decision.clone().unwrap_or_default());
            std::iter::once(answer.input.clone())
                .chain(numbers)
                .chain([answer.predicted.join("; ")])
                .chain(decision)
                .collect()
        })
        .collect();
    table_csv(&header, &rows)
}

/// Both files or none.
fn write(folder: &Path, csv: &str, document: &Value) -> Result<()> {
    let json = serde_json::to_string_pretty(document)? + "\n";
    let fill = |folder: &Path| -> Result<()> {
        write_atomic(&folder.join("predictions.csv"), csv.as_bytes())?;
        Ok(write_atomic(&folder.join("predictions.json"), json.as_bytes())?)
    };
    // An empty folder that stands there keeps its owner and its rights.
    if folder.is_dir() {
        return fill(folder);
    }
    let staged = StagedFolder::create(folder)?;
    fill(staged.path())?;
    staged.commit()?;
    Ok(())
}

fn summary(card: &Card, answers: &[Answer]) -> String {
    let mut header = vec!["input"];
    header.extend(card.classes.iter().map(String::as_str));
    header.push("predicted");
    if card.decision.is_some() {
        header.push("decision");
    }
    let rows: Vec<Vec<String>> = answers
        .iter()
        .take(SHOWN)
        .map(|answer| {
            let numbers = answer.probabilities.iter().map(|p| format!("{p:.3}"));
            let words = [answer.predicted.join("; ")].into_iter().chain(answer.decision.clone());
            std::iter::once(answer.input.clone()).chain(numbers).chain(words).collect()
        })
        .collect();
    let mut text = columns(&header, &rows);
    if answers.len() > SHOWN {
        text += &format!("\n… {} more", answers.len() - SHOWN);
    }
    let count = |class: &String| answers.iter().filter(|answer| answer.predicted.contains(class)).count();
    let counts: Vec<String> = card.classes.iter().map(|class| format!("{class} {}", count(class))).collect();
    text += &format!("\npredicted: {}", counts.join(", "));
    if let Some(decision) = &card.decision {
        text += &format!(
            "\ndecision: {} from probability {:.3} on ({}; sensitivity {:.3}, specificity {:.3} on validation)",
            card.classes.get(1).map_or("positive", String::as_str),
            decision.threshold,
            decision.rule,
            decision.sensitivity,
            decision.specificity
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_probabilities_is_predicted() {
        assert_eq!(first_largest(&[0.2, 0.4, 0.4]), 1);
        assert_eq!(first_largest(&[1.0]), 0);
    }

    #[test]
    fn a_probability_at_the_operating_point_is_positive() {
        let decision = Decision { rule: "youden".into(), threshold: 0.3, sensitivity: 1.0, specificity: 1.0 };
        let classes = ["normal".to_owned(), "finding".to_owned()];
        assert_eq!(decide(&decision, 0.3, &classes), "finding");
        assert_eq!(decide(&decision, 0.299, &classes), "normal");
    }

    #[test]
    fn two_inputs_of_one_name_are_refused() {
        let inputs = [PathBuf::from("a/scan.png"), PathBuf::from("b/scan.png")];
        let refused = gather(&inputs, &mut Vec::new()).err().unwrap().to_string();
        assert!(refused.contains("`scan.png`"), "{refused}");
    }
}
