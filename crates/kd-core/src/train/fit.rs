//! A run: what it is made of, and the loop over its epochs.

use burn::tensor::Device;
use kd_image::SampleSource;

use super::learner::Learner;
use super::work::Work;
use super::{Checkpoint, EpochRecord, Event, Guide, Plan, Sink, TrainError, Views};
use crate::state::hash_texts;
use crate::{Adaptors, Network, Objective, State, Task, TermKind, Watch, initialize, peer_seed};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All epochs are done.
    Done,
    /// The validation measure stopped improving.
    Early,
    /// Somebody asked; a checkpoint holds the rest.
    Asked,
}

/// What a run gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub stop: Stop,
    /// Numbers of the epoch that validation chose.
    pub chosen: State,
    /// Numbers of the last epoch.
    pub last: State,
    /// The chosen epoch, from 0.
    pub chosen_epoch: usize,
    /// All epochs.
    pub history: Vec<EpochRecord>,
    /// Optimiser steps taken.
    pub steps: usize,
}

/// Everything that a run is made of.
pub struct Fit<'a, T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> {
    /// The task.
    pub task: &'a T,
    /// What is minimised.
    pub objective: &'a Objective<I, O>,
    /// Whom distillation terms look at, if anybody.
    pub guide: Guide<'a, I, O>,
    /// What is learned from.
    pub train: &'a dyn SampleSource<D, T::Answer>,
    /// What chooses the epoch.
    pub val: &'a dyn SampleSource<D, T::Answer>,
    /// How.
    pub plan: &'a Plan,
    /// The device, plain; the student learns on its autodiff form.
    pub device: &'a Device,
    /// Hash of the data and its preparation: a checkpoint of other data is refused.
    pub data: &'a str,
}

/// Trains a network.
///
/// `student` gives the layout, and with `initial` the numbers to start from; without, they are drawn from the plan's
/// seed. `resume` is a checkpoint of the same run.
///
/// # Policy
/// - Batches: [`batches`](super::batches) of the epoch's order; gradients of `accumulation` batches are averaged per step.
/// - Gradients of all parameters are clipped together.
/// - The epoch with the best validation measure is chosen; of equal ones the first.
/// - A teacher is checked to be the same before and after.
/// - A distillation term whose gradient is zero for a whole epoch in which it has its full weight ends the run.
///
/// # Errors
/// [`TrainError`] says which part failed, and where.
pub fn fit<N, T, const D: usize, const I: usize, const O: usize>(
    run: &Fit<'_, T, D, I, O>,
    student: N,
    initial: Option<&State>,
    resume: Option<&[u8]>,
    sink: &mut dyn Sink,
) -> Result<Outcome, TrainError>
where
    N: Network<I, O>,
    T: Task<D, I, O>,
{
    run.check()?;
    let learner = |network: N, seed: u64| -> Result<Learner<N>, TrainError> {
        let adaptors = run.adaptors(&network, seed)?;
        Ok(Learner::new(network, adaptors, &run.plan.optimizer))
    };
    let mut learners = Vec::with_capacity(2);
    let seed = run.plan.seed;
    // A copy would share the statistics of batch normalisation; the plain form has its own.
    let peer = matches!(run.guide, Guide::Peer).then(|| initialize(student.valid(), peer_seed(seed)));
    let student = match initial {
        Some(state) => state.load_into(student)?,
        None => initialize(student, seed),
    };
    learners.push(learner(student, seed)?);
    learners.extend(peer.map(|peer| learner(peer, peer_seed(seed))).transpose()?);
    let mut work = Work::start(run, learners, initial);
    if let Some(bytes) = resume {
        work.restore(Checkpoint::from_bytes(bytes)?)?;
    }
    let n_batches = run.n_batches();
    sink.event(Event::Started {
        epochs: run.plan.epochs,
        batches: n_batches,
        at: (work.progress.epoch, work.progress.batch),
    });
    let mut stop = Stop::Done;
    while work.progress.epoch < run.plan.epochs {
        if work.stopped_early() {
            stop = Stop::Early;
            break;
        }
        if !work.epoch(sink)? {
            return Ok(work.outcome(Stop::Asked));
        }
        work.finish_epoch(sink)?;
        sink.checkpoint(&work.checkpoint().to_bytes()).map_err(TrainError::Sink)?;
    }
    if let Guide::Teacher(teacher) = run.guide {
        teacher.verify_frozen()?;
    }
    if work.progress.best.is_none() {
        return Err(TrainError::NeverDefined { select: run.plan.select.clone() });
    }
    Ok(work.outcome(stop))
}

impl<T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> Fit<'_, T, D, I, O> {
    fn check(&self) -> Result<(), TrainError> {
        self.plan.check()?;
        self.objective.check_epochs(self.plan.epochs)?;
        for (split, is_empty) in [("train", self.train.is_empty()), ("val", self.val.is_empty())] {
            if is_empty {
                return Err(TrainError::Empty { split });
            }
        }
        let distills = self.objective.terms().iter().find(|term| term.distills());
        match (distills, self.guide) {
            (Some(term), Guide::Nobody) => Err(TrainError::NoTeacher { term: term.name.clone() }),
            (Some(_), Guide::Teacher(teacher)) if self.plan.views == Views::Fresh && !teacher.answers_fresh_views() => {
                Err(TrainError::FreshViews)
            }
            (Some(term), Guide::Average) if self.plan.ema.is_none() => {
                Err(TrainError::NoAverage { term: term.name.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Names of the taps that are watched of a learner, and of whoever guides.
    pub(super) fn taps(&self) -> (Vec<String>, Vec<String>) {
        let (mut of_learner, of_guide) = self.objective.taps();
        if self.guide.has_the_students_taps() {
            of_learner.extend_from_slice(&of_guide);
        }
        (of_learner, of_guide)
    }

    /// What terms learn beside a network: adaptors for the taps of both networks and heads of exits as the first sample
    /// shows them, and temperatures.
    fn adaptors<N: Network<I, O>>(&self, student: &N, seed: u64) -> Result<Adaptors, TrainError> {
        let (student_taps, teacher_taps) = self.taps();
        let plain = self.device.clone().inner();
        let device = plain.clone().autodiff();
        let with_temperatures = |adaptors| self.objective.with_temperatures(adaptors, &device);
        if student_taps.is_empty() {
            return Ok(with_temperatures(Adaptors::default()));
        }
        let view = self.plan.views.at(0);
        let batch = self.task.batch(vec![self.train.read_view(0, view)?], Some(view), &plain)?;
        let mut of_student = Watch::of(&student_taps);
        let answer = student.valid().forward_watched(batch.input.clone(), &mut of_student);
        let of_teacher = match self.guide {
            Guide::Teacher(teacher) if !teacher_taps.is_empty() => {
                let mut of_teacher = Watch::of(&teacher_taps);
                teacher.answer_watched(&batch.input, &batch.ids, view, &mut of_teacher)?;
                of_teacher.taps()
            }
            _ => of_student.taps(),
        };
        let adaptors = self.objective.adaptors(&of_student.taps(), &of_teacher, &answer.dims(), &device)?;
        // Temperatures have a start of their own; adaptors are drawn.
        Ok(with_temperatures(initialize(adaptors, seed)))
    }

    pub(super) fn n_batches(&self) -> usize {
        self.train.len().div_ceil(self.plan.batch_size)
    }

    /// A hash of everything that decides the result.
    pub(super) fn identity(&self, initial: Option<&State>) -> String {
        let terms = self.objective.terms().iter().map(|term| {
            let kind = match &term.kind {
                TermKind::Task { smoothing } => format!("task {smoothing}"),
                TermKind::Distill(loss) => format!("{loss:?}"),
                TermKind::Feature(term) => format!("{term:?}"),
                TermKind::Truth(loss) => format!("truth {loss:?}"),
            };
            let exit = term.exit.as_ref().map_or_else(String::new, |tap| format!(" exit at {tap}"));
            format!("{} {} {:?} {kind}{exit}", term.name, term.weight, term.ramp)
        });
        let facts = [
            format!("{:?}", self.plan),
            self.data.to_owned(),
            self.guide.identity(),
            initial.map_or_else(String::new, State::hash),
            self.train.len().to_string(),
        ];
        hash_texts(facts.into_iter().chain(terms))
    }
}
