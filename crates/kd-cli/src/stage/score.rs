//! Score: every finished run answers the validation and test splits; the raw answers are kept, the numbers follow from
//! them.
//!
//! The test split is answered at the chosen and at the last epoch, once per run.

use anyhow::{Context as _, Result, bail};
use burn::tensor::Tensor;
use kd_classify::score::Judged;
use kd_classify::{Classifier, NetworkSpec};
use kd_core::{Committee, Network, Task};
use kd_data::format::{NpyArray, NpyValue, Npz, write_npz};
use kd_data::store::{PreparedSource, StagedFolder};
use kd_image::{SampleId, SampleSource, Split, Target};

use super::Context;
use super::answers::host_rows;
use super::members::Members;
use super::prepare::Prepared;
use super::training::{Epoch, FinishedRun};
use crate::progress::Progress;

const BATCH: usize = 128;
const FILE: &str = "answers.npz";

/// Raw answers of one run, sample by sample.
pub(crate) struct Answers {
    pub(crate) val: Vec<f32>,
    pub(crate) test: Vec<f32>,
    pub(crate) test_last: Vec<f32>,
}

/// Labels of the scored splits.
pub(crate) struct Truth {
    pub(crate) val: Vec<Target>,
    pub(crate) test: Vec<Target>,
}

impl Truth {
    pub(crate) fn of(prepared: &Prepared) -> Self {
        let targets = |split| {
            let source = prepared.split(split);
            (0..source.len()).map(|index| source.target(index).clone()).collect()
        };
        Self { val: targets(Split::Val), test: targets(Split::Test) }
    }
}

/// One run, judged.
pub(crate) struct Scored {
    pub(crate) val: Judged,
    pub(crate) test: Judged,
    pub(crate) test_last: Judged,
    pub(crate) answers: Answers,
}

/// Answers, or opens, one run.
pub(crate) fn run(
    context: &Context<'_>,
    prepared: &Prepared,
    truth: &Truth,
    spec: &NetworkSpec,
    finished: &FinishedRun,
) -> Result<Scored> {
    let network = |epoch| Ok(finished.state(epoch).load_into(spec.init(&context.device.device))?);
    answered(context, prepared, truth, &finished.id, network)
}

/// Answers, or opens, members as one.
pub(crate) fn together(context: &Context<'_>, prepared: &Prepared, truth: &Truth, members: &Members) -> Result<Scored> {
    answered(context, prepared, truth, &members.id()?, |epoch| committee(context, members, epoch))
}

/// The teacher's members as one network.
pub(crate) fn committee(context: &Context<'_>, members: &Members, epoch: Epoch) -> Result<Committee<Classifier>> {
    let teacher = &context.experiment.teacher;
    members.network::<_, 4, 2>(epoch, |member| teacher.spec_of(member).init(&context.device.device))
}

/// Answers under a name, of a network with its numbers of an epoch.
fn answered<N: Network<4, 2>>(
    context: &Context<'_>,
    prepared: &Prepared,
    truth: &Truth,
    id: &str,
    network: impl Fn(Epoch) -> Result<N>,
) -> Result<Scored> {
    let folder = context.root.scores().join(id);
    let n_values = context.experiment.head.n_outputs();
    if !folder.is_dir() {
        let (chosen, last) = (network(Epoch::Chosen)?, network(Epoch::Last)?);
        let answer = |network: &N, split| answer(context, &prepared.split(split), network);
        let arrays = [
            ("val", answer(&chosen, Split::Val)?),
            ("test", answer(&chosen, Split::Test)?),
            ("test_last", answer(&last, Split::Test)?),
        ];
        let arrays: Vec<(&str, NpyValue)> = arrays
            .into_iter()
            .map(|(name, values)| {
                (name, NpyValue::F32(NpyArray { shape: vec![values.len() / n_values, n_values], values }))
            })
            .collect();
        let staged = StagedFolder::create(&folder)?;
        write_npz(&staged.path().join(FILE), &arrays)?;
        staged.commit()?;
    }
    let file = Npz::open(&folder.join(FILE))?;
    let read = |name: &str, n_samples: usize| -> Result<Vec<f32>> {
        let array = file.floats(name)?;
        if array.shape != [n_samples, n_values] {
            bail!(
                "stored answers `{name}` have shape {:?}, expected [{n_samples}, {n_values}]\nhint: delete the scores folder of this run and score again",
                array.shape
            );
        }
        #[expect(clippy::cast_possible_truncation, reason = "they were written as f32")]
        Ok(array.values.into_iter().map(|value| value as f32).collect())
    };
    let answers = Answers {
        val: read("val", truth.val.len())?,
        test: read("test", truth.test.len())?,
        test_last: read("test_last", truth.test.len())?,
    };
    let judge = |logits: &[f32], targets: &[Target], split: &str| {
        Judged::new(context.experiment.head, context.experiment.n_classes, logits, targets)
            .with_context(|| format!("answers on the {split} split"))
    };
    Ok(Scored {
        val: judge(&answers.val, &truth.val, "val")?,
        test: judge(&answers.test, &truth.test, "test")?,
        test_last: judge(&answers.test_last, &truth.test, "test")?,
        answers,
    })
}

/// Raw answers of a network on a split.
pub(crate) fn answer(context: &Context<'_>, source: &PreparedSource, network: &impl Network<4, 2>) -> Result<Vec<f32>> {
    answers(context, source, |input, _| Ok(network.forward(input)))
}

/// Raw answers to all samples of a source, without augmentation, of whoever answers a batch.
pub(crate) fn answers(
    context: &Context<'_>,
    source: &PreparedSource,
    answer: impl Fn(Tensor<4>, &[SampleId]) -> Result<Tensor<2>>,
) -> Result<Vec<f32>> {
    let experiment = context.experiment;
    let device = &context.device.device;
    let mut progress = Progress::new(context.out, "answers", source.len() as u64);
    let mut values = Vec::with_capacity(source.len() * experiment.head.n_outputs());
    for start in (0..source.len()).step_by(BATCH) {
        let end = source.len().min(start + BATCH);
        let samples = (start..end).map(|index| source.read(index)).collect::<Result<Vec<_>, _>>()?;
        let batch = experiment.task.batch(samples, None, device)?;
        let raw = answer(batch.input, &batch.ids)?;
        values.extend(host_rows(raw, experiment.head.n_outputs()).into_iter().flatten());
        progress.set(end as u64, "");
    }
    progress.clear();
    Ok(values)
}
