//! Segmentation on its way through the stages: what a case is, how it is answered, and what the answer is worth.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use burn::tensor::{Device, Tensor, TensorData};
use kd_core::loss::{self, DistillLoss, LossError, Parameters, Sizes};
use kd_core::{Head, Network};
use kd_data::format::{NpyArray, NpyValue, StoredArray};
use kd_data::leak::LeakPolicy;
use kd_data::manifest::{Manifest, Task as DataTask};
use kd_data::prepare::{CaseSet, DenseRequest, Placement, prepare_cases};
use kd_data::store::Element;
use kd_image::{Geometry, Image, LabelMap, SampleSource, Split};
use kd_metrics::Grouping;
use kd_report::{Exhibit, Fact, Task as ReportTask};
use kd_segment::{
    Augmentation, Metric, NetworkDesign, NetworkSpec, SegmentTask, SlidingWindow, UNet, Weighting, judge_case,
    named_classes,
};
use serde::{Deserialize, Serialize};

use super::experiment::Scoring;
use super::{
    CaseTable, CaseValues, DenseExperiment, DensePrepared, DenseTask, Finished, MetricFacts, PackFacts, Sized, pictures,
};
use crate::package::{AnyCard, HeadKind, Package, Provenance, SCHEMA};
use crate::recipe::{Arm, SegmentRecipe, Source, TaskKind, plan};
use crate::stage::Context;
use crate::stage::prepare::generate;

/// Slices that a network sees at once where slices are the samples.
const SLICES_AT_ONCE: usize = 16;
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

/// Share of a patch that its neighbour covers too, where an image is larger than what the network learned on.
const OVERLAP: f64 = 0.5;

/// A network that segments volumes of any size.
pub(crate) trait SegmentVolume {
    /// A volume through a network: prepared, answered slice by slice or as a whole, and back on its own grid.
    ///
    /// What is larger than the prepared size is answered by a sliding window, so nothing is left out.
    fn segment_volume(
        &self,
        image: &Image<3>,
        request: &DenseRequest,
        head: Head,
        device: &Device,
    ) -> Result<LabelMap<3>>;
}

impl SegmentVolume for UNet<4> {
    fn segment_volume(
        &self,
        image: &Image<3>,
        request: &DenseRequest,
        head: Head,
        device: &Device,
    ) -> Result<LabelMap<3>> {
        let placement = Placement::covering(image.geometry(), request)?;
        let prepared = request.image(&placement, image)?;
        let [depth, height, width] = prepared.geometry().shape();
        let (channels, outputs, points) = (prepared.channels(), head.n_outputs(), height * width);
        let slice = |n: usize| -> Vec<f32> {
            let part = |channel| &prepared.channel(channel)[n * points..(n + 1) * points];
            (0..channels).flat_map(|channel| part(channel).iter().copied()).collect()
        };
        let mut labels = Vec::with_capacity(depth * points);
        if request.size == [height, width] {
            for start in (0..depth).step_by(SLICES_AT_ONCE) {
                let end = depth.min(start + SLICES_AT_ONCE);
                let values: Vec<f32> = (start..end).flat_map(slice).collect();
                let input = TensorData::new(values, [end - start, channels, height, width]);
                let logits = host(self.forward(Tensor::from_data(input, device)));
                labels.extend(logits.chunks_exact(outputs * points).flat_map(|one| named_classes(one, outputs)));
            }
        } else {
            let window = window([request.size[0], request.size[1]]);
            let grid = Geometry::<2>::without_spacing([height, width])?;
            for n in 0..depth {
                let plane = Image::new(channels, grid.clone(), prepared.intensity(), slice(n))?;
                labels.extend_from_slice(window.segment(self, &plane, head, None, device)?.labels.labels());
            }
        }
        Ok(placement.labels_back(&LabelMap::new(prepared.geometry().clone(), labels, n_classes(head))?)?)
    }
}

impl SegmentVolume for UNet<5> {
    fn segment_volume(
        &self,
        image: &Image<3>,
        request: &DenseRequest,
        head: Head,
        device: &Device,
    ) -> Result<LabelMap<3>> {
        let placement = Placement::covering(image.geometry(), request)?;
        let prepared = request.image(&placement, image)?;
        let [depth, height, width] = prepared.geometry().shape();
        let answer = if request.size == [depth, height, width] {
            let shape = [1, prepared.channels(), depth, height, width];
            let input = Tensor::from_data(TensorData::new(prepared.values().to_vec(), shape), device);
            let labels = named_classes(&host(self.forward(input)), head.n_outputs());
            LabelMap::new(prepared.geometry().clone(), labels, n_classes(head))?
        } else {
            let window = window([request.size[0], request.size[1], request.size[2]]);
            window.segment(self, &prepared, head, None, device)?.labels
        };
        Ok(placement.labels_back(&answer)?)
    }
}

fn window<const D: usize>(patch: [usize; D]) -> SlidingWindow<D> {
    SlidingWindow { patch, overlap: OVERLAP, weighting: Weighting::Gaussian, mirror: Vec::new() }
}

fn n_classes(head: Head) -> usize {
    if head.is_bernoulli() { 2 } else { head.n_outputs() }
}

fn host<const I: usize>(tensor: Tensor<I>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before")
}

/// Opens and prepares the cases of a data set.
pub(crate) fn prepare<const D: usize>(
    context: &Context<'_, SegmentExperiment<D>>,
) -> Result<DensePrepared<SegmentCases>> {
    let (root, manifest, experiment) = (context.root, context.manifest, context.experiment);
    generate(context)?;
    let set = CaseSet::open(root, manifest, experiment.leak_policy)?;
    let shape = (manifest.image.channels, manifest.classes.len());
    let mut store = prepare_cases(&set, &experiment.request, shape, &manifest.content_hash(), &root.prepared())?;
    store.load()?;
    let test = set.positions(Split::Test);
    if test.is_empty() {
        bail!("no test case\nhint: check the split of the data set");
    }
    Ok(DensePrepared {
        store: std::sync::Arc::new(store),
        split_hash: set.split_hash().to_owned(),
        leaks: set.leaks().clone(),
        subjects: test.iter().map(|&case| set.subject(case).to_string()).collect(),
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
    let (n_classes, channels) = (manifest.classes.len(), manifest.image.channels);
    let head = match data.head {
        HeadKind::OneChannel | HeadKind::Softmax => data.head.head(n_classes)?,
        other => bail!("`data.head` is {other:?}, expected \"one-channel\" or \"softmax\""),
    };
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
    };
    request.check()?;
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
        Ok(Sized { name: name.to_owned(), design: design.clone(), spec, parameters, multiply_adds })
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
    let metrics = metric_facts(recipe.score.tolerance_mm);
    let place = |name: &String| Scoring::place(&metrics, name, "score.secondary");
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
        teacher: sized(&recipe.teacher.name, &recipe.teacher.network)?,
        teacher_plan,
        smoothing: recipe.teacher.train.label_smoothing.unwrap_or(0.0),
        students: recipe.student.size.iter().map(|size| sized(&size.name, &size.network)).collect::<Result<_>>()?,
        student_plan,
        arms: recipe.arm.iter().map(|table| Arm::new(table, sizes)?.without_truth()).collect::<Result<_>>()?,
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
pub(crate) fn metric_facts(tolerance_mm: f64) -> Vec<MetricFacts> {
    let facts = |metric: &Metric| MetricFacts {
        name: metric.name().into(),
        label: metric.label().into(),
        definition: metric.definition().into(),
        policy: metric.policy(tolerance_mm),
        unit: metric.unit().into(),
        decimals: if metric.unit().is_empty() { 3 } else { 2 },
        higher_is_better: metric.higher_is_better(),
    };
    Metric::ALL.iter().map(facts).collect()
}

impl<const D: usize> Segment<D> {
    fn labels(&self, answer: &StoredArray, truth: &LabelMap<3>) -> Result<LabelMap<3>> {
        let array = answer.bytes()?;
        let labels = array.values.iter().map(|&label| label.into()).collect();
        Ok(LabelMap::new(truth.geometry().clone(), labels, self.classes.len())?)
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
                for index in 0..source.len() {
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

            fn answer(
                &self,
                network: &UNet<$rank>,
                prepared: &DensePrepared<Self::Cases>,
                case: usize,
                device: &Device,
            ) -> Result<NpyValue> {
                let (set, test) = &prepared.cases;
                let image = set.read(test[case])?.image;
                let head = self.training.head();
                let labels = network.segment_volume(&image, &self.request, head, device)?;
                let values = labels.labels().iter().map(|&label| u8::try_from(label)).collect::<Result<_, _>>();
                let values = values.context("more classes than 255")?;
                Ok(NpyValue::U8(NpyArray { shape: labels.geometry().shape().to_vec(), values }))
            }

            fn judge(
                &self,
                prepared: &DensePrepared<Self::Cases>,
                case: usize,
                answer: &StoredArray,
            ) -> Result<CaseValues> {
                let (set, test) = &prepared.cases;
                let truth = set.read(test[case])?.labels;
                let spacing = truth.geometry().spacing_mm().unwrap_or(PIXELS);
                let scores = judge_case(&truth, &self.labels(answer, &truth)?, spacing, self.tolerance_mm)?;
                Ok(CaseValues { whole: scores.whole, parts: scores.classes })
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
                let truth = placement.labels(&case.labels)?;
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
                    let map = placement.labels(&self.labels(answer, &case.labels)?)?;
                    let labels = pictures::slice_of_labels(&map, n);
                    panels.push(pictures::coloured(name, (values, labels), shape, range)?);
                }
                let caption = format!("Slice {} of {depth}, where the truth is largest.", n + 1);
                Ok(Exhibit { title: String::new(), caption, panels })
            }

            fn protocol(&self) -> Vec<Fact> {
                vec![
                    Fact { name: "Grid of the scores".into(), value: "that of the source files".into() },
                    Fact { name: "Preparation".into(), value: format!("{:?}", self.request) },
                ]
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
