//! `kd run` and its stages: one road, walked whole or up to a point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use kd_data::catalog;
use kd_data::{Manifest, Root};

use crate::args::{LabelArgs, RunArgs, Stage};
use crate::dense::enhance::{self, Enhance};
use crate::dense::segment::{self, Segment};
use crate::dense::{self, DenseExperiment, DensePrepared, DenseRoad, DenseTask};
use crate::device;
use crate::output::{Output, UsageError, usage};
use crate::recipe::{self, AnySource, Arm, Experiment};
use crate::stage::dry_run::Forecast;
use crate::stage::given::AnswerFiles;
use crate::stage::learned::Learned;
use crate::stage::{Context, dry_run, road};

/// Where a walk ends.
pub(super) enum Goal<'a> {
    Stage(Stage, AnswerFiles<'a>),
    /// The runs of some arms, judged on the validation split alone.
    Learn(&'a dyn Fn(&Arm) -> bool),
}

/// Walks an experiment up to `stage`.
pub(crate) fn run(args: &RunArgs, stage: Stage, root: &Root, out: &Output) -> Result<bool> {
    walk(args, &[], &Goal::Stage(stage, AnswerFiles::default()), root, out, &watch()?)?;
    Ok(true)
}

/// Walks an experiment up to its soft labels, or stores somebody else's for it.
pub(crate) fn label(args: &LabelArgs, root: &Root, out: &Output) -> Result<bool> {
    if let Some(to) = args.to.as_ref().filter(|to| to.exists()) {
        bail!("`{}` is there already, expected a new file for the answers\nhint: choose another --to", to.display());
    }
    let files = AnswerFiles { from: args.from.as_deref(), to: args.to.as_deref() };
    walk(&args.run, &[], &Goal::Stage(Stage::Label, files), root, out, &watch()?)?;
    Ok(true)
}

/// Walks an experiment with some more keys changed; gives what was learned where that was the goal.
pub(super) fn walk(
    args: &RunArgs,
    set: &[String],
    goal: &Goal<'_>,
    root: &Root,
    out: &Output,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<Learned>> {
    let set: Vec<String> = args.set.iter().chain(set).cloned().collect();
    match recipe::load(&args.recipe, &set)? {
        AnySource::Classify(source) => {
            let manifest = catalog::resolve(root, &source.recipe.data.name)?;
            let experiment = Experiment::new(&source, &manifest).map_err(usage)?;
            let walk = Walk { args, goal, root, out, stop, manifest: &manifest };
            walk.with(&experiment, &experiment.recipe.student.seeds, |context| {
                experiment.check_taps(&context.device.device).map_err(usage)?;
                match goal {
                    Goal::Learn(only) => road::learn_arms(context, only),
                    Goal::Stage(..) if args.dry_run => {
                        show(&dry_run::run(context)?, &experiment.recipe.title, out);
                        Ok(Vec::new())
                    }
                    Goal::Stage(stage, files) => road::walk(context, *stage, *files).map(|()| Vec::new()),
                }
            })
        }
        AnySource::Segment(source) => {
            let manifest = catalog::resolve(root, &source.recipe.data.name)?;
            let walk = Walk { args, goal, root, out, stop, manifest: &manifest };
            match source.recipe.data.size.len() {
                2 => walk.dense::<Segment<2>, 2, 4>(
                    &segment::experiment(&source, &manifest).map_err(usage)?,
                    segment::prepare,
                ),
                3 => walk.dense::<Segment<3>, 3, 5>(
                    &segment::experiment(&source, &manifest).map_err(usage)?,
                    segment::prepare,
                ),
                _ => Err(UsageError::new(format!(
                    "`data.size` is {:?}, expected [height, width] or [depth, height, width]",
                    source.recipe.data.size
                ))
                .into()),
            }
        }
        AnySource::Enhance(source) => {
            let manifest = catalog::resolve(root, &source.recipe.data.name)?;
            let walk = Walk { args, goal, root, out, stop, manifest: &manifest };
            let experiment = enhance::experiment(&source, &manifest).map_err(usage)?;
            walk.dense::<Enhance, 2, 4>(&experiment, enhance::prepare)
        }
    }
}

/// What every walk is given.
struct Walk<'a> {
    args: &'a RunArgs,
    goal: &'a Goal<'a>,
    root: &'a Root,
    out: &'a Output,
    stop: &'a Arc<AtomicBool>,
    manifest: &'a Manifest,
}

impl Walk<'_> {
    /// Sets the stage for an experiment of any task.
    fn with<E>(
        &self,
        experiment: &E,
        own_seeds: &[u64],
        work: impl FnOnce(&Context<'_, E>) -> Result<Vec<Learned>>,
    ) -> Result<Vec<Learned>> {
        let device = device::resolve(&self.args.device)?;
        let seeds = self.args.seeds.clone().unwrap_or_else(|| own_seeds.to_vec());
        if seeds.is_empty() {
            return Err(
                UsageError::new("no seed to train students with, expected at least one\nhint: --seeds 0..3").into()
            );
        }
        let command = std::env::args().collect::<Vec<_>>();
        let context = Context {
            root: self.root,
            out: self.out,
            device: &device,
            experiment,
            manifest: self.manifest,
            seeds: &seeds,
            command: &command_line(&command),
            stop: self.stop,
            checkpoint_every: Duration::from_secs(self.args.checkpoint_seconds),
            times: std::cell::RefCell::default(),
        };
        if self.args.resume && !self.args.dry_run {
            demand_begun(&context)?;
        }
        work(&context)
    }

    /// An experiment of a task with an answer for each point.
    fn dense<T: DenseTask<D, I>, const D: usize, const I: usize>(
        &self,
        experiment: &DenseExperiment<T, T::Spec, T::Design>,
        prepare: impl Fn(&Context<'_, DenseExperiment<T, T::Spec, T::Design>>) -> Result<DensePrepared<T::Cases>>,
    ) -> Result<Vec<Learned>> {
        experiment.check_arms::<D, I>().map_err(usage)?;
        self.with(experiment, &experiment.seeds, |context| {
            experiment.check_taps::<D, I>(&context.device.device).map_err(usage)?;
            let road = DenseRoad { context, prepare: || prepare(context) };
            match self.goal {
                Goal::Learn(only) => return road::learn_arms(&road, only),
                Goal::Stage(..) if self.args.dry_run => {
                    let forecast = dense::dry_run::run::<T, D, I>(context, &prepare(context)?)?;
                    show(&forecast, &experiment.title, self.out);
                }
                Goal::Stage(stage, files) => road::walk(&road, *stage, *files)?,
            }
            Ok(Vec::new())
        })
    }
}

/// The command as it was given, without the path of the program.
fn command_line(arguments: &[String]) -> String {
    let program = arguments.first().map_or("kd", |path| path.rsplit(['/', '\\']).next().unwrap_or("kd"));
    std::iter::once(program).chain(arguments.iter().skip(1).map(String::as_str)).collect::<Vec<_>>().join(" ")
}

/// Listens for Ctrl-C; once in a process.
pub(super) fn watch() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let pressed = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // The second press ends at once: whatever is on disk is whole.
        if pressed.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    Ok(stop)
}

/// `--resume` is a promise that there is something to go on from.
fn demand_begun<E>(context: &Context<'_, E>) -> Result<()> {
    let runs = kd_data::text::folder_names(&context.root.runs())?;
    if runs.is_empty() {
        return Err(UsageError::new(
            "--resume was given, but nothing has been trained under this root, expected a finished or interrupted run\nhint: leave --resume out, or name the root with --root",
        )
        .into());
    }
    Ok(())
}

fn show(forecast: &Forecast, title: &str, out: &Output) {
    if out.is_json() {
        let _ = out.json(forecast);
        return;
    }
    let mut text = format!("{title}\n\n");
    text += &format!("{:<44} {:>9} {:>7} {:>9} {:>9}\n", "step", "state", "steps", "TFLOP", "time");
    for step in &forecast.steps {
        text += &format!(
            "{:<44} {:>9} {:>7} {:>9.2} {:>9}\n",
            step.name,
            step.state,
            step.optimizer_steps,
            step.tflop,
            duration(step.seconds)
        );
    }
    let memory = forecast.peak_memory_bytes.map_or_else(|| "unknown".into(), |bytes| format!("{} MiB", bytes >> 20));
    text += &format!(
        "\nin all {:.2} TFLOP, about {} left to do, {} MiB of disk, peak memory about {memory}\n",
        forecast.tflop,
        duration(forecast.seconds),
        (forecast.disk_bytes >> 20) + 1,
    );
    text += "times come from one measured step of each network on this machine; nothing was trained";
    out.data(text);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a plan")]
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
