//! Cross-fitting: a teacher for each fold of the training subjects, trained on all others.

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use kd_core::{CrossFittedTeacher, LiveTeacher, Network, Task, Teacher};
use kd_data::split::Folds;
use kd_image::{Sample, SampleId, SampleSource, SourceError, SubjectId};
use serde::Serialize;

use super::Context;
use super::training::{self, Job};
use crate::recipe::Folding;

/// Which part of the training subjects a teacher did not see; part of its run's identity.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) folding: Folding,
    pub(crate) fold: usize,
}

impl LeftOut {
    /// The teachers of all folds.
    pub(crate) fn each(folding: Folding) -> impl Iterator<Item = Self> {
        (0..folding.count).map(move |fold| Self { folding, fold })
    }
}

/// Teachers by fold, and the division that they keep to.
pub(crate) struct CrossFitted<const I: usize, const O: usize> {
    pub(crate) teacher: CrossFittedTeacher<I, O>,
    /// Names the division in the key of stored answers.
    pub(crate) key: String,
}

/// Trains, or opens, the teacher of every fold: as `whole` says, but on the samples of the other folds.
///
/// Early stopping and the choice of the epoch look at the same validation split as those of the teacher of all.
pub(crate) fn cross_fit<E, N, T, const D: usize, const I: usize, const O: usize>(
    context: &Context<'_, E>,
    whole: &Job<'_, T, D, I, O>,
    (folding, folds): (Folding, &Folds),
    id_of: impl Fn(LeftOut) -> Result<String>,
    init: impl Fn(&Device) -> N,
) -> Result<CrossFitted<I, O>>
where
    N: Network<I, O>,
    T: Task<D, I, O>,
{
    let mut members: Vec<Box<dyn Teacher<I, O>>> = Vec::with_capacity(folding.count);
    for left_out in LeftOut::each(folding) {
        let others = Others { source: whole.train, places: folds.learned_by(left_out.fold) };
        let job = Job {
            id: id_of(left_out)?,
            title: format!("{} without fold {} of {}", whole.title, left_out.fold + 1, folding.count),
            train: &others,
            ..*whole
        };
        let run = training::run(context, &job, init(&context.device.device.clone().autodiff()))?;
        let network = run.chosen.load_into(init(&context.device.device))?;
        members.push(Box::new(LiveTeacher::new::<I, O>(&network)));
    }
    Ok(CrossFitted { teacher: CrossFittedTeacher::new(members, folds.fold_of())?, key: folds.key() })
}

/// Divides training samples, with what each class is kept in proportion by.
pub(crate) fn divide<'a>(
    samples: impl Iterator<Item = (&'a SampleId, &'a SubjectId, &'a kd_image::Target)>,
    folding: Folding,
) -> Result<Folds> {
    let samples: Vec<_> = samples.collect();
    Folds::draw(&samples, folding.count, folding.seed).context("`teacher.folds`")
}

/// The samples of a source that a fold's teacher learns from.
struct Others<'a, const D: usize, A> {
    source: &'a dyn SampleSource<D, A>,
    places: Vec<usize>,
}

impl<const D: usize, A> SampleSource<D, A> for Others<'_, D, A> {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn id(&self, index: usize) -> &SampleId {
        self.source.id(self.places[index])
    }

    fn subject(&self, index: usize) -> &SubjectId {
        self.source.subject(self.places[index])
    }

    fn read(&self, index: usize) -> Result<Sample<D, A>, SourceError> {
        self.source.read(self.places[index])
    }

    fn read_view(&self, index: usize, view: u32) -> Result<Sample<D, A>, SourceError> {
        self.source.read_view(self.places[index], view)
    }
}
