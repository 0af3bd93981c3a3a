//! A run in the making: epochs, batches and steps, validation, and what a checkpoint holds.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::checkpoint::Progress;
use super::learner::Learner;
use super::{
    Checkpoint, CheckpointError, EpochRecord, Event, Fit, Guide, Measure, Outcome, Sink, Stop, TermRecord, TrainError,
    average, batches, epoch_order,
};
use crate::loss::CurriculumTemperature;
use crate::loss::feature::Moment;
use crate::state::host_values;
use crate::{Batch, Network, Objective, Seen, State, Task, TermKind, Values, Watch};

/// A run in the making.
pub(super) struct Work<'a, N, T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> {
    run: &'a Fit<'a, T, D, I, O>,
    plain: Device,
    /// The student, and the peer where there is one.
    learners: Vec<Learner<N>>,
    average: BTreeMap<String, Values>,
    best: BTreeMap<String, Values>,
    pub(super) progress: Progress,
}

impl<'a, N, T, const D: usize, const I: usize, const O: usize> Work<'a, N, T, D, I, O>
where
    N: Network<I, O>,
    T: Task<D, I, O>,
{
    pub(super) fn start(run: &'a Fit<'a, T, D, I, O>, learners: Vec<Learner<N>>, initial: Option<&State>) -> Self {
        Self {
            run,
            plain: run.device.clone().inner(),
            learners,
            average: BTreeMap::new(),
            best: BTreeMap::new(),
            progress: Progress::start(run.identity(initial), run.objective.terms().len()),
        }
    }

    pub(super) fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        if checkpoint.progress.run != self.progress.run {
            return Err(CheckpointError::OtherRun {
                what: "the hash of plan, objective, data and teacher",
                expected: self.progress.run.clone(),
                found: checkpoint.progress.run,
            }
            .into());
        }
        let step = checkpoint.progress.step;
        for (learner, state) in self.learners.iter_mut().zip([Some(checkpoint.student), checkpoint.peer]) {
            let state = state.ok_or_else(|| CheckpointError::Note("the peer is missing".into()))?;
            learner.restore(state, step, &self.plain)?;
        }
        self.average = checkpoint.average;
        self.best = checkpoint.best;
        self.progress = checkpoint.progress;
        Ok(())
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            progress: self.progress.clone(),
            student: self.learners[0].state(),
            peer: self.learners.get(1).map(Learner::state),
            average: self.average.clone(),
            best: self.best.clone(),
        }
    }

    pub(super) fn stopped_early(&self) -> bool {
        self.run.plan.early_stop.is_some_and(|stop| self.progress.epochs_since_best >= stop.patience)
    }

    /// Learns the rest of the current epoch; false when somebody asked to stop.
    pub(super) fn epoch(&mut self, sink: &mut dyn Sink) -> Result<bool, TrainError> {
        let plan = self.run.plan;
        let epoch = self.progress.epoch;
        let order = epoch_order(plan.seed, epoch, self.run.train.len());
        let cut = batches(&order, plan.batch_size);
        let mut in_sum = 0usize;
        for (position, indices) in cut.iter().enumerate().skip(self.progress.batch) {
            // Batches of one step share its mean; the last step of an epoch may have fewer.
            let step_starts = position - position % plan.accumulation;
            let in_step = plan.accumulation.min(cut.len() - step_starts);
            let loss = self.batch(indices, position, in_step)?;
            in_sum += 1;
            if in_sum < in_step {
                continue;
            }
            let rate = plan.schedule.at(self.progress.step, plan.epochs * cut.len().div_ceil(plan.accumulation));
            for learner in &mut self.learners {
                learner.step(plan.clip_norm, rate);
            }
            in_sum = 0;
            self.progress.step += 1;
            self.progress.learning_rate = rate;
            self.progress.batch = position + 1;
            if let Some(decay) = plan.ema {
                average::follow(&mut self.average, &State::of(&self.learners[0].network), decay, self.progress.step);
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

    /// Adds one batch's gradients to those of the step; gives the student's weighted loss.
    fn batch(&mut self, indices: &[usize], position: usize, in_step: usize) -> Result<f64, TrainError> {
        let run = self.run;
        let epoch = self.progress.epoch;
        let view = run.plan.views.at(epoch);
        let samples = indices.iter().map(|&index| run.train.read_view(index, view)).collect::<Result<Vec<_>, _>>()?;
        let batch = run.task.batch(samples, Some(view), &self.plain)?;
        if let Some(term) = run.objective.needs_truth()
            && run.task.truth(&batch.target).is_none()
        {
            return Err(TrainError::NoTruth { term: term.name.clone() });
        }
        let (student_taps, teacher_taps) = run.taps();
        let answered: Vec<_> =
            self.learners.iter().map(|learner| learner.answer::<I, O>(&batch.input, &student_taps)).collect();
        let guided = self.guided(&batch, view, &teacher_taps, &answered)?;
        let mut student_loss = f64::NAN;
        for (place, (raw, watched)) in answered.iter().enumerate() {
            let teacher = guided.get(place).or(guided.first()).map(|(answer, watch)| (answer, watch));
            if let Some((answer, _)) = teacher {
                run.objective.check_answers(&raw.dims(), &answer.dims())?;
            }
            let seen = Seen {
                task: run.task,
                raw,
                watched,
                target: &batch.target,
                teacher,
                adaptors: &self.learners[place].adaptors,
                moment: Moment { ids: &batch.ids, seed: run.plan.seed, epoch },
            };
            if place == 0 {
                measure_gradients(run.objective, &seen, &mut self.progress.gradient_norms, position);
            }
            let weights = run.objective.weights(epoch, &self.progress.gradient_norms);
            let parts = run.objective.evaluate(&seen, &weights);
            let values: Vec<f64> = parts.values.iter().map(scalar).collect();
            let loss = scalar(&parts.total);
            if !loss.is_finite() {
                let terms = run.objective.terms().iter().zip(&values);
                let terms = terms.map(|(term, value)| format!("{} {value}", term.name)).collect::<Vec<_>>().join(", ");
                return Err(TrainError::Diverged { found: loss, epoch: epoch + 1, batch: position + 1, terms });
            }
            #[expect(clippy::cast_precision_loss, reason = "batches are small")]
            let (n, in_step) = (indices.len() as f64, in_step as f64);
            if place == 0 {
                student_loss = loss;
                for (total, value) in self.progress.term_sums.iter_mut().zip(values) {
                    *total += value * n;
                }
            }
            let gradients = parts.total.div_scalar(in_step).backward();
            self.learners[place].keep(&gradients);
        }
        self.progress.n_samples += indices.len();
        Ok(student_loss)
    }

    /// What whoever guides says to a batch, as constants: one answer and its features for each learner, or one for all.
    fn guided(
        &self,
        batch: &Batch<T::Target, I>,
        view: u32,
        taps: &[String],
        answered: &[(Tensor<O>, Watch<I>)],
    ) -> Result<Vec<(Tensor<O>, Watch<I>)>, TrainError> {
        let run = self.run;
        if !run.objective.needs_teacher() {
            return Ok(Vec::new());
        }
        let constant = |(raw, watch): &(Tensor<O>, Watch<I>)| (raw.clone().inner(), watch.clone().map(Tensor::inner));
        let mut watch = Watch::of(taps);
        Ok(match run.guide {
            Guide::Nobody => Vec::new(),
            Guide::Teacher(teacher) if taps.is_empty() => {
                vec![(teacher.answer(&batch.input, &batch.ids, view)?, watch)]
            }
            Guide::Teacher(teacher) => {
                let answer = teacher.answer_watched(&batch.input, &batch.ids, view, &mut watch)?;
                vec![(answer, watch)]
            }
            Guide::Itself => vec![constant(&answered[0])],
            Guide::Average => {
                let network = self.judged().load_into(self.learners[0].network.valid())?;
                let answer = network.forward_watched(batch.input.clone(), &mut watch);
                vec![(answer, watch)]
            }
            // Each looks at the other.
            Guide::Peer => answered.iter().rev().map(constant).collect(),
        })
    }

    pub(super) fn finish_epoch(&mut self, sink: &mut dyn Sink) -> Result<(), TrainError> {
        let run = self.run;
        let epoch = self.progress.epoch;
        for (term, &norm) in run.objective.terms().iter().zip(&self.progress.gradient_norms) {
            let ramping = term.ramp.factor(epoch) < 1.0;
            if (term.distills() || matches!(term.kind, TermKind::Truth(_))) && !ramping && norm <= 0.0 {
                return Err(TrainError::NoGradient { term: term.name.clone(), epoch: epoch + 1 });
            }
        }
        let validation = self.validate()?;
        let chosen = self.choose(&validation)?;
        let weights = run.objective.weights(epoch, &self.progress.gradient_norms);
        let weighted: Vec<f64> = weights.iter().zip(&self.progress.gradient_norms).map(|(w, norm)| w * norm).collect();
        let all: f64 = weighted.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "samples are far below 2^53")]
        let n = self.progress.n_samples as f64;
        let terms = run.objective.terms().iter().enumerate().map(|(idx, term)| TermRecord {
            name: term.name.clone(),
            value: self.progress.term_sums[idx] / n,
            gradient_share: if all > 0.0 { weighted[idx] / all } else { 0.0 },
            weight: term.share().map(|_| weights[idx]),
            temperature: self.learners[0].adaptors.temperature(idx).map(CurriculumTemperature::temperature),
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
        if self.average.is_empty() {
            State::of(&self.learners[0].network)
        } else {
            State::from_tensors(self.average.clone())
        }
    }

    fn validate(&self) -> Result<Vec<Measure>, TrainError> {
        let network = self.judged().load_into(self.learners[0].network.valid())?;
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

    pub(super) fn outcome(&self, stop: Stop) -> Outcome {
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

/// Looks at the terms' gradients on the first batch of an epoch, and on later ones while a term has shown none.
fn measure_gradients<T: Task<D, I, O>, const D: usize, const I: usize, const O: usize>(
    objective: &Objective<I, O>,
    seen: &Seen<'_, T, D, I, O>,
    norms: &mut [f64],
    position: usize,
) {
    if position > 0 && norms.iter().all(|&norm| norm > 0.0) {
        return;
    }
    for (known, norm) in norms.iter_mut().zip(objective.gradient_norms(seen)) {
        if *known <= 0.0 {
            *known = norm;
        }
    }
}

fn scalar(value: &Tensor<1>) -> f64 {
    host_values(value).first().copied().map_or(f64::NAN, f64::from)
}
