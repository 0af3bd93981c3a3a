//! Tasks with an answer for each point: what segmentation and enhancement share on their way through the stages.
//!
//! A task says through [`DenseTask`] how cases are prepared, what a network is, and what a case is worth; teaching,
//! learning, scoring and reporting are the same for both, and use what classification uses.

mod cases;
pub(crate) mod dry_run;
pub(crate) mod enhance;
mod experiment;
mod pictures;
mod record;
mod report;
mod restored;
pub(crate) mod segment;
pub(crate) mod segment_volume;
mod stages;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use burn::tensor::Device;
use kd_core::loss::{DistillLoss, LossError, Parameters};
use kd_core::{Averaging, Committee, Network, Task};
use kd_data::format::{NpyValue, StoredArray};
use kd_data::leak::LeakReport;
use kd_data::store::{DenseAnswer, DenseSource, DenseStore, Element};
use kd_image::{SampleId, Split};
use kd_metrics::{Grouping, Score};
use kd_report::{Exhibit, Fact, Task as ReportTask};
use serde::Serialize;

pub(crate) use cases::CaseTable;
pub(crate) use experiment::{DenseExperiment, Sized};
pub(crate) use report::{Finished, PackFacts};
pub(crate) use walk::DenseRoad;

/// A reported number: what it is called, what it means, and which way is better.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MetricFacts {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) definition: String,
    /// Everything that changes the number.
    pub(crate) policy: String,
    pub(crate) unit: String,
    pub(crate) decimals: u8,
    pub(crate) higher_is_better: bool,
}

/// A prepared data set.
pub(crate) struct DensePrepared<C> {
    pub(crate) store: Arc<DenseStore>,
    pub(crate) split_hash: String,
    pub(crate) leaks: LeakReport,
    /// What test cases are read from.
    pub(crate) cases: C,
    /// The subject of every scored test case, in their order.
    pub(crate) subjects: Vec<String>,
    /// The sort of image that each is, where sorts are told apart.
    pub(crate) subgroups: Vec<Option<String>>,
    /// So many of the first cases are of sorts that were learned from: those of the headline.
    pub(crate) learned: usize,
    /// Names of the others.
    pub(crate) held_out: BTreeSet<SampleId>,
}

/// A sort of images among the scored test cases.
pub(crate) struct Subgroup {
    pub(crate) name: String,
    pub(crate) held_out: bool,
    pub(crate) cases: Vec<usize>,
    pub(crate) grouping: Grouping,
}

impl<C> DensePrepared<C> {
    /// The sorts of images, those that were learned from first.
    pub(crate) fn sorts(&self) -> Result<Vec<Subgroup>> {
        let mut cases: BTreeMap<(bool, &str), Vec<usize>> = BTreeMap::new();
        for (case, subgroup) in self.subgroups.iter().enumerate() {
            if let Some(name) = subgroup {
                cases.entry((case >= self.learned, name)).or_default().push(case);
            }
        }
        let sort = |((held_out, name), cases): ((bool, &str), Vec<usize>)| {
            let subjects: Vec<&String> = cases.iter().map(|&case| &self.subjects[case]).collect();
            Ok(Subgroup { name: name.to_owned(), held_out, grouping: Grouping::new(&subjects)?, cases })
        };
        cases.into_iter().map(sort).collect()
    }

    /// The samples of a split.
    pub(crate) fn split<const D: usize, A>(&self, split: Split) -> DenseSource<D, A> {
        DenseSource::of_split(Arc::clone(&self.store), split)
    }
}

/// What a case is worth: each metric over all of it, and of each part (a class, a region) where there are parts.
pub(crate) struct CaseValues {
    /// In the order of the experiment's metrics.
    pub(crate) whole: Vec<Score>,
    /// For each part, in the order of the task's metrics of parts.
    pub(crate) parts: Vec<Vec<Score>>,
}

/// One of the tasks with an answer for each point, on images of `D` axes and batches of rank `I`.
pub(crate) trait DenseTask<const D: usize, const I: usize>: Sync {
    /// The answer that comes with a sample.
    type Answer: DenseAnswer<D> + Send;
    /// The task as the trainer sees it.
    type Training: Task<D, I, I, Answer = Self::Answer>;
    /// A network of teacher or student.
    type Network: Network<I, I>;
    /// A network's layout.
    type Spec: Display + Sync;
    /// A network as a recipe writes it; part of a run's identity.
    type Design: Serialize + Sync;
    /// What cases are read from.
    type Cases: Sync;

    /// The task as the trainer sees it.
    fn training(&self) -> &Self::Training;

    /// A network on a device.
    fn init(&self, spec: &Self::Spec, device: &Device) -> Self::Network;

    /// Shapes of a training input and of its answer, for a batch of one.
    fn shapes(&self) -> [[usize; I]; 2];

    /// How many classes there are, where each point of an answer has one.
    fn classes(&self) -> Option<usize>;

    /// A distillation loss on answers by its name.
    fn build(&self, name: &str, parameters: &Parameters) -> Result<Box<dyn DistillLoss<I>>, LossError>;

    /// How the teacher's stored answers are kept.
    fn soft_element(&self) -> Element;

    /// Whatever else decides what a run learns, as text: hard loss, classes, augmentation.
    fn identity(&self) -> String;

    /// Names of the parts that are scored by themselves.
    fn parts(&self) -> Vec<String>;

    /// The metrics of a part; `whole` are those of a whole case.
    fn part_metrics<'a>(&'a self, whole: &'a [MetricFacts]) -> &'a [MetricFacts] {
        whole
    }

    /// How often each class of the data set occurs in a split, where there are classes.
    fn class_counts(&self, prepared: &DensePrepared<Self::Cases>, split: Split) -> Result<Vec<u64>>;

    /// What of the answers of a teacher's members is averaged.
    fn averaging(&self) -> Averaging;

    /// Answers a scored test case; the array is kept, and all numbers follow from it.
    fn answer(
        &self,
        network: &Committee<Self::Network>,
        prepared: &DensePrepared<Self::Cases>,
        case: usize,
        device: &Device,
    ) -> Result<NpyValue>;

    /// What an answer is worth.
    fn judge(&self, prepared: &DensePrepared<Self::Cases>, case: usize, answer: &StoredArray) -> Result<CaseValues>;

    /// What doing nothing is worth, where that is an answer at all.
    fn do_nothing(
        &self,
        prepared: &DensePrepared<Self::Cases>,
        grouping: &Grouping,
    ) -> Result<Option<(String, CaseTable)>>;

    /// A case as pictures: the image, the truth, and each named answer.
    fn picture(
        &self,
        prepared: &DensePrepared<Self::Cases>,
        case: usize,
        answers: &[(String, StoredArray)],
    ) -> Result<Exhibit>;

    /// Facts of the protocol beside those that all tasks have.
    fn protocol(&self) -> Vec<Fact>;

    /// The task in a record.
    fn kind(&self) -> ReportTask;

    /// Writes a finished student as a package into a folder.
    fn pack(
        &self,
        student: &Finished<'_, Self::Spec, Self::Design>,
        facts: &PackFacts<'_>,
        folder: &Path,
    ) -> Result<()>;
}
