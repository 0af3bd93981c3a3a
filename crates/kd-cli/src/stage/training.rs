//! One finished training run on disk, and the way there through checkpoints: shared by teachers and students.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use kd_core::train::{EpochRecord, Fit, Guide, Plan, Stop, fit};
use kd_core::{Network, Objective, State, Task};
use kd_data::store::{CheckpointStore, StagedFolder, write_atomic};
use kd_data::text::{read_bytes, read_text, remove_folder};
use kd_image::SampleSource;
use serde::{Deserialize, Serialize};

use super::{Context, Stopped};
use crate::progress::Progress;
use crate::sink::RunSink;

/// What a finished run's folder says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunFacts {
    pub(crate) schema: u32,
    pub(crate) chosen_epoch: usize,
    pub(crate) steps: usize,
    pub(crate) stopped_early: bool,
    pub(crate) chosen_hash: String,
    pub(crate) last_hash: String,
    pub(crate) history: Vec<EpochRecord>,
}

/// A finished run.
pub(crate) struct FinishedRun {
    pub(crate) id: String,
    pub(crate) facts: RunFacts,
    pub(crate) chosen: State,
    pub(crate) last: State,
}

const SCHEMA: u32 = 1;
const FACTS: &str = "run.json";
const CHOSEN: &str = "chosen.safetensors";
const LAST: &str = "last.safetensors";

/// What to train, and under which name.
pub(crate) struct Job<'a, T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> {
    /// Folder name: a hash of everything that decides the result.
    pub(crate) id: String,
    /// For the progress line.
    pub(crate) title: String,
    pub(crate) task: &'a T,
    pub(crate) objective: &'a Objective<I, O>,
    pub(crate) guide: Guide<'a, I, O>,
    pub(crate) train: &'a dyn SampleSource<D, T::Answer>,
    pub(crate) val: &'a dyn SampleSource<D, T::Answer>,
    pub(crate) plan: &'a Plan,
    pub(crate) initial: Option<&'a State>,
}

/// Opens the run if it is finished, else trains it, from its checkpoint if there is one.
pub(crate) fn run<E, N, T, const D: usize, const I: usize, const O: usize>(
    context: &Context<'_, E>,
    job: &Job<'_, T, D, I, O>,
    network: N,
) -> Result<FinishedRun>
where
    N: Network<I, O>,
    T: Task<D, I, O>,
{
    let folder = context.root.runs().join(&job.id);
    let work = work_folder(context, &job.id);
    if let Some(finished) = open(&folder, &job.id)? {
        // A process that was killed when the folder just had its name has left its checkpoints behind.
        remove_folder(&work)?;
        return Ok(finished);
    }
    let checkpoints = CheckpointStore::new(&work);
    let found = checkpoints.load()?;
    if let Some(found) = &found {
        context.out.note(format!("{}: going on from a checkpoint", job.title));
        if let Some(note) = &found.note {
            context.out.note(format!("{}: {note}", job.title));
        }
    }
    let n_batches = job.train.len().div_ceil(job.plan.batch_size);
    let mut progress = Progress::new(context.out, &job.title, (job.plan.epochs * n_batches) as u64);
    let mut sink = RunSink::new(&mut progress, &checkpoints, Arc::clone(context.stop), context.checkpoint_every);
    let fit_run = Fit {
        task: job.task,
        objective: job.objective,
        guide: job.guide,
        train: job.train,
        val: job.val,
        plan: job.plan,
        device: &context.device.device.clone().autodiff(),
        data: &job.id,
    };
    let resume = found.as_ref().map(|checkpoint| checkpoint.bytes.as_slice());
    let outcome = fit(&fit_run, network, job.initial, resume, &mut sink).with_context(|| match resume {
        None => job.title.clone(),
        Some(_) => format!("{}, from the checkpoint in `runs/{}.work`", job.title, job.id),
    })?;
    if outcome.stop == Stop::Asked {
        bail!(Stopped);
    }
    let facts = RunFacts {
        schema: SCHEMA,
        chosen_epoch: outcome.chosen_epoch,
        steps: outcome.steps,
        stopped_early: outcome.stop == Stop::Early,
        chosen_hash: outcome.chosen.hash(),
        last_hash: outcome.last.hash(),
        history: outcome.history,
    };
    let finished = FinishedRun { id: job.id.clone(), facts, chosen: outcome.chosen, last: outcome.last };
    finished.keep(&folder)?;
    // Only now: until the folder has its name, the checkpoint is all there is.
    remove_folder(&work)?;
    let facts = &finished.facts;
    progress.finish(&format!("epoch {} of {} chosen", facts.chosen_epoch + 1, facts.history.len()));
    Ok(finished)
}

/// Whose numbers a network gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// The one that validation chose.
    Chosen,
    /// The last one.
    Last,
}

impl FinishedRun {
    /// Numbers of an epoch.
    pub(crate) fn state(&self, epoch: Epoch) -> &State {
        match epoch {
            Epoch::Chosen => &self.chosen,
            Epoch::Last => &self.last,
        }
    }

    fn keep(&self, folder: &Path) -> Result<()> {
        let staged = StagedFolder::create(folder)?;
        write_atomic(&staged.path().join(CHOSEN), &self.chosen.to_bytes())?;
        write_atomic(&staged.path().join(LAST), &self.last.to_bytes())?;
        write_atomic(&staged.path().join(FACTS), &serde_json::to_vec_pretty(&self.facts)?)?;
        staged.commit()?;
        Ok(())
    }
}

/// Opens, or takes over, weights that are finished already: a run of no epoch.
pub(crate) fn take_over<E>(context: &Context<'_, E>, id: String, weights: &State) -> Result<FinishedRun> {
    let folder = context.root.runs().join(&id);
    if let Some(finished) = open(&folder, &id)? {
        return Ok(finished);
    }
    let hash = weights.hash();
    let facts = RunFacts {
        schema: SCHEMA,
        chosen_epoch: 0,
        steps: 0,
        stopped_early: false,
        chosen_hash: hash.clone(),
        last_hash: hash,
        history: Vec::new(),
    };
    let finished = FinishedRun { id, facts, chosen: weights.clone(), last: weights.clone() };
    finished.keep(&folder)?;
    Ok(finished)
}

fn work_folder<E>(context: &Context<'_, E>, id: &str) -> PathBuf {
    context.root.runs().join(format!("{id}.work"))
}

/// Whether a checkpoint of this run lies about.
pub(crate) fn is_begun<E>(context: &Context<'_, E>, id: &str) -> bool {
    work_folder(context, id).is_dir()
}

/// Whether the run is finished.
pub(crate) fn is_finished<E>(context: &Context<'_, E>, id: &str) -> bool {
    context.root.runs().join(id).is_dir()
}

fn open(folder: &Path, id: &str) -> Result<Option<FinishedRun>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let facts: RunFacts = serde_json::from_str(&read_text(&folder.join(FACTS))?).context("facts of a finished run")?;
    if facts.schema != SCHEMA {
        bail!("finished run has schema {}, expected {SCHEMA}", facts.schema);
    }
    let state = |name: &str, expected: &str| -> Result<State> {
        let state = State::from_bytes(&read_bytes(&folder.join(name))?)?;
        let found = state.hash();
        if found != expected {
            bail!(
                "`{name}` of run {} has hash {found}, expected {expected}\nhint: the file was changed; delete that run's folder under runs and run again",
                &id[..12]
            );
        }
        Ok(state)
    };
    let chosen = state(CHOSEN, &facts.chosen_hash)?;
    let last = state(LAST, &facts.last_hash)?;
    Ok(Some(FinishedRun { id: id.to_owned(), facts, chosen, last }))
}
