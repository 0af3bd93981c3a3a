//! A task of two classes on 1×2 images, a linear network for it, and sources in memory.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};
use kd_core::loss::{self, DistillLoss};
use kd_core::train::{Decay, Event, Measure, OptimizerPlan, Plan, Schedule, Sink, Views};
use kd_core::{
    Batch, Head, Network, Objective, Purpose, Ramp, Task, TaskError, Teacher, Term, TermKind, Weight, stream,
};
use kd_image::{
    Geometry, Image, Intensity, Sample, SampleId, SampleSource, SoftTargetSource, SourceError, SubjectId, Target,
};
use rand_chacha::rand_core::Rng;

#[derive(Module, Debug)]
pub(crate) struct Line {
    head: Linear,
}

impl Line {
    pub(crate) fn new(device: &Device) -> Self {
        Self { head: LinearConfig::new(2, 2).init(device) }
    }
}

impl Network<4, 2> for Line {
    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        self.head.forward(input.flatten(1, 3))
    }
}

pub(crate) struct SmallTask;

#[derive(Default)]
pub(crate) struct Tally {
    loss: f64,
    right: f64,
    n: f64,
}

impl Task<2, 4, 2> for SmallTask {
    type Answer = Target;
    type Target = Tensor<1, Int>;
    type Tally = Tally;

    fn batch(
        &self,
        samples: Vec<Sample<2>>,
        view: Option<u32>,
        device: &Device,
    ) -> Result<Batch<Self::Target, 4>, TaskError> {
        let ids: Vec<SampleId> = samples.iter().map(|sample| sample.id.clone()).collect();
        let classes: Vec<i32> = samples
            .iter()
            .map(|sample| if let Target::Class(class) = sample.target { i32::from(class) } else { 0 })
            .collect();
        // A view shifts the brightness by a little.
        let shift = view.map_or(0.0, |view| f32::from(u8::try_from(view).unwrap()) * 0.05);
        let values: Vec<f32> =
            samples.iter().flat_map(|sample| sample.image.values().iter().map(|value| value + shift)).collect();
        Ok(Batch {
            input: Tensor::from_data(TensorData::new(values, [ids.len(), 1, 1, 2]), device),
            target: Tensor::from_data(TensorData::new(classes, [ids.len()]), device),
            ids,
        })
    }

    fn loss(&self, raw: Tensor<2>, target: &Self::Target, smoothing: f64) -> Tensor<1> {
        let log_probs = log_softmax(raw, 1);
        let n = log_probs.dims()[0];
        let device = log_probs.device();
        let target: Tensor<2, Int> = target.clone().to_device(&device).reshape([n, 1]);
        let hard = log_probs.clone().gather(1, target).mean().neg();
        hard.mul_scalar(1.0 - smoothing) - log_probs.mean().mul_scalar(smoothing)
    }

    fn mask(&self, _target: &Self::Target) -> Option<Tensor<2>> {
        None
    }

    fn gather(&self, tally: &mut Tally, raw: Tensor<2>, target: &Self::Target) -> Result<(), TaskError> {
        let n = raw.dims()[0];
        let loss = self.loss(raw.clone(), target, 0.0).into_data().try_into_vec::<f32>().unwrap()[0];
        let raw = raw.into_data().try_into_vec::<f32>().unwrap();
        let classes = target.clone().into_data().convert::<i32>().try_into_vec::<i32>().unwrap();
        let right = raw.chunks(2).zip(classes).filter(|(row, class)| i32::from(row[1] > row[0]) == *class).count();
        tally.loss += f64::from(loss) * n as f64;
        tally.right += right as f64;
        tally.n += n as f64;
        Ok(())
    }

    fn judge(&self, tally: &Tally) -> Vec<Measure> {
        vec![
            Measure { name: "loss".into(), value: Some(tally.loss / tally.n), higher_is_better: false },
            Measure { name: "accuracy".into(), value: Some(tally.right / tally.n), higher_is_better: true },
        ]
    }
}

pub(crate) struct Memory(Vec<Sample<2>>);

/// Class 1 where the first pixel is above the second.
pub(crate) fn linear_source(n: usize, seed: u64) -> Memory {
    let mut rng = stream(seed, Purpose::LabelSubset, 0, "small");
    let mut draw = move || (rng.next_u32() >> 8) as f32 / 16_777_216.0 - 0.5;
    let sample = |index: usize| {
        let values = vec![draw(), draw()];
        Sample {
            id: SampleId::new(format!("s{index}")).unwrap(),
            subject: SubjectId::new(format!("s{index}")).unwrap(),
            target: Target::Class(u16::from(values[0] > values[1])),
            image: Image::new(1, Geometry::without_spacing([1, 2]).unwrap(), Intensity::ZScore, values).unwrap(),
        }
    };
    Memory((0..n).map(sample).collect())
}

impl SampleSource<2> for Memory {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn id(&self, index: usize) -> &SampleId {
        &self.0[index].id
    }
    fn subject(&self, index: usize) -> &SubjectId {
        &self.0[index].subject
    }
    fn read(&self, index: usize) -> Result<Sample<2>, SourceError> {
        self.0.get(index).cloned().ok_or(SourceError::Index { index, len: self.0.len() })
    }
}

/// A teacher's answers in memory.
pub(crate) struct Stored {
    hash: String,
    n_views: u32,
    answers: BTreeMap<(String, u32), Vec<f32>>,
}

impl Stored {
    pub(crate) fn of(teacher: &impl Teacher<4, 2>, task: &SmallTask, source: &Memory, n_views: u32) -> Self {
        let mut answers = BTreeMap::new();
        for view in 0..n_views {
            let batch = task.batch(source.0.clone(), Some(view), &Device::flex()).unwrap();
            let rows =
                teacher.answer(&batch.input, &batch.ids, view).unwrap().into_data().try_into_vec::<f32>().unwrap();
            for (id, row) in batch.ids.iter().zip(rows.chunks(2)) {
                answers.insert((id.to_string(), view), row.to_vec());
            }
        }
        Self { hash: teacher.hash().to_owned(), n_views, answers }
    }
}

impl SoftTargetSource for Stored {
    fn teacher_hash(&self) -> &str {
        &self.hash
    }
    fn n_values(&self) -> usize {
        2
    }
    fn n_views(&self) -> u32 {
        self.n_views
    }
    fn read(&self, sample: &SampleId, view: u32, values: &mut [f32]) -> Result<(), SourceError> {
        let row = self.answers.get(&(sample.to_string(), view));
        let row = row.ok_or_else(|| SourceError::NoSoftLabel { sample: sample.to_string(), view })?;
        values.copy_from_slice(row);
        Ok(())
    }
}

/// Keeps what a run sends out.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) checkpoints: Vec<Vec<u8>>,
    every_step: bool,
    stop_after: Option<usize>,
    steps: usize,
}

impl Recorder {
    /// Wants a checkpoint after every step.
    pub(crate) fn every_step() -> Self {
        Self { every_step: true, ..Self::default() }
    }

    /// Asks for an end after so many batches.
    pub(crate) fn stopping_after(batches: usize) -> Self {
        Self { stop_after: Some(batches), ..Self::default() }
    }
}

impl Sink for Recorder {
    fn event(&mut self, event: Event<'_>) {
        if matches!(event, Event::Batch { .. }) {
            self.steps += 1;
        }
    }
    fn checkpoint_due(&mut self) -> bool {
        self.every_step
    }
    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.checkpoints.push(bytes.to_vec());
        Ok(())
    }
    fn stop_requested(&self) -> bool {
        self.stop_after.is_some_and(|stop| self.steps >= stop)
    }
}

pub(crate) fn plan(epochs: usize) -> Plan {
    Plan {
        epochs,
        batch_size: 8,
        accumulation: 1,
        optimizer: OptimizerPlan::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 },
        schedule: Schedule { rate: 0.1, warmup: 0.0, decay: Decay::Constant },
        clip_norm: Some(10.0),
        ema: None,
        early_stop: None,
        views: Views::Numbered { count: 2 },
        select: "loss".into(),
        seed: 3,
    }
}

fn objective(name: &str, weight: Weight, loss: Box<dyn DistillLoss<2>>) -> Objective<4, 2> {
    let task = Term::task(0.0);
    let kd = Term { name: name.into(), weight, ramp: Ramp::None, kind: TermKind::Distill(loss), exit: None };
    Objective::new(vec![task, kd]).unwrap()
}

pub(crate) fn distilled(weight: impl Into<Weight>) -> Objective<4, 2> {
    let parameters = loss::Parameters::new().with("temperature", 2.0);
    objective("kd", weight.into(), loss::build("hinton", &parameters, Head::TwoClassSoftmax).unwrap())
}

/// The teacher alone in the first epoch, the task alone in the next ones.
pub(crate) fn staged() -> Objective<4, 2> {
    let parameters = loss::Parameters::new().with("temperature", 2.0);
    let loss = loss::build("hinton", &parameters, Head::TwoClassSoftmax).unwrap();
    let (first, later) = (Ramp::Stage { first: 0, last: 0 }, Ramp::Stage { first: 1, last: 2 });
    let kd = Term { name: "kd".into(), weight: 1.0.into(), ramp: first, kind: TermKind::Distill(loss), exit: None };
    Objective::new(vec![Term { ramp: later, ..Term::task(0.0) }, kd]).unwrap()
}

/// A term whose temperature is learned beside the student.
pub(crate) fn curriculum() -> Objective<4, 2> {
    let parameters = loss::Parameters::new().with("reversal_epochs", 2.0);
    objective("curriculum", 1.0.into(), loss::build("curriculum", &parameters, Head::TwoClassSoftmax).unwrap())
}

/// A term that looks at the student and learns nothing from it.
#[derive(Debug)]
struct Inert;

impl DistillLoss<2> for Inert {
    fn name(&self) -> &'static str {
        "inert"
    }
    fn evaluate(&self, student: Tensor<2>, _: loss::Beside<2>) -> Tensor<1> {
        student.mul_scalar(0.0).sum()
    }
}

pub(crate) fn inert() -> Objective<4, 2> {
    objective("inert", 1.0.into(), Box::new(Inert))
}
