//! Segmentation on its way through the stages: what a case is, how it is answered, and what the answer is worth.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use burn::tensor::Device;
use kd_core::loss::{self, DistillLoss, LossError, Parameters, Sizes};
use kd_core::{Averaging, Committee};
use kd_data::format::{NpyArray, NpyValue, StoredArray};
use kd_data::leak::LeakPolicy;
use kd_data::manifest::{Manifest, MaskValues, Task as DataTask};
use kd_data::prepare::{Case, CaseSet, DenseRequest, ObjectTarget, Placement, prepare_cases};
use kd_data::store::Element;
use kd_image::{LabelMap, SampleSource, Split};
use kd_metrics::Grouping;
use kd_report::{Exhibit, Fact, Task as ReportTask};
use kd_segment::{
    Augmentation, CaseScores, Metric, NetworkDesign, NetworkSpec, ObjectMetric, SegmentTask, UNet, judge_case,
    judge_objects,
};
use serde::{Deserialize, Serialize};

use super::experiment::Scoring;
use super::segment_volume::{self, Answered, network_classes};
use super::{
    CaseTable, CaseValues, DenseExperiment, DensePrepared, DenseTask, Finished, MetricFacts, PackFacts, Sized, pictures,
};
use crate::package::{AnyCard, Package, Provenance, SCHEMA};
use crate::recipe::{Arm, HeadKind, SegmentRecipe, Source, TaskKind, plan};
use crate::stage::Context;
use crate::stage::prepare::generate;

/// Spacing of pictures, whose distances are then in pixels.
const PIXELS: [f64; 3] = [1.0; 3];

/// The cases of a data set, and those of its test split.
pub(crate) type SegmentCases = (CaseSet, Vec<usize>);

/// What segmentation on images of `D` axes needs.
pub(crate) struct Segment<const D: usize> {
    training: SegmentTask<D>,
    request: DenseRequest,
    channels: usize,
    classes: Vec<String>,
    tolerance_mm: f64,
    /// Whatever decides what a run learns.
    identity: String,
    patch: [usize; D],
}

/// A student of segmentation, as its package describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentCard {
    pub(crate) schema: u32,
    pub(crate) task: TaskKind,
    pub(crate) name: String,
    pub(crate) network: NetworkDesign,
    pub(crate) head: HeadKind,
    pub(crate) channels: usize,
    /// Class names by index, the background first.
    pub(crate) classes: Vec<String>,
    pub(crate) preparation: DenseRequest,
    pub(crate) parameters: u64,
    pub(crate) multiply_adds: u64,
    pub(crate) intended_use: String,
    pub(crate) provenance: Provenance,
}

impl AnyCard for SegmentCard {
    fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    fn intended_use(&self) -> &str {
        &self.intended_use
    }
}

/// An experiment of segmentation on images of `D` axes.
pub(crate) type SegmentExperiment<const D: usize> = DenseExperiment<Segment<D>, NetworkSpec<D>, NetworkDesign>;

/// Opens and prepares the cases of a data set.
pub(crate) fn prepare<const D: usize>(
    context: &Context<'_, SegmentExperiment<D>>,
) -> Result<DensePrepared<SegmentCases>> {
    let (root, manifest, experiment) = (context.root, context.manifest, context.experiment);
    generate(context)?;
    let set = CaseSet::open(root, manifest, experiment.leak_policy)?;
    let shape = (manifest.image.channels, network_classes(&manifest.classes, &experiment.request));
    let mut store = prepare_cases(&set, &experiment.request, shape, &manifest.content_hash(), &root.prepared())?;
    store.load()?;
    let mut test = set.positions(Split::Test);
    // What is held out comes last: the headline is over the others.
    test.sort_by_key(|&case| set.is_held_out(case));
    let learned = test.partition_point(|&case| !set.is_held_out(case));
    if learned == 0 {
        bail!("no test case\nhint: check the split of the data set");
    }
    Ok(DensePrepared {
        store: std::sync::Arc::new(store),
        split_hash: set.split_hash().to_owned(),
        leaks: set.leaks().clone(),
        subjects: test.iter().map(|&case| set.subject(case).to_string()).collect(),
        subgroups: test.iter().map(|&case| set.subgroup(case).map(str::to_owned)).collect(),
        learned,
        held_out: test[learned..].iter().map(|&case| set.sample(case).clone()).collect(),
        cases: (set, test),
    })
}

/// Checks a recipe against the data set that it names.
pub(crate) fn experiment<const D: usize>(
    source: &Source<SegmentRecipe>,
    manifest: &Manifest,
) -> Result<SegmentExperiment<D>> {
    if manifest.task != DataTask::Segmentation {
        bail!(
            "recipe `{}` segments, data set `{}` is for {}\nhint: choose a data set with masks",
            source.name,
            manifest.name,
            manifest.task.name()
        );
    }
    build(source, manifest).with_context(|| format!("recipe `{}`", source.name))
}

fn build<const D: usize>(source: &Source<SegmentRecipe>, manifest: &Manifest) -> Result<SegmentExperiment<D>> {
    let recipe = &source.recipe;
    let data = &recipe.data;
    let leak_policy: LeakPolicy = plan::leak_policy(&data.leak_policy)?;
    let mut table = recipe.augment.clone();
    let views = plan::views(&mut table)?;
    let augmentation: Augmentation = table.try_into().context("`augment`")?;
    augmentation.check(&data.size)?;
    let request = DenseRequest {
        size: data.size.clone(),
        spacing_mm: data.spacing_mm.clone(),
        intensity: data.intensity,
        element: Element::F32,
        objects: data.objects,
    };
    request.check()?;
    check_objects(&request, manifest, data.head)?;
    let (n_classes, channels) = (network_classes(&manifest.classes, &request), manifest.image.channels);
    let head = match data.head {
        HeadKind::OneChannel | HeadKind::Softmax => data.head.head(n_classes)?,
        other => bail!("`data.head` is {other:?}, expected \"one-channel\" or \"softmax\""),
    };
    let size: [usize; D] = data.size.clone().try_into().map_err(|_| {
        anyhow::anyhow!("`data.size` is {:?}, expected [height, width] or [depth, height, width]", data.size)
    })?;
    let patch = augmentation.patch.clone().map_or(size, |patch| std::array::from_fn(|axis| patch[axis]));
    let identity = serde_json::to_string(&(&data.head, &data.hard_loss, &manifest.classes, &recipe.augment))?;
    let training = SegmentTask::new(head, n_classes, data.hard_loss.clone(), augmentation, 0)?;
    let task = Segment {
        training,
        request: request.clone(),
        channels,
        classes: manifest.classes.clone(),
        tolerance_mm: recipe.score.tolerance_mm,
        identity,
        patch,
    };
    let sized = |name: &str, design: &NetworkDesign| -> Result<Sized<NetworkSpec<D>, NetworkDesign>> {
        let made = || -> Result<_> {
            let spec = design.clone().spec::<D>(channels, head.n_outputs())?;
            spec.check_input(patch)?;
            let cost = spec.cost(size)?;
            Ok((spec, cost))
        };
        let (spec, cost) = made().with_context(|| format!("network `{name}`"))?;
        let (parameters, multiply_adds) = (cost.parameters, cost.multiply_adds);
        let points = size.iter().product();
        Ok(Sized { name: name.to_owned(), design: design.clone(), spec, parameters, multiply_adds, points })
    };
    let measures: Vec<String> =
        std::iter::once("dice".to_owned()).chain((1..n_classes).map(|class| format!("dice_{class}"))).collect();
    let (teacher_plan, student_plan) = plan::plans(recipe, views, |name, key| {
        if measures.iter().any(|measure| measure == name) {
            return Ok(());
        }
        bail!("`{key}` is \"{name}\", expected one of {}", measures.join(", "))
    })?;
    plan::check_names(recipe, &recipe.score.package)?;
    let points = patch.iter().product();
    let sizes = Sizes { samples: recipe.student.train.batch_size, classes: head.n_outputs(), pixels: points };
    let metrics = metric_facts(recipe.score.tolerance_mm, task.request.objects.is_some());
    let place = |name: &String| Scoring::place(&metrics, name, "score.secondary");
    let folding = recipe.teacher.folding()?;
    let experiment = DenseExperiment {
        name: source.name.clone(),
        text: source.text.clone(),
        title: recipe.title.clone(),
        seeds: recipe.student.seeds.clone(),
        leak_policy,
        unit: data.unit.clone(),
        claim_limit: data.claim_limit.clone(),
        request,
        task,
        views,
        folding,
        teacher: sized(&recipe.teacher.name, &recipe.teacher.network)?,
        members: recipe.teacher.weights_without_experts()?,
        package: recipe.teacher.package.clone(),
        teacher_plan,
        smoothing: recipe.teacher.smoothing(),
        students: recipe.student.size.iter().map(|size| sized(&size.name, &size.network)).collect::<Result<_>>()?,
        student_plan,
        arms: recipe.arm.iter().map(|table| Arm::new(table, sizes, folding)?.without_truth()).collect::<Result<_>>()?,
        scoring: Scoring {
            primary: Scoring::place(&metrics, &recipe.score.primary, "score.primary")?,
            secondary: recipe.score.secondary.iter().map(place).collect::<Result<_>>()?,
            metrics,
            resamples: recipe.score.resamples,
            level: recipe.score.level,
            method: recipe.score.method.clone(),
            seed: recipe.score.seed,
            package: recipe.score.package.clone(),
        },
    };
    for (key, given) in [("weights", recipe.teacher.weights.is_some()), ("calibrate", recipe.teacher.calibrate)] {
        if given {
            bail!("`teacher.{key}` is set, which segmentation does not know\nhint: leave it out");
        }
    }
    Ok(experiment)
}

/// The metrics of a report, with their policies.
pub(crate) fn metric_facts(tolerance_mm: f64, objects: bool) -> Vec<MetricFacts> {
    let facts = |metric: &Metric| MetricFacts {
        name: metric.name().into(),
        label: metric.label().into(),
        definition: metric.definition().into(),
        policy: metric.policy(tolerance_mm),
        unit: metric.unit().into(),
        decimals: if metric.unit().is_empty() { 3 } else { 2 },
        higher_is_better: metric.higher_is_better(),
    };
    let of_objects = |metric: &ObjectMetric| MetricFacts {
        name: metric.name().into(),
        label: metric.label().into(),
        definition: metric.definition().into(),
        policy: metric.policy().into(),
        unit: String::new(),
        decimals: 3,
        higher_is_better: true,
    };
    let objects: &[ObjectMetric] = if objects { &ObjectMetric::ALL } else { &[] };
    Metric::ALL.iter().map(facts).chain(objects.iter().map(of_objects)).collect()
}

/// Objects are known where masks number them, and a border is a class of its own.
fn check_objects(request: &DenseRequest, manifest: &Manifest, head: HeadKind) -> Result<()> {
    let Some(objects) = request.objects else { return Ok(()) };
    if manifest.mask != Some(MaskValues::Instances) {
        bail!("`data.objects` is set, and the masks of `{}` tell classes alone\nhint: leave it out", manifest.name);
    }
    if head == HeadKind::OneChannel && objects.border > 0 {
        bail!(
            "`data.objects.border` is {}, and a one-channel head has no class for it\nhint: write `border = 0`, or `head = \"softmax\"`",
            objects.border
        );
    }
    Ok(())
}

impl<const D: usize> Segment<D> {
    /// An answer as it was kept.
    fn kept(&self, answer: &StoredArray, truth: &LabelMap<3>) -> Result<Answered> {
        let array = answer.integers()?;
        let numbers = array.values.iter().map(|&number| u16::try_from(number)).collect::<Result<_, _>>()?;
        let n_labels = if self.request.objects.is_some() { usize::from(u16::MAX) + 1 } else { self.classes.len() };
        let map = LabelMap::new(truth.geometry().clone(), numbers, n_labels)?;
        match self.request.objects {
            Some(_) => Answered::of_objects(map),
            None => Ok(Answered { labels: map, objects: None }),
        }
    }

    /// What a case is worth.
    fn values(&self, case: &Case, answer: &Answered) -> Result<CaseValues> {
        let spacing = case.labels.geometry().spacing_mm().unwrap_or(PIXELS);
        let CaseScores { mut whole, classes: mut parts } =
            judge_case(&case.labels, &answer.labels, spacing, self.tolerance_mm)?;
        if let (Some(truth), Some(objects)) = (&case.instances, &answer.objects) {
            let scores = judge_objects(truth, objects)?;
            // The objects are those of the one foreground class.
            parts.iter_mut().for_each(|part| part.extend(scores.clone()));
            whole.extend(scores);
        }
        Ok(CaseValues { whole, parts })
    }
}

macro_rules! dense {
    ($axes:literal, $rank:literal) => {
        impl DenseTask<$axes, $rank> for Segment<$axes> {
            type Answer = LabelMap<$axes>;
            type Training = SegmentTask<$axes>;
            type Network = UNet<$rank>;
            type Spec = NetworkSpec<$axes>;
            type Design = NetworkDesign;
            type Cases = SegmentCases;

            fn training(&self) -> &SegmentTask<$axes> {
                &self.training
            }

            fn init(&self, spec: &NetworkSpec<$axes>, device: &Device) -> UNet<$rank> {
                spec.init(device)
            }

            fn shapes(&self) -> [[usize; $rank]; 2] {
                let shape = |channels: usize| {
                    let mut shape = [1; $rank];
                    shape[1] = channels;
                    shape[2..].copy_from_slice(&self.patch);
                    shape
                };
                [shape(self.channels), shape(self.training.head().n_outputs())]
            }

            fn classes(&self) -> Option<usize> {
                Some(self.training.n_classes())
            }

            fn build(&self, name: &str, parameters: &Parameters) -> Result<Box<dyn DistillLoss<$rank>>, LossError> {
                loss::build::<$rank>(name, parameters, self.training.head())
            }

            fn soft_element(&self) -> Element {
                Element::F16 // A logit keeps 11 bits, at half the room.
            }

            fn identity(&self) -> String {
                self.identity.clone()
            }

            fn parts(&self) -> Vec<String> {
                self.classes.iter().skip(1).cloned().collect()
            }

            fn class_counts(&self, prepared: &DensePrepared<Self::Cases>, split: Split) -> Result<Vec<u64>> {
                let source = prepared.split::<$axes, LabelMap<$axes>>(split);
                let mut counts = vec![0; self.classes.len()];
                let positions = prepared.store.positions(split);
                for (index, &position) in positions.iter().enumerate() {
                    if prepared.held_out.contains(&prepared.store.entries()[position].case) {
                        continue;
                    }
                    let labels = source.read(index)?.target;
                    let mut shown = vec![false; counts.len()];
                    labels.labels().iter().for_each(|&label| {
                        if let Some(shown) = shown.get_mut(usize::from(label)) {
                            *shown = true;
                        }
                    });
                    counts.iter_mut().zip(shown).for_each(|(count, shown)| *count += u64::from(shown));
                }
                Ok(counts)
            }

            fn averaging(&self) -> Averaging {
                Averaging::of(self.training.head())
            }

            fn answer(
                &self,
                network: &Committee<UNet<$rank>>,
                prepared: &DensePrepared<Self::Cases>,
                case: usize,
                device: &Device,
            ) -> Result<NpyValue> {
                let (set, test) = &prepared.cases;
                let image = set.read(test[case])?.image;
                let head = self.training.head();
                let Answered { labels, objects } =
                    segment_volume::answer(network, &image, &self.request, head, device)?;
                let shape = labels.geometry().shape().to_vec();
                if let Some(objects) = objects {
                    return Ok(NpyValue::U16(NpyArray { shape, values: objects.labels().to_vec() }));
                }
                let values = labels.labels().iter().map(|&label| u8::try_from(label)).collect::<Result<_, _>>();
                let values = values.context("more classes than 255")?;
                Ok(NpyValue::U8(NpyArray { shape, values }))
            }

            fn judge(
                &self,
                prepared: &DensePrepared<Self::Cases>,
                case: usize,
                answer: &StoredArray,
            ) -> Result<CaseValues> {
                let (set, test) = &prepared.cases;
                let case = set.read(test[case])?;
                self.values(&case, &self.kept(answer, &case.labels)?)
            }

            fn do_nothing(
                &self,
                _prepared: &DensePrepared<Self::Cases>,
                _grouping: &Grouping,
            ) -> Result<Option<(String, CaseTable)>> {
                Ok(None)
            }

            fn picture(
                &self,
                prepared: &DensePrepared<Self::Cases>,
                case: usize,
                answers: &[(String, StoredArray)],
            ) -> Result<Exhibit> {
                let (set, test) = &prepared.cases;
                let case = set.read(test[case])?;
                // Shown in the orientation and size that the networks see.
                let placement = Placement::new(case.image.geometry(), &self.request)?;
                let image = placement.image(&case.image)?;
                // Objects by number where they are told apart, else classes.
                let numbered = case.instances.as_ref().filter(|_| self.request.objects.is_some());
                let truth = placement.labels(numbered.unwrap_or(&case.labels))?;
                let [depth, height, width] = image.geometry().shape();
                let foreground =
                    |n: &usize| pictures::slice_of_labels(&truth, *n).iter().filter(|label| **label > 0).count();
                let n = (0..depth).max_by_key(foreground).unwrap_or(0);
                let (values, shape) = (pictures::slice(&image, n), [height, width]);
                let range = pictures::range(values);
                let mut panels = vec![pictures::grey("image", values, shape, range)?];
                let labels = pictures::slice_of_labels(&truth, n);
                panels.push(pictures::coloured("truth", (values, labels), shape, range)?);
                for (name, answer) in answers {
                    let Answered { labels, objects } = self.kept(answer, &case.labels)?;
                    let map = placement.labels(objects.as_ref().unwrap_or(&labels))?;
                    let labels = pictures::slice_of_labels(&map, n);
                    panels.push(pictures::coloured(name, (values, labels), shape, range)?);
                }
                let caption = format!("Slice {} of {depth}, where the truth is largest.", n + 1);
                Ok(Exhibit { title: String::new(), caption, rows: vec![panels] })
            }

            fn protocol(&self) -> Vec<Fact> {
                let fact = |name: &str, value: String| Fact { name: name.into(), value };
                let mut facts = vec![
                    fact("Grid of the scores", "that of the source files".into()),
                    fact("Preparation", format!("{:?}", self.request)),
                ];
                if let Some(ObjectTarget { border, min_points }) = self.request.objects {
                    let of = match border {
                        0 => "components joined by faces".to_owned(),
                        border => format!("grown from insides into borders of {border} points"),
                    };
                    facts.push(fact("Objects", format!("{of}; none below {min_points} points")));
                }
                facts
            }

            fn kind(&self) -> ReportTask {
                ReportTask::Segment
            }

            fn pack(
                &self,
                student: &Finished<'_, NetworkSpec<$axes>, NetworkDesign>,
                facts: &PackFacts<'_>,
                folder: &Path,
            ) -> Result<()> {
                let head = if self.training.head().is_bernoulli() { HeadKind::OneChannel } else { HeadKind::Softmax };
                let card = SegmentCard {
                    schema: SCHEMA,
                    task: TaskKind::Segment,
                    name: format!("{}_{}_{}", facts.manifest.name, student.student.name, student.arm),
                    network: student.student.design.clone(),
                    head,
                    channels: self.channels,
                    classes: self.classes.clone(),
                    preparation: facts.preparation.clone(),
                    parameters: student.student.parameters,
                    multiply_adds: student.student.multiply_adds,
                    intended_use: facts.intended_use.to_owned(),
                    provenance: facts.provenance(student),
                };
                let path = folder.join(format!("{}.kdp", card.name));
                Package { card, weights: student.run.chosen.clone() }.write(&path)
            }
        }
    };
}

dense!(2, 4);
dense!(3, 5);
