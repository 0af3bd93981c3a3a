//! Report: the record and its pages, the finished student's package, and what it all took.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use burn::tensor::Tensor;
use kd_classify::{Classifier, NetworkSpec};
use kd_core::{Network, State};
use kd_data::format::{gray8_png, rgb8_png};
use kd_data::store::{StagedFolder, write_atomic};
use kd_image::{SampleSource, Split, Target};
use kd_report::{ErrorImage, TIMING_SCHEMA, Timing, html, json, markdown};

use super::evidence;
use super::label::{label, teach};
use super::learn;
use super::members::Members;
use super::prepare::{self, Prepared};
use super::record::{self, Evidence, Measured, StudentEvidence};
use super::score::{self, Scored, Truth};
use super::taught::Taught;
use super::training::Epoch;
use super::{Context, identity, sureness};
use crate::host;
use crate::package::{Card, Decision, Package, Provenance, SCHEMA};

/// Forward passes of one image for a latency figure, after a warm-up.
const LATENCY_RUNS: usize = 40;
/// Confident errors shown on the page.
const ERRORS_SHOWN: usize = 10;

/// Where an experiment's results lie, and its summary for the terminal.
pub(crate) struct Reported {
    pub(crate) folder: PathBuf,
    pub(crate) summary: String,
    pub(crate) record: String,
}

/// Runs whatever is not finished yet, and reports.
pub(crate) fn run(context: &Context<'_>) -> Result<Reported> {
    let start = Instant::now();
    let experiment = context.experiment;
    let prepared = context.timed("prepare", || prepare::run(context))?;
    let truth = Truth::of(&prepared);
    let teacher = context.timed("teach", || teach(context, &prepared))?;
    let soft = context.timed("label", || label(context, &prepared, &teacher))?;
    let runs = context.timed("learn", || {
        let of_student = |student| {
            let arms = experiment.arms.iter();
            arms.map(|arm| learn::run(context, &prepared, &teacher, &soft, student, arm)).collect::<Result<Vec<_>>>()
        };
        experiment.students.iter().map(of_student).collect::<Result<Vec<_>>>()
    })?;
    let evidence = context.timed("score", || {
        let scored = score::together(context, &prepared, &truth, &teacher.members)?;
        let mut students = Vec::new();
        for (student, arms) in experiment.students.iter().zip(runs) {
            let measured = measure(context, &student.spec, &arms[0].runs[0].chosen)?;
            let arms = arms.into_iter().map(|arm| {
                let scored = arm.runs.iter().map(|run| score::run(context, &prepared, &truth, &student.spec, run));
                let scored = scored.collect::<Result<Vec<_>>>()?;
                Ok((arm, scored))
            });
            students.push(StudentEvidence { measured, arms: arms.collect::<Result<Vec<_>>>()? });
        }
        Ok(Evidence {
            teacher: vec![scored],
            teacher_measured: measure_teacher(context, &teacher.members)?,
            teacher_hash_after: teacher.live.hash_now(),
            soft_labels: sureness::facts(context, &teacher, &soft)?,
            students,
        })
    })?;
    teacher.live.verify_frozen()?;
    let folder = context.timed("report", || write(context, &prepared, &truth, &teacher, &evidence, start))?;
    let text = kd_data::text::read_text(&folder.join("record.json"))?;
    let record = json::read_record(&text)?;
    Ok(Reported { folder, summary: kd_report::table::terminal(&record), record: text })
}

/// Latency of one image, and the size of the weights as a file.
fn measure(context: &Context<'_>, spec: &NetworkSpec, state: &State) -> Result<Measured> {
    let network: Classifier = state.load_into(spec.init(&context.device.device))?;
    Ok(latency(context, &network, state.to_bytes().len()))
}

/// The same of the teacher's members as one.
fn measure_teacher(context: &Context<'_>, members: &Members) -> Result<Measured> {
    Ok(latency(context, &score::committee(context, members, Epoch::Chosen)?, members.file_bytes()))
}

fn latency(context: &Context<'_>, network: &impl Network<4, 2>, bytes: usize) -> Measured {
    let device = &context.device.device;
    let [height, width] = context.experiment.prepare.size;
    let input = Tensor::<4>::zeros([1, context.experiment.prepare.channels, height, width], device);
    Measured::of(network, &input, bytes, (LATENCY_RUNS, 5))
}

fn write(
    context: &Context<'_>,
    prepared: &Prepared,
    truth: &Truth,
    teacher: &Taught<4, 2>,
    evidence: &Evidence,
    start: Instant,
) -> Result<PathBuf> {
    let experiment = context.experiment;
    let runs: Vec<&str> = evidence
        .students
        .iter()
        .flat_map(|student| student.arms.iter().flat_map(|(arm, _)| arm.runs.iter().map(|run| run.id.as_str())))
        .collect();
    let version = (host::revision(), host::dirty());
    let id = identity("report", &(&experiment.text, &teacher.members.id()?, &runs, version, &context.device.name))?;
    let folder = context.root.reports().join(format!("{}-{}", experiment.name, &id[..12]));
    if folder.is_dir() {
        return Ok(folder);
    }
    let record = record::assemble(context, prepared, truth, teacher, evidence)?;
    let timing = Timing {
        schema: TIMING_SCHEMA,
        total_seconds: start.elapsed().as_secs_f64(),
        threads: u32::try_from(std::thread::available_parallelism().map_or(1, usize::from))?,
        peak_memory_bytes: host::peak_memory_bytes(),
        stages: context.times.borrow().clone(),
        arms: Vec::new(),
    };
    let errors = confident_errors(context, prepared, truth, evidence)?;
    let staged = StagedFolder::create(&folder)?;
    let files = [
        ("report.html", html::report(&record, &timing, &errors, &[])),
        ("report.md", markdown::report(&record)),
        ("record.json", json::write_record(&record)?),
        ("arms.csv", kd_report::csv::arms(&record)),
        ("curves.csv", kd_report::csv::curves(&record)),
        ("timing.json", json::write_timing(&timing)?),
    ];
    for (name, text) in files {
        write_atomic(&staged.path().join(name), text.as_bytes())?;
    }
    let package = package(context, prepared, truth, teacher, evidence)?;
    package.write(&staged.path().join(format!("{}.kdp", package.card.name)))?;
    staged.commit()?;
    Ok(folder)
}

/// The student that the recipe names, of the seed with the best validation score.
fn package(
    context: &Context<'_>,
    prepared: &Prepared,
    truth: &Truth,
    teacher: &Taught<4, 2>,
    evidence: &Evidence,
) -> Result<Package> {
    let experiment = context.experiment;
    let wanted = &experiment.recipe.score.package;
    let place = experiment.students.iter().position(|student| student.name == wanted.student);
    let arm_place = experiment.arms.iter().position(|arm| arm.name == wanted.arm);
    let (place, arm_place) = place.zip(arm_place).context("the recipe's package names a student and an arm")?;
    let (student, (arm, scored)) = (&experiment.students[place], &evidence.students[place].arms[arm_place]);
    let sign = if experiment.primary.higher_is_better() { 1.0 } else { -1.0 };
    let best = (0..scored.len())
        .max_by(|&a, &b| {
            let value =
                |seed: usize| scored[seed].val.value(experiment.primary, None).map_or(f64::MIN, |value| sign * value);
            // Of equal seeds the first.
            value(a).total_cmp(&value(b)).then(b.cmp(&a))
        })
        .context("an arm has at least one seed")?;
    let (run, scored) = (&arm.runs[best], &scored[best]);
    let temperature = evidence::temperature(experiment.head, &scored.answers.val, &truth.val).ok();
    // The threshold is one on the probabilities that the package gives: those after temperature scaling.
    let val = &scored.answers.val;
    let judged = evidence::cooled(experiment.head, experiment.n_classes, val, &truth.val, temperature.unwrap_or(1.0))?;
    let decision = match (evidence::decide(experiment, &judged), &experiment.recipe.score.operating_point) {
        (Some(Ok(chosen)), Some(table)) => Some(Decision {
            rule: evidence::rule(table),
            threshold: chosen.cut.threshold(),
            sensitivity: chosen.sensitivity,
            specificity: chosen.specificity,
        }),
        _ => None,
    };
    let manifest = context.manifest;
    Ok(Package {
        card: Card {
            schema: SCHEMA,
            name: format!("{}_{}_{}", manifest.name, student.name, wanted.arm),
            network: student.spec.design().clone(),
            head: experiment.recipe.data.head,
            classes: manifest.classes.clone(),
            preparation: prepared.store.plan().clone(),
            temperature,
            decision,
            parameters: student.cost.parameters,
            multiply_adds: student.cost.multiply_adds,
            intended_use: wanted.intended_use.clone(),
            provenance: Provenance {
                recipe: experiment.name.clone(),
                recipe_toml: experiment.text.clone(),
                arm: wanted.arm.clone(),
                seed: context.seeds[best],
                chosen_epoch: run.facts.chosen_epoch,
                dataset: manifest.name.to_string(),
                dataset_license: manifest.license.spdx.clone(),
                dataset_citation: manifest.citation.text.clone(),
                preparation_hash: prepared.store.identity().to_owned(),
                teacher: experiment.teacher.name.clone(),
                teacher_hash: teacher.hash.clone(),
                weights_hash: run.facts.chosen_hash.clone(),
                revision: host::revision().into(),
                program: format!("kd {}", env!("CARGO_PKG_VERSION")),
            },
        },
        weights: run.chosen.clone(),
    })
}

/// The most confident wrong answers of the packed student's arm on the test split, as pictures without names.
fn confident_errors(
    context: &Context<'_>,
    prepared: &Prepared,
    truth: &Truth,
    evidence: &Evidence,
) -> Result<Vec<ErrorImage>> {
    let experiment = context.experiment;
    let wanted = &experiment.recipe.score.package;
    let student = experiment.students.iter().position(|student| student.name == wanted.student);
    let arm = experiment.arms.iter().position(|arm| arm.name == wanted.arm);
    let Some((student, arm)) = student.zip(arm) else { return Ok(Vec::new()) };
    let Some(scored) = evidence.students[student].arms[arm].1.first() else { return Ok(Vec::new()) };
    let source = prepared.split(Split::Test);
    let mut errors: Vec<(usize, usize, usize, f64)> = named(scored)
        .into_iter()
        .enumerate()
        .filter_map(|(index, (predicted, confidence))| match truth.test[index] {
            Target::Class(class) if usize::from(class) != predicted => {
                Some((index, usize::from(class), predicted, confidence))
            }
            _ => None,
        })
        .collect();
    errors.sort_by(|a, b| b.3.total_cmp(&a.3).then(a.0.cmp(&b.0)));
    let classes = &context.manifest.classes;
    errors
        .into_iter()
        .take(ERRORS_SHOWN)
        .enumerate()
        .map(|(number, (index, class, predicted, confidence))| {
            let png = picture(&source.read(index)?.image)?;
            Ok(ErrorImage {
                number: u32::try_from(number + 1)?,
                student: wanted.student.clone(),
                arm: wanted.arm.clone(),
                truth: classes[class].clone(),
                predicted: classes[predicted].clone(),
                confidence,
                png_base64: ErrorImage::encode(&png),
            })
        })
        .collect()
}

/// The named class of every sample and its probability; nothing for several labels.
fn named(scored: &Scored) -> Vec<(usize, f64)> {
    match scored.test.predictions() {
        kd_metrics::Predictions::Binary(binary) => binary
            .positive()
            .iter()
            .map(|&positive| if positive > 0.5 { (1, positive) } else { (0, 1.0 - positive) })
            .collect(),
        kd_metrics::Predictions::Multiclass(classes) => {
            classes.predicted().into_iter().zip(classes.rows()).map(|(class, row)| (class, row[class])).collect()
        }
        kd_metrics::Predictions::MultiLabel(_) => Vec::new(),
    }
}

/// A prepared image as PNG, stretched from its smallest to its largest value.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..255 first")]
fn picture(image: &kd_image::Image<2>) -> Result<Vec<u8>> {
    let values = image.values();
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
    let byte = |value: f32| ((value - low) * scale).round().clamp(0.0, 255.0) as u8;
    let shape = image.geometry().shape();
    if image.channels() == 3 {
        let points = image.geometry().n_points();
        let pixels: Vec<u8> =
            (0..points).flat_map(|point| (0..3).map(move |c| byte(image.channel(c)[point]))).collect();
        return Ok(rgb8_png(shape, &pixels)?);
    }
    let pixels: Vec<u8> = image.channel(0).iter().map(|&value| byte(value)).collect();
    Ok(gray8_png(shape, &pixels)?)
}
