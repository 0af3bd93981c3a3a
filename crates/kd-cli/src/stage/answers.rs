//! The teacher's answers as students meet them, for every task: stored once by sample and view, or given live.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use burn::tensor::Tensor;
use kd_core::{CachedTeacher, LiveTeacher, Network, Task, Teacher};
use kd_data::store::{Element, SoftKey, SoftStore, SoftStoreWriter, StoreError};
use kd_image::{SampleSource, SoftTargetSource};

use super::{Context, Stopped};
use crate::progress::Progress;

/// Whose answers to what are stored, and how.
pub(crate) struct Asking<'a, N, T: Task<D, I, O>, const D: usize, const I: usize, const O: usize> {
    /// The teacher's name, for the progress line.
    pub(crate) name: &'a str,
    pub(crate) task: &'a T,
    pub(crate) source: &'a dyn SampleSource<D, T::Answer>,
    pub(crate) teacher: &'a LiveTeacher<N>,
    pub(crate) key: SoftKey,
    /// Values of one answer.
    pub(crate) n_values: usize,
    pub(crate) element: Element,
    /// Samples answered at once.
    pub(crate) at_once: usize,
}

impl<N, T, const D: usize, const I: usize, const O: usize> Asking<'_, N, T, D, I, O>
where
    N: Network<I, O>,
    T: Task<D, I, O>,
{
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

/// Raw answers on the host, sample by sample.
pub(crate) fn host_rows<const O: usize>(raw: Tensor<O>, n_values: usize) -> Vec<Vec<f32>> {
    let values: Vec<f32> = raw.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before");
    values.chunks_exact(n_values).map(<[f32]>::to_vec).collect()
}

/// The teacher as students meet it: stored where there are stored answers, live otherwise.
pub(crate) enum AnsweringTeacher<'a, N, const O: usize> {
    Stored(CachedTeacher<O>),
    Live(&'a LiveTeacher<N>),
}

impl<'a, N, const O: usize> AnsweringTeacher<'a, N, O> {
    /// `shape` is that of an answer to a batch of one.
    pub(crate) fn new<E>(
        context: &Context<'_, E>,
        (live, hash): (&'a LiveTeacher<N>, &str),
        store: Option<&Arc<SoftStore>>,
        shape: [usize; O],
    ) -> Result<Self> {
        let Some(store) = store else { return Ok(Self::Live(live)) };
        let source: Arc<dyn SoftTargetSource> = Arc::clone(store) as Arc<dyn SoftTargetSource>;
        Ok(Self::Stored(CachedTeacher::new(source, hash, shape, &context.device.device)?))
    }

    pub(crate) fn as_teacher<const I: usize>(&self) -> &dyn Teacher<I, O>
    where
        N: Network<I, O>,
    {
        match self {
            Self::Stored(teacher) => teacher,
            Self::Live(teacher) => *teacher,
        }
    }
}
