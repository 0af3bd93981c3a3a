//! The loop.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use kd_image::SampleSource;

use super::checkpoint::Progress;
use super::optimizer::{GradientSum, Optimizer};
use super::{
    Checkpoint, CheckpointError, EpochRecord, Event, Measure, Plan, Sink, TermRecord, TrainError, Views, average,
    batches, epoch_order,
};
use crate::state::{hash_texts, host_values};
use crate::{Network, Objective, State, Task, Teacher, TermKind, Values, initialize};

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
    pub objective: &'a Objective<O>,
    /// Who teaches, if anybody.
    pub teacher: Option<&'a dyn Teacher<I, O>>,
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
/// - Batches: [`batches`] of the epoch's order; gradients of `accumulation` batches are averaged per step.
/// - Gradients of all parameters are clipped together.
/// - The epoch with the best validation measure is chosen; of equal ones the first.
/// - A teacher is checked to be the same before and after.
/// - A distillation term whose gradient is zero for a whole epoch outside its ramp ends the run.
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
    let student = match initial {
        Some(state) => state.load_into(student)?,
        None => initialize(student, run.plan.seed),
    };
    let mut work = Work::start(run, student.train(), initial);
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
    if let Some(teacher) = run.teacher {
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
        for (split, is_empty) in [("train", self.train.is_empty()), ("val", self.val.is_empty())] {
            if is_empty {
                return Err(TrainError::Empty { split });
            }
        }
        let distills = self.objective.terms().iter().find(|term| matches!(term.kind, TermKind::Distill(_)));
        match (distills, self.teacher) {
            (Some(term), None) => Err(TrainError::NoTeacher { term: term.name.clone() }),
            (Some(_), Some(teacher)) if self.plan.views == Views::Fresh && !teacher.answers_fresh_views() => {
                Err(TrainError::FreshViews)
            }
            _ => Ok(()),
        }
    }

    fn n_batches(&self) -> usize {
        self.train.len().div_ceil(self.plan.batch_size)
    }

    /// A hash of everything that decides the result.
    fn identity(&self, initial: Option<&State>) -> String {
        let terms = self.objective.terms().iter().map(|term| {
            let kind = match &term.kind {
                TermKind::Task { smoothing } => format!("task {smoothing}"),
                TermKind::Distill(loss) => format!("{loss:?}"),
                TermKind::Truth(loss) => format!("truth {loss:?}"),
            };
            format!("{} {} {:?} {kind}", term.name, term.weight, term.ramp)
        });
        let facts = [
            format!("{:?}", self.plan),
            self.data.to_owned(),
            self.teacher.map_or_else(String::new, |teacher| teacher.hash().to_owned()),
            initial.map_or_else(String::new, State::hash),
            self.train.len().to_string(),
        ];
        hash_texts(facts.into_iter().chain(terms))
    }
}

/// A run in the making.
struct Work<'a, N, T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> {
    run: &'a Fit<'a, T, D, I, O>,
    plain: Device,
    student: N,
    optimizer: Optimizer,
    average: BTreeMap<String, Values>,
    best: BTreeMap<String, Values>,
    progress: Progress,
}

impl<'a, N, T, const D: usize, const I: usize, const O: usize> Work<'a, N, T, D, I, O>
where
    N: Network<I, O>,
    T: Task<D, I, O>,
{
    fn start(run: &'a Fit<'a, T, D, I, O>, student: N, initial: Option<&State>) -> Self {
        Self {
            run,
            plain: run.device.clone().inner(),
            student,
            optimizer: Optimizer::new(run.plan.optimizer.clone()),
            average: BTreeMap::new(),
            best: BTreeMap::new(),
            progress: Progress::start(run.identity(initial), run.objective.terms().len()),
        }
    }

    fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        if checkpoint.progress.run != self.progress.run {
            return Err(CheckpointError::OtherRun {
                what: "the hash of plan, objective, data and teacher",
                expected: self.progress.run.clone(),
                found: checkpoint.progress.run,
            }
            .into());
        }
        self.student = checkpoint.model.load_into(self.student.clone())?;
        self.optimizer.restore(checkpoint.optimizer, checkpoint.progress.step, &self.plain);
        self.average = checkpoint.average;
        self.best = checkpoint.best;
        self.progress = checkpoint.progress;
        Ok(())
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            progress: self.progress.clone(),
            model: State::of(&self.student),
            optimizer: self.optimizer.memory(),
            average: self.average.clone(),
            best: self.best.clone(),
        }
    }

    fn stopped_early(&self) -> bool {
        self.run.plan.early_stop.is_some_and(|stop| self.progress.epochs_since_best >= stop.patience)
    }

    /// Learns the rest of the current epoch; false when somebody asked to stop.
    fn epoch(&mut self, sink: &mut dyn Sink) -> Result<bool, TrainError> {
        let plan = self.run.plan;
        let epoch = self.progress.epoch;
        let order = epoch_order(plan.seed, epoch, self.run.train.len());
        let cut = batches(&order, plan.batch_size);
        let mut sum = GradientSum::default();
        let mut in_sum = 0usize;
        for (position, indices) in cut.iter().enumerate().skip(self.progress.batch) {
            // Batches of one step share its mean; the last step of an epoch may have fewer.
            let step_starts = position - position % plan.accumulation;
            let in_step = plan.accumulation.min(cut.len() - step_starts);
            let loss = self.batch(indices, position, in_step, &mut sum)?;
            in_sum += 1;
            if in_sum < in_step {
                continue;
            }
            sum.clip(plan.clip_norm);
            let rate = plan.schedule.at(self.progress.step, plan.epochs * cut.len().div_ceil(plan.accumulation));
            self.student = self.optimizer.step(self.student.clone(), std::mem::take(&mut sum), rate);
            in_sum = 0;
            self.progress.step += 1;
            self.progress.learning_rate = rate;
            self.progress.batch = position + 1;
            if let Some(decay) = plan.ema {
                average::follow(&mut self.average, &State::of(&self.student), decay, self.progress.step);
            }
            sink.event(Event::Batch { epoch, done: position + 1, of: cut.len(), loss });
            let asked = sink.stop_requested();
            if asked || sink.checkpoint_due() {
                sink.checkpoint(&self.checkpoint().to_bytes()).map_err(TrainError::Sink)?;
            }
            if asked {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds one batch's gradients to `sum`; gives the weighted loss.
    fn batch(
        &mut self,
        indices: &[usize],
        position: usize,
        in_step: usize,
        sum: &mut GradientSum,
    ) -> Result<f64, TrainError> {
        let run = self.run;
        let epoch = self.progress.epoch;
        let view = run.plan.views.at(epoch);
        let samples = indices.iter().map(|&index| run.train.read_view(index, view)).collect::<Result<Vec<_>, _>>()?;
        let batch = run.task.batch(samples, Some(view), &self.plain)?;
        let answer = match run.teacher.filter(|_| run.objective.needs_teacher()) {
            Some(teacher) => Some(teacher.answer(&batch.input, &batch.ids, view)?),
            None => None,
        };
        if let Some(term) = run.objective.needs_truth()
            && run.task.truth(&batch.target).is_none()
        {
            return Err(TrainError::NoTruth { term: term.name.clone() });
        }
        let raw = self.student.forward(Tensor::from_inner(batch.input));
        if let Some(answer) = &answer {
            run.objective.check_answers(&raw.dims(), &answer.dims())?;
        }
        self.measure_gradients(&raw, &batch.target, answer.as_ref(), position);
        let parts = run.objective.evaluate(run.task, &raw, &batch.target, answer.as_ref(), epoch);
        let values: Vec<f64> = parts.values.iter().map(scalar).collect();
        let loss = scalar(&parts.total);
        if !loss.is_finite() {
            let terms = run.objective.terms().iter().zip(&values);
            let terms = terms.map(|(term, value)| format!("{} {value}", term.name)).collect::<Vec<_>>().join(", ");
            return Err(TrainError::Diverged { found: loss, epoch: epoch + 1, batch: position + 1, terms });
        }
        #[expect(clippy::cast_precision_loss, reason = "batches are small")]
        let (n, in_step) = (indices.len() as f64, in_step as f64);
        for (total, value) in self.progress.term_sums.iter_mut().zip(values) {
            *total += value * n;
        }
        self.progress.n_samples += indices.len();
        let gradients = parts.total.div_scalar(in_step).backward();
        sum.add(&self.student, &gradients);
        Ok(loss)
    }

    /// Looks at the terms' gradients on the first batch of an epoch, and on later ones while a term has shown none.
    fn measure_gradients(&mut self, raw: &Tensor<O>, target: &T::Target, answer: Option<&Tensor<O>>, position: usize) {
        let seen = &mut self.progress.gradient_norms;
        if position > 0 && seen.iter().all(|&norm| norm > 0.0) {
            return;
        }
        let norms = self.run.objective.gradient_norms(self.run.task, raw, target, answer, self.progress.epoch);
        for (seen, norm) in seen.iter_mut().zip(norms) {
            if *seen <= 0.0 {
                *seen = norm;
            }
        }
    }

    fn finish_epoch(&mut self, sink: &mut dyn Sink) -> Result<(), TrainError> {
        let run = self.run;
        let epoch = self.progress.epoch;
        for (term, &norm) in run.objective.terms().iter().zip(&self.progress.gradient_norms) {
            let ramping = term.ramp.factor(epoch) < 1.0;
            if matches!(term.kind, TermKind::Distill(_) | TermKind::Truth(_)) && !ramping && norm <= 0.0 {
                return Err(TrainError::NoGradient { term: term.name.clone(), epoch: epoch + 1 });
            }
        }
        let validation = self.validate()?;
        let chosen = self.choose(&validation)?;
        let all: f64 = self.progress.gradient_norms.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "samples are far below 2^53")]
        let n = self.progress.n_samples as f64;
        let terms = run.objective.terms().iter().enumerate().map(|(idx, term)| TermRecord {
            name: term.name.clone(),
            value: self.progress.term_sums[idx] / n,
            gradient_share: if all > 0.0 { self.progress.gradient_norms[idx] / all } else { 0.0 },
        });
        let record = EpochRecord {
            epoch,
            learning_rate: self.progress.learning_rate,
            terms: terms.collect(),
            validation,
            chosen,
        };
        sink.event(Event::Epoch(&record));
        let progress = &mut self.progress;
        progress.history.push(record);
        progress.epoch += 1;
        progress.batch = 0;
        progress.n_samples = 0;
        progress.term_sums.fill(0.0);
        progress.gradient_norms.fill(0.0);
        Ok(())
    }

    /// The numbers that are judged and kept: the average where there is one.
    fn judged(&self) -> State {
        if self.average.is_empty() { State::of(&self.student) } else { State::from_tensors(self.average.clone()) }
    }

    fn validate(&self) -> Result<Vec<Measure>, TrainError> {
        let network = self.judged().load_into(self.student.valid())?;
        let order: Vec<usize> = (0..self.run.val.len()).collect();
        let mut tally = T::Tally::default();
        for indices in batches(&order, self.run.plan.batch_size) {
            let samples = indices.iter().map(|&index| self.run.val.read(index)).collect::<Result<Vec<_>, _>>()?;
            let batch = self.run.task.batch(samples, None, &self.plain)?;
            self.run.task.gather(&mut tally, network.forward(batch.input), &batch.target)?;
        }
        Ok(self.run.task.judge(&tally))
    }

    /// Whether this epoch is the best so far; keeps its numbers if so.
    fn choose(&mut self, validation: &[Measure]) -> Result<bool, TrainError> {
        let select = &self.run.plan.select;
        let measure = validation.iter().find(|measure| measure.name == *select).ok_or_else(|| TrainError::Select {
            select: select.clone(),
            found: validation.iter().map(|measure| measure.name.as_str()).collect::<Vec<_>>().join(", "),
        })?;
        let sign = if measure.higher_is_better { 1.0 } else { -1.0 };
        let better =
            measure.value.is_some_and(|value| self.progress.best.is_none_or(|best| sign * value > sign * best));
        if better {
            self.progress.best = measure.value;
            self.progress.best_epoch = self.progress.epoch;
            self.progress.epochs_since_best = 0;
            self.best = self.judged().tensors().clone();
        } else {
            self.progress.epochs_since_best += 1;
        }
        Ok(better)
    }

    fn outcome(&self, stop: Stop) -> Outcome {
        Outcome {
            stop,
            chosen: State::from_tensors(self.best.clone()),
            last: self.judged(),
            chosen_epoch: self.progress.best_epoch,
            history: self.progress.history.clone(),
            steps: self.progress.step,
        }
    }
}

fn scalar(value: &Tensor<1>) -> f64 {
    host_values(value).first().copied().map_or(f64::NAN, f64::from)
}
