//! A teacher's answers as students meet them, for every task: stored once by sample and view, or given live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use burn::tensor::Tensor;
use kd_core::{CachedTeacher, CalibratedTeacher, Task, Teacher, Temperature};
use kd_data::store::{Element, SoftKey, SoftStore, SoftStoreWriter, StoreError};
use kd_image::{SampleSource, SoftTargetSource};
use serde::Serialize;

use super::folds::CrossFitted;
use super::{Context, Stopped, given, identity};
use crate::progress::Progress;
use crate::recipe::Arm;

/// Whose answers to what are stored, and how.
pub(crate) struct Asking<'a, T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> {
    /// The teacher's name, for the progress line.
    pub(crate) name: &'a str,
    pub(crate) task: &'a T,
    pub(crate) source: &'a dyn SampleSource<D, T::Answer>,
    pub(crate) teacher: &'a dyn Teacher<I, O>,
    pub(crate) key: SoftKey,
    /// Values of one answer.
    pub(crate) n_values: usize,
    pub(crate) element: Element,
    /// Samples answered at once.
    pub(crate) at_once: usize,
}

impl<T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> Asking<'_, T, D, I, O> {
    /// Opens the stored answers, or asks for all of them and stores them.
    pub(crate) fn stored<E>(&self, context: &Context<'_, E>) -> Result<Arc<SoftStore>> {
        let folder = context.root.soft().join(self.key.hash());
        if !folder.is_dir() {
            self.ask(context, &folder)?;
        }
        let mut store = SoftStore::open(&folder, &self.key)?;
        store.load()?;
        Ok(Arc::new(store))
    }

    fn ask<E>(&self, context: &Context<'_, E>, folder: &std::path::Path) -> Result<()> {
        let (source, n_views) = (self.source, self.key.n_views);
        let ids: Vec<_> = (0..source.len()).map(|index| source.id(index).clone()).collect();
        let mut writer = SoftStoreWriter::create(folder, self.key.clone(), &ids, self.n_values, self.element)?;
        let total = u64::from(n_views) * ids.len() as u64;
        let mut progress = Progress::new(context.out, &format!("soft labels of {}", self.name), total);
        for view in 0..n_views {
            for start in (0..ids.len()).step_by(self.at_once) {
                if context.stop.load(Ordering::Relaxed) {
                    bail!(Stopped);
                }
                let end = ids.len().min(start + self.at_once);
                let samples = (start..end).map(|index| source.read_view(index, view)).collect::<Result<Vec<_>, _>>()?;
                let batch = self.task.batch(samples, Some(view), &context.device.device)?;
                let answer: Tensor<O> = self.teacher.answer(&batch.input, &batch.ids, view)?;
                for (offset, row) in host_rows(answer, self.n_values).iter().enumerate() {
                    writer.write(start + offset, view, row)?;
                }
                progress.set(u64::from(view) * ids.len() as u64 + end as u64, "");
            }
        }
        match writer.finish() {
            Ok(_) | Err(StoreError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        progress.finish(&format!("{n_views} views of {} samples", ids.len()));
        Ok(())
    }
}

/// What any stored answers belong to, but for whose they are; `augmentation` says how views are made.
pub(crate) fn key(split_hash: &str, preparation: &str, augmentation: &impl Serialize, n_views: u32) -> Result<SoftKey> {
    Ok(SoftKey {
        data: split_hash.to_owned(),
        preparation: preparation.to_owned(),
        teacher: String::new(),
        view_policy: identity("views", augmentation)?,
        n_views,
        folds: None,
    })
}

/// Raw answers on the host, sample by sample.
pub(crate) fn host_rows<const O: usize>(raw: Tensor<O>, n_values: usize) -> Vec<Vec<f32>> {
    let values: Vec<f32> = raw.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before");
    values.chunks_exact(n_values).map(<[f32]>::to_vec).collect()
}

/// Stored answers: of the teacher that saw the samples, cross-fitted ones, and those that somebody gave, by file.
#[derive(Default)]
pub(crate) struct SoftLabels {
    pub(crate) in_sample: Option<Arc<SoftStore>>,
    pub(crate) cross_fitted: Option<Arc<SoftStore>>,
    pub(crate) given: BTreeMap<String, Arc<SoftStore>>,
}

impl SoftLabels {
    /// Those that an arm learns from; none where it looks at features, which only a live teacher gives.
    pub(crate) fn of(&self, arm: &Arm) -> Option<&Arc<SoftStore>> {
        if let Some(file) = &arm.answers {
            return self.given.get(file);
        }
        let store = if arm.cross_fitted { &self.cross_fitted } else { &self.in_sample };
        store.as_ref().filter(|_| arm.asks_teacher() && !arm.has_taps())
    }

    /// Asks those teachers whose answers alone an arm learns from: of all samples, and by folds. `stored` opens or asks for the answers
    /// of one, under a name and the key of its folds; `given` those of a file.
    pub(crate) fn ask<const I: usize, const O: usize>(
        arms: &[Arm],
        name: &str,
        (whole, crossed): (&dyn Teacher<I, O>, Option<&CrossFitted<I, O>>),
        stored: impl Fn(&str, &dyn Teacher<I, O>, Option<String>) -> Result<Arc<SoftStore>>,
        given: impl Fn(&str) -> Result<Arc<SoftStore>>,
    ) -> Result<Self> {
        let in_sample = is_asked(arms, false).then(|| stored(name, whole, None)).transpose()?;
        let crossed = crossed.filter(|_| is_asked(arms, true));
        let by_folds = |crossed: &CrossFitted<I, O>| {
            stored(&format!("{name} by folds"), &crossed.teacher, Some(crossed.key.clone()))
        };
        let files: BTreeSet<&String> = arms.iter().filter_map(|arm| arm.answers.as_ref()).collect();
        let given = files.into_iter().map(|file| Ok((file.clone(), given(file)?))).collect::<Result<_>>()?;
        Ok(Self { in_sample, cross_fitted: crossed.map(by_folds).transpose()?, given })
    }
}

/// Whether an arm learns from stored answers: of the teacher of all samples, or of those by folds.
fn is_asked(arms: &[Arm], cross_fitted: bool) -> bool {
    arms.iter().any(|arm| arm.asks_teacher() && !arm.has_taps() && arm.cross_fitted == cross_fitted)
}

/// Whether all answers are stored that arms learn from; `key` says what they belong to, but for whose they are.
pub(crate) fn are_stored<E, const I: usize, const O: usize>(
    context: &Context<'_, E>,
    arms: &[Arm],
    (whole, crossed): (&dyn Teacher<I, O>, Option<&CrossFitted<I, O>>),
    key: &SoftKey,
) -> bool {
    let is_stored = |teacher: &dyn Teacher<I, O>, folds: Option<String>| {
        let key = SoftKey { teacher: teacher.hash().to_owned(), folds, ..key.clone() };
        context.root.soft().join(key.hash()).is_dir()
    };
    let by_folds = crossed.filter(|_| is_asked(arms, true));
    (!is_asked(arms, false) || is_stored(whole, None))
        && by_folds.is_none_or(|crossed| is_stored(&crossed.teacher, Some(crossed.key.clone())))
}

/// What an arm learns from: whose answers, how they were made honest, and where they are stored.
pub(crate) struct Lesson<'a, const I: usize, const O: usize> {
    /// Of whoever answers.
    pub(crate) raw_hash: String,
    /// Answers whatever is asked; absent where answers come from a file.
    pub(crate) live: Option<&'a dyn Teacher<I, O>>,
    /// Divides its answers before students see them, where the recipe asks for it.
    pub(crate) calibration: Option<Temperature>,
    /// Absent where views are fresh, or an arm looks at features too.
    pub(crate) store: Option<&'a Arc<SoftStore>>,
}

impl<'a, const I: usize, const O: usize> Lesson<'a, I, O> {
    /// From a teacher that answers live, and whose answers may be stored.
    pub(crate) fn of(
        live: &'a dyn Teacher<I, O>,
        calibration: Option<Temperature>,
        store: Option<&'a Arc<SoftStore>>,
    ) -> Self {
        Self { raw_hash: live.hash().to_owned(), live: Some(live), calibration, store }
    }

    /// From a file of answers.
    pub(crate) fn given(file: &str, store: Option<&'a Arc<SoftStore>>) -> Result<Self> {
        let raw_hash = store.map_or_else(|| given::hash(file), |store| Ok(store.key().teacher.clone()))?;
        Ok(Self { raw_hash, live: None, calibration: None, store })
    }

    /// Hash of what students learn from: the network, and the temperature that its answers are divided by.
    pub(crate) fn hash(&self) -> String {
        let raw = &self.raw_hash;
        self.calibration.map_or_else(|| raw.clone(), |t| CalibratedTeacher::<I, O>::hash_of(raw, t))
    }

    /// Works with the teacher as students meet it: stored where there are stored answers, live otherwise. `shape` is that
    /// of an answer to a batch of one.
    pub(crate) fn with<E, R>(
        &self,
        context: &Context<'_, E>,
        shape: [usize; O],
        work: impl FnOnce(&dyn Teacher<I, O>) -> Result<R>,
    ) -> Result<R> {
        let stored = match self.store {
            None => None,
            Some(store) => {
                let source: Arc<dyn SoftTargetSource> = Arc::clone(store) as Arc<dyn SoftTargetSource>;
                Some(CachedTeacher::<O>::new(source, &self.raw_hash, shape, &context.device.device)?)
            }
        };
        let stored = stored.as_ref().map(|stored| stored as &dyn Teacher<I, O>);
        let raw = stored.or(self.live).expect("answers from a file are stored before anybody learns from them");
        match self.calibration {
            None => work(raw),
            Some(temperature) => work(&CalibratedTeacher::new(raw, temperature)),
        }
    }
}
