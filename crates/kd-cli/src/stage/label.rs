//! Teach and label: the teacher is trained once, then answers every view of every training sample once.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use burn::tensor::Tensor;
use kd_classify::{Classifier, HeadPolicy, StemChannels, load_pretrained};
use kd_core::train::Views;
use kd_core::{
    CachedTeacher, CalibratedTeacher, LiveTeacher, Objective, Ramp, State, Task, Teacher, Temperature, Term, TermKind,
    initialize,
};
use kd_data::format::read_weights;
use kd_data::store::{Element, SoftKey, SoftStore, SoftStoreWriter, StoreError};
use kd_image::{SampleSource, SoftTargetSource, Split};
use serde::Serialize;

use super::prepare::Prepared;
use super::training::{self, FinishedRun, Job};
use super::{Context, Stopped, calibrate, identity};
use crate::progress::Progress;

/// Samples that the teacher answers at once.
const ANSWER_BATCH: usize = 128;

#[derive(Serialize)]
struct TeacherIdentity<'a> {
    prepared: &'a str,
    network: &'a kd_classify::NetworkDesign,
    head: &'a crate::package::HeadKind,
    plan: &'a kd_core::train::Plan,
    smoothing: f64,
    class_weights: &'a Option<Vec<f64>>,
    augment: &'a toml::Table,
    initial: Option<String>,
}

/// The trained teacher.
pub(crate) struct TaughtTeacher {
    pub(crate) run: FinishedRun,
    pub(crate) live: LiveTeacher<Classifier>,
    pub(crate) hash: String,
    /// Divides its answers before students see them, where the recipe asks for it.
    pub(crate) calibration: Option<Temperature>,
}

impl TaughtTeacher {
    /// Hash of what students learn from: the network, and the temperature that its answers are divided by.
    pub(crate) fn lesson_hash(&self) -> String {
        let calibrated = |t| CalibratedTeacher::<4, 2>::hash_of(&self.hash, t);
        self.calibration.map_or_else(|| self.hash.clone(), calibrated)
    }
}

/// Trains the teacher, or opens it.
pub(crate) fn teach(context: &Context<'_>, prepared: &Prepared) -> Result<TaughtTeacher> {
    let experiment = context.experiment;
    let teacher = &experiment.teacher;
    let device = context.device.device.clone().autodiff();
    let network = teacher.spec.init(&device);
    let initial = match &teacher.weights {
        None => None,
        Some((file, with_head)) => Some(pretrained(context, file, *with_head)?),
    };
    let id = teacher_identity(context, prepared, initial.as_ref())?;
    let term = Term {
        name: "task".into(),
        weight: 1.0,
        ramp: Ramp::None,
        kind: TermKind::Task { smoothing: teacher.smoothing },
    };
    let job = Job {
        id,
        title: format!("teacher {}", teacher.name),
        task: &experiment.task,
        objective: &Objective::new(vec![term])?,
        teacher: None,
        train: &prepared.split(Split::Train),
        val: &prepared.split(Split::Val),
        plan: &teacher.plan,
        initial: initial.as_ref(),
    };
    let run = training::run(context, &job, network)?;
    let network = run.chosen.load_into(teacher.spec.init(&context.device.device))?;
    let live = LiveTeacher::new::<4, 2>(&network);
    let hash = Teacher::<4, 2>::hash(&live).to_owned();
    let calibration = match experiment.recipe.teacher.calibrate {
        true => Some(calibrate::run(context, prepared, &teacher.spec, &run.chosen)?),
        false => None,
    };
    if let Some(temperature) = calibration {
        context.out.note(format!("teacher calibrated on validation: T = {:.3}", temperature.get()));
    }
    Ok(TaughtTeacher { run, live, hash, calibration })
}

/// Folder name of the teacher's run.
pub(crate) fn teach_id(context: &Context<'_>, prepared: &Prepared) -> Result<String> {
    let initial = match &context.experiment.teacher.weights {
        None => None,
        Some((file, with_head)) => Some(pretrained(context, file, *with_head)?),
    };
    teacher_identity(context, prepared, initial.as_ref())
}

fn teacher_identity(context: &Context<'_>, prepared: &Prepared, initial: Option<&State>) -> Result<String> {
    let experiment = context.experiment;
    let teacher = &experiment.teacher;
    identity(
        "teacher",
        &TeacherIdentity {
            prepared: prepared.store.identity(),
            network: teacher.spec.design(),
            head: &experiment.recipe.data.head,
            plan: &teacher.plan,
            smoothing: teacher.smoothing,
            class_weights: &experiment.recipe.data.class_weights,
            augment: &experiment.recipe.augment,
            initial: initial.map(State::hash),
        },
    )
}

fn pretrained(context: &Context<'_>, file: &str, with_head: bool) -> Result<State> {
    let teacher = &context.experiment.teacher;
    let weights = read_weights(std::path::Path::new(file))?;
    let named = weights.tensors.into_iter().map(|(name, tensor)| (name, (tensor.shape, tensor.values))).collect();
    let head = if with_head { HeadPolicy::Require } else { HeadPolicy::Replace };
    let fresh = initialize(teacher.spec.init(&context.device.device), teacher.plan.seed);
    let filled = load_pretrained(&teacher.spec, fresh, &named, head, StemChannels::Require)
        .with_context(|| format!("`teacher.weights` = \"{file}\""))?;
    Ok(State::of(&filled))
}

/// Key of the stored answers of a teacher.
fn key(context: &Context<'_>, prepared: &Prepared, teacher_hash: &str, n_views: u32) -> Result<SoftKey> {
    Ok(SoftKey {
        data: prepared.split_hash.clone(),
        preparation: prepared.store.identity().to_owned(),
        teacher: teacher_hash.to_owned(),
        view_policy: identity("views", &context.experiment.recipe.augment)?,
        n_views,
        folds: None,
    })
}

/// Stored answers for numbered views; none where views are fresh and the teacher has to answer live.
pub(crate) fn label(
    context: &Context<'_>,
    prepared: &Prepared,
    teacher: &TaughtTeacher,
) -> Result<Option<Arc<SoftStore>>> {
    let Views::Numbered { count } = context.experiment.views else { return Ok(None) };
    let key = key(context, prepared, &teacher.hash, count)?;
    let folder = context.root.soft().join(key.hash());
    if !folder.is_dir() {
        answer_all(context, prepared, teacher, &key, &folder)?;
    }
    let mut store = SoftStore::open(&folder, &key)?;
    store.load()?;
    Ok(Some(Arc::new(store)))
}

fn answer_all(
    context: &Context<'_>,
    prepared: &Prepared,
    teacher: &TaughtTeacher,
    key: &SoftKey,
    folder: &std::path::Path,
) -> Result<()> {
    let experiment = context.experiment;
    let source = prepared.split(Split::Train);
    let ids: Vec<_> = (0..source.len()).map(|index| source.id(index).clone()).collect();
    let n_values = experiment.head.n_outputs();
    let mut writer = SoftStoreWriter::create(folder, key.clone(), &ids, n_values, Element::F32)?;
    let total = u64::from(key.n_views) * ids.len() as u64;
    let mut progress = Progress::new(context.out, &format!("soft labels of {}", experiment.teacher.name), total);
    for view in 0..key.n_views {
        for start in (0..ids.len()).step_by(ANSWER_BATCH) {
            if context.stop.load(std::sync::atomic::Ordering::Relaxed) {
                bail!(Stopped);
            }
            let end = ids.len().min(start + ANSWER_BATCH);
            let samples = (start..end).map(|index| source.read(index)).collect::<Result<Vec<_>, _>>()?;
            let batch = experiment.task.batch(samples, Some(view), &context.device.device)?;
            let answer: Tensor<2> = teacher.live.answer(&batch.input, &batch.ids, view)?;
            for (offset, row) in host_rows(answer, n_values).iter().enumerate() {
                writer.write(start + offset, view, row)?;
            }
            progress.set(u64::from(view) * ids.len() as u64 + end as u64, "");
        }
    }
    match writer.finish() {
        Ok(_) | Err(StoreError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    progress.finish(&format!("{} views of {} samples", key.n_views, ids.len()));
    Ok(())
}

/// Raw answers on the host, sample by sample.
pub(crate) fn host_rows(raw: Tensor<2>, n_values: usize) -> Vec<Vec<f32>> {
    let values: Vec<f32> = raw.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before");
    values.chunks_exact(n_values).map(<[f32]>::to_vec).collect()
}

/// The teacher as students meet it: stored where there are stored answers, live otherwise.
pub(crate) enum AnsweringTeacher<'a> {
    Stored(CachedTeacher<2>),
    Live(&'a LiveTeacher<Classifier>),
}

impl<'a> AnsweringTeacher<'a> {
    pub(crate) fn new(
        context: &Context<'_>,
        teacher: &'a TaughtTeacher,
        store: Option<&Arc<SoftStore>>,
    ) -> Result<Self> {
        let Some(store) = store else { return Ok(Self::Live(&teacher.live)) };
        let source: Arc<dyn SoftTargetSource> = Arc::clone(store) as Arc<dyn SoftTargetSource>;
        let shape = [1, context.experiment.head.n_outputs()];
        Ok(Self::Stored(CachedTeacher::new(source, &teacher.hash, shape, &context.device.device)?))
    }

    pub(crate) fn as_teacher(&self) -> &dyn Teacher<4, 2> {
        match self {
            Self::Stored(teacher) => teacher,
            Self::Live(teacher) => *teacher,
        }
    }
}
