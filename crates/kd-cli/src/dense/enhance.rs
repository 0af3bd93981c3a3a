//! Enhancement on its way through the stages: what a pair is, how it is answered, and what the answer is worth.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use kd_core::loss::{self, DistillLoss, LossError, Parameters, Sizes};
use kd_core::{Averaging, Committee, Network as _};
use kd_data::format::{NpyArray, NpyValue, StoredArray};
use kd_data::manifest::{Manifest, Task as DataTask};
use kd_data::prepare::{Blocks, DenseIntensity, DenseRequest, PairRequest, VolumeSet, prepare_pairs};
use kd_data::store::Element;
use kd_enhance::score::untouched;
use kd_enhance::{
    EnhanceTask, Metric, NetworkDesign, NetworkSpec, Region, RegionMetric, Restorer, ScoreRange, Unit,
    Views as PairViews, cost,
};
use kd_image::{Image, Intensity, SampleSource, Split};
use kd_metrics::{Grouping, ImagePair, Score};
use kd_report::{Exhibit, Fact, Task as ReportTask};
use serde::{Deserialize, Serialize};

use super::experiment::Scoring;
use super::{
    CaseTable, CaseValues, DenseExperiment, DensePrepared, DenseTask, Finished, MetricFacts, PackFacts, Sized, restored,
};
use crate::package::{AnyCard, Package, Provenance, SCHEMA};
use crate::recipe::{Arm, EnhanceRecipe, HardTerm, Source, TaskKind, TermTable, plan};
use crate::stage::Context;
use crate::stage::prepare::generate;

/// The fewest pixels along a side that the five scales of MS-SSIM take.
const MS_SSIM_SIDE: usize = 161;

/// What enhancement needs.
pub(crate) struct Enhance {
    training: EnhanceTask,
    pairs: PairRequest,
    blocks: Option<Blocks>,
    metrics: Vec<Metric>,
    regions: Vec<Region>,
    /// Of each region; empty where there are none.
    region_metrics: Vec<MetricFacts>,
    /// Name of the unit of intensities; empty where they have none.
    unit_name: &'static str,
    /// Whatever decides what a run learns.
    identity: String,
}

/// A student of enhancement, as its package describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnhanceCard {
    pub(crate) schema: u32,
    pub(crate) task: TaskKind,
    pub(crate) name: String,
    pub(crate) network: NetworkDesign,
    pub(crate) channels: usize,
    /// How an input is prepared; its intensity is undone on the answer.
    pub(crate) preparation: DenseRequest,
    /// What it learned to undo.
    pub(crate) degradation: String,
    pub(crate) parameters: u64,
    pub(crate) multiply_adds: u64,
    pub(crate) intended_use: String,
    pub(crate) provenance: Provenance,
}

impl AnyCard for EnhanceCard {
    fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    fn intended_use(&self) -> &str {
        &self.intended_use
    }
}

/// An experiment of enhancement.
pub(crate) type EnhanceExperiment = DenseExperiment<Enhance, NetworkSpec, NetworkDesign>;

/// Opens a data set and makes its pairs.
pub(crate) fn prepare(context: &Context<'_, EnhanceExperiment>) -> Result<DensePrepared<()>> {
    let (root, manifest, experiment) = (context.root, context.manifest, context.experiment);
    generate(context)?;
    let task = &experiment.task;
    let set = VolumeSet::open(root, manifest, experiment.leak_policy, task.blocks)?;
    let channels = manifest.image.channels;
    let mut store = prepare_pairs(&set, &task.pairs, channels, &manifest.content_hash(), &root.prepared())?;
    store.load()?;
    let test = store.positions(Split::Test);
    if test.is_empty() {
        bail!("no test slice\nhint: check the split of the data set");
    }
    Ok(DensePrepared {
        split_hash: set.split_hash().to_owned(),
        leaks: set.leaks().clone(),
        subjects: test.iter().map(|&position| store.entries()[position].subject.to_string()).collect(),
        subgroups: vec![None; test.len()],
        learned: test.len(),
        held_out: std::collections::BTreeSet::new(),
        cases: (),
        store: std::sync::Arc::new(store),
    })
}

/// Checks a recipe against the data set that it names.
pub(crate) fn experiment(source: &Source<EnhanceRecipe>, manifest: &Manifest) -> Result<EnhanceExperiment> {
    if manifest.task != DataTask::Enhancement {
        bail!(
            "recipe `{}` restores, data set `{}` is for {}\nhint: choose a data set of volumes without masks",
            source.name,
            manifest.name,
            manifest.task.name()
        );
    }
    build(source, manifest).with_context(|| format!("recipe `{}`", source.name))
}

fn build(source: &Source<EnhanceRecipe>, manifest: &Manifest) -> Result<EnhanceExperiment> {
    let recipe = &source.recipe;
    let data = &recipe.data;
    let channels = manifest.image.channels;
    ensure!(
        channels == 1,
        "images of `{}` have {channels} channels, expected 1: grey values are restored",
        manifest.name
    );
    let leak_policy = plan::leak_policy(&data.leak_policy)?;
    let mut table = recipe.augment.clone();
    let views = plan::views(&mut table)?;
    let kd_core::train::Views::Numbered { count } = views else {
        bail!("`augment.views` is fresh, expected a number: noise is made once for each numbered view");
    };
    let pair_views: PairViews = table.try_into().context("`augment`")?;
    let pairs = PairRequest {
        clean: DenseRequest {
            size: data.size.to_vec(),
            spacing_mm: data.spacing_mm.map(|mm| mm.to_vec()),
            intensity: data.intensity,
            element: Element::F32,
            objects: None,
        },
        degradation: data.degradation.clone(),
        seed: data.degradation_seed,
        n_views: count,
    };
    pairs.check()?;
    pairs.degradation.check(manifest.image.intensity).context("`data.degradation`")?;
    let DenseIntensity::Linear { offset, scale } = data.intensity else {
        bail!("`data.intensity` cannot be undone, expected \"linear\"");
    };
    let (unit, factor) = (Unit { offset, scale }, pairs.degradation.factor());
    let input = pairs.input();
    let size = [input.size[0], input.size[1]];
    let hard = data.hard_loss.iter().map(hard_term).collect::<Result<Vec<_>>>().context("`data.hard_loss`")?;
    let identity = serde_json::to_string(&(&data.hard_loss, &recipe.augment, &pairs))?;
    let training = EnhanceTask::new((size, factor), hard, (pair_views, 0), (unit, recipe.score.range))?;
    let view = training.view_size();
    let sized = |name: &str, design: &NetworkDesign| -> Result<Sized<NetworkSpec, NetworkDesign>> {
        let made = || -> Result<_> {
            let spec = design.clone().spec(channels)?;
            spec.check_input(view)?;
            ensure!(
                spec.factor() == factor,
                "answers are {} times as fine as inputs, expected {factor} as the degradation makes them",
                spec.factor()
            );
            Ok((cost(&spec, size)?, spec))
        };
        let (cost, spec) = made().with_context(|| format!("network `{name}`"))?;
        let (parameters, multiply_adds) = (cost.parameters, cost.multiply_adds);
        let points = size.iter().product();
        Ok(Sized { name: name.to_owned(), design: design.clone(), spec, parameters, multiply_adds, points })
    };
    let measures = Metric::VALIDATION.map(Metric::name);
    let (teacher_plan, student_plan) = plan::plans(recipe, views, |name, key| {
        ensure!(measures.contains(&name), "`{key}` is \"{name}\", expected one of {}", measures.join(", "));
        Ok(())
    })?;
    plan::check_names(recipe, &recipe.score.package)?;
    let sizes = Sizes {
        samples: recipe.student.train.batch_size,
        classes: channels,
        pixels: view.iter().map(|side| side * factor).product(),
    };
    let unit_name = if manifest.image.intensity == Intensity::Hounsfield { "HU" } else { "" };
    Region::check(&recipe.score.regions).context("`score.regions`")?;
    let metrics = metrics_of(&[data.size]);
    let facts: Vec<MetricFacts> =
        metrics.iter().map(|metric| facts_of(*metric, &recipe.score.range, unit_name)).collect();
    let place = |name: &String| Scoring::place(&facts, name, "score.secondary");
    let folding = recipe.teacher.folding()?;
    let arms: Vec<Arm> = recipe.arm.iter().map(|table| Arm::new(table, sizes, folding)).collect::<Result<_>>()?;
    if let Some(arm) = arms.iter().find(|arm| arm.terms.iter().any(|term| term.smoothing > 0.0)) {
        bail!("arm `{}` smooths labels, expected none: an image has no label", arm.name);
    }
    for (key, given) in [
        ("weights", recipe.teacher.weights.is_some()),
        ("calibrate", recipe.teacher.calibrate),
        ("train.label_smoothing", recipe.teacher.smoothing() > 0.0),
    ] {
        ensure!(!given, "`teacher.{key}` is set, which enhancement does not know\nhint: leave it out");
    }
    Ok(DenseExperiment {
        name: source.name.clone(),
        text: source.text.clone(),
        title: recipe.title.clone(),
        seeds: recipe.student.seeds.clone(),
        leak_policy,
        unit: data.unit.clone(),
        claim_limit: data.claim_limit.clone(),
        request: input,
        views,
        folding,
        teacher: sized(&recipe.teacher.name, &recipe.teacher.network)?,
        members: recipe.teacher.weights_without_experts()?,
        package: recipe.teacher.package.clone(),
        teacher_plan,
        smoothing: 0.0,
        students: recipe.student.size.iter().map(|size| sized(&size.name, &size.network)).collect::<Result<_>>()?,
        student_plan,
        arms,
        scoring: Scoring {
            primary: Scoring::place(&facts, &recipe.score.primary, "score.primary")?,
            secondary: recipe.score.secondary.iter().map(place).collect::<Result<_>>()?,
            metrics: facts,
            resamples: recipe.score.resamples,
            level: recipe.score.level,
            method: recipe.score.method.clone(),
            seed: recipe.score.seed,
            package: recipe.score.package.clone(),
        },
        task: Enhance {
            training,
            pairs,
            blocks: data.blocks,
            metrics,
            region_metrics: region_metrics(&recipe.score.regions, unit_name),
            regions: recipe.score.regions.clone(),
            unit_name,
            identity,
        },
    })
}

fn hard_term(term: &HardTerm) -> Result<(f64, loss::image::ImageDistance)> {
    let mut parameters = Parameters::new();
    for (key, value) in &term.parameters {
        let value = TermTable::value(value)
            .with_context(|| format!("`{key}` is {value}, expected a number, a flag or a text"))?;
        parameters.0.insert(key.clone(), value);
    }
    Ok((term.weight, loss::image_distance::<4>(&term.loss, &parameters)?))
}

/// The metrics that images of these heights and widths have: one that none has would be a column of gaps.
pub(crate) fn metrics_of(sizes: &[[usize; 2]]) -> Vec<Metric> {
    let large = sizes.iter().flatten().all(|&side| side >= MS_SSIM_SIDE);
    Metric::ALL.into_iter().filter(|metric| large || *metric != Metric::MsSsim).collect()
}

/// A metric of a report, with its policy.
pub(crate) fn facts_of(metric: Metric, range: &ScoreRange, unit_name: &'static str) -> MetricFacts {
    MetricFacts {
        name: metric.name().into(),
        label: metric.label().into(),
        definition: metric.definition().into(),
        policy: metric.policy(range),
        unit: metric.unit(unit_name).into(),
        decimals: match metric {
            Metric::Psnr | Metric::Rmse | Metric::Mae => 2,
            _ => 4,
        },
        higher_is_better: metric.higher_is_better(),
    }
}

/// What a report tells of each region; nothing where there are none.
fn region_metrics(regions: &[Region], unit_name: &'static str) -> Vec<MetricFacts> {
    let facts = |metric: RegionMetric| MetricFacts {
        name: metric.name().into(),
        label: metric.label().into(),
        definition: metric.definition().into(),
        policy: metric.policy(),
        unit: unit_name.into(),
        decimals: 2,
        higher_is_better: false,
    };
    if regions.is_empty() { Vec::new() } else { RegionMetric::ALL.map(facts).into() }
}

/// A test pair in the unit of the source.
struct Pair {
    input: Image<2>,
    truth: Image<2>,
}

impl Enhance {
    fn pair(&self, prepared: &DensePrepared<()>, case: usize) -> Result<Pair> {
        let sample = prepared.split::<2, Image<2>>(Split::Test).read(case)?;
        let of_source = |image: &Image<2>| {
            let values = self.training.unit().of_source(image.values());
            Image::new(image.channels(), image.geometry().clone(), image.intensity(), values)
        };
        Ok(Pair { input: of_source(&sample.image)?, truth: of_source(&sample.target)? })
    }

    fn values(&self, image: &[f32], truth: &Image<2>) -> Result<CaseValues> {
        let range = self.training.range();
        range.check(truth.values())?;
        let [scored, scored_truth] = [image, truth.values()].map(|values| range.applied(values));
        let pair = ImagePair::plane(truth.geometry().shape(), &scored, &scored_truth)?;
        let whole = self.metrics.iter().map(|metric| metric.within(range).score(&pair)).collect();
        Ok(CaseValues { whole, parts: self.of_regions(image, truth) })
    }

    /// Scores of each region, of intensities as they are: one that is no number, which a window clips, has none here.
    fn of_regions(&self, image: &[f32], truth: &Image<2>) -> Vec<Vec<Score>> {
        if self.regions.is_empty() {
            return Vec::new();
        }
        let [image, truth_values] =
            [image, truth.values()].map(|values| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>());
        let pair = ImagePair::plane(truth.geometry().shape(), &image, &truth_values);
        let scores = |region: &Region| match &pair {
            Ok(pair) => region.scores(pair),
            Err(undefined) => RegionMetric::ALL.map(|_| Err(undefined.clone())),
        };
        self.regions.iter().map(|region| scores(region).into()).collect()
    }

    /// An answer's values, in the unit of the source.
    fn answered(&self, answer: &StoredArray, truth: &Image<2>) -> Result<Vec<f32>> {
        let array = answer.floats()?;
        ensure!(
            array.shape == truth.geometry().shape(),
            "answer has {:?} pixels, expected {:?}",
            array.shape,
            truth.geometry().shape()
        );
        #[expect(clippy::cast_possible_truncation, reason = "it was written as f32")]
        Ok(array.values.iter().map(|&value| value as f32).collect())
    }
}

impl DenseTask<2, 4> for Enhance {
    type Answer = Image<2>;
    type Training = EnhanceTask;
    type Network = Restorer;
    type Spec = NetworkSpec;
    type Design = NetworkDesign;
    type Cases = ();

    fn training(&self) -> &EnhanceTask {
        &self.training
    }

    fn init(&self, spec: &NetworkSpec, device: &Device) -> Restorer {
        spec.init(device)
    }

    fn shapes(&self) -> [[usize; 4]; 2] {
        let [height, width] = self.training.view_size();
        let factor = self.training.factor();
        [[1, 1, height, width], [1, 1, height * factor, width * factor]]
    }

    fn classes(&self) -> Option<usize> {
        None
    }

    fn build(&self, name: &str, parameters: &Parameters) -> Result<Box<dyn DistillLoss<4>>, LossError> {
        loss::build_image::<4>(name, parameters)
    }

    fn soft_element(&self) -> Element {
        // Intensities of a scan need more than the 11 bits of a half: one Hounsfield unit in 2000 would be lost.
        Element::F32
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn parts(&self) -> Vec<String> {
        self.regions.iter().map(|region| region.name.clone()).collect()
    }

    fn part_metrics<'a>(&'a self, _whole: &'a [MetricFacts]) -> &'a [MetricFacts] {
        &self.region_metrics
    }

    fn class_counts(&self, _prepared: &DensePrepared<()>, _split: Split) -> Result<Vec<u64>> {
        Ok(Vec::new())
    }

    fn averaging(&self) -> Averaging {
        Averaging::Values
    }

    fn answer(
        &self,
        network: &Committee<Restorer>,
        prepared: &DensePrepared<()>,
        case: usize,
        device: &Device,
    ) -> Result<NpyValue> {
        let image = prepared.split::<2, Image<2>>(Split::Test).read(case)?.image;
        let [height, width] = image.geometry().shape();
        let input = TensorData::new(image.into_values(), [1, 1, height, width]);
        let answer = network.forward(Tensor::from_data(input, device)).into_data().convert::<f32>();
        let answer: Vec<f32> = answer.try_into_vec().expect("converted to f32 just before");
        let factor = self.training.factor();
        let shape = vec![height * factor, width * factor];
        Ok(NpyValue::F32(NpyArray { shape, values: self.training.unit().of_source(&answer) }))
    }

    fn judge(&self, prepared: &DensePrepared<()>, case: usize, answer: &StoredArray) -> Result<CaseValues> {
        let pair = self.pair(prepared, case)?;
        let values = self.answered(answer, &pair.truth)?;
        self.values(&values, &pair.truth)
    }

    fn do_nothing(&self, prepared: &DensePrepared<()>, grouping: &Grouping) -> Result<Option<(String, CaseTable)>> {
        let case = |case: usize| {
            let pair = self.pair(prepared, case)?;
            let input = untouched(&pair.input, &pair.truth)?;
            self.values(input.values(), &pair.truth)
        };
        let cases = (0..prepared.subjects.len()).map(case).collect::<Result<Vec<_>>>()?;
        let name = if self.training.factor() > 1 { "bicubic" } else { "do nothing" };
        Ok(Some((name.into(), CaseTable::new(&cases, grouping))))
    }

    fn picture(&self, prepared: &DensePrepared<()>, case: usize, answers: &[(String, StoredArray)]) -> Result<Exhibit> {
        let pair = self.pair(prepared, case)?;
        let shape = pair.truth.geometry().shape();
        let input = untouched(&pair.input, &pair.truth)?;
        #[expect(clippy::cast_possible_truncation, reason = "a window of grey values")]
        let window = self.training.range().bounds().map(|bound| bound as f32);
        let answers = answers.iter().map(|(name, answer)| Ok((name.clone(), self.answered(answer, &pair.truth)?)));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        restored::exhibit([pair.truth.values(), input.values()], &answers, shape, window, self.unit_name)
    }

    fn protocol(&self) -> Vec<Fact> {
        let fact = |name: &str, value: String| Fact { name: name.into(), value };
        let mut facts = vec![
            fact("Degradation", format!("{}; seed {}", self.pairs.degradation.protocol(), self.pairs.seed)),
            fact("Range of the scores", self.training.range().to_string()),
            fact("Grid of the scores", "that of the prepared slices, in the unit of the source".into()),
            fact("Preparation", format!("{:?}", self.pairs.clean)),
        ];
        if let Some(Blocks { slices, gap }) = self.blocks {
            facts
                .push(fact("Units of the split", format!("blocks of {slices} slices with {gap} left out between two")));
        }
        facts
    }

    fn kind(&self) -> ReportTask {
        ReportTask::Enhance
    }

    fn pack(
        &self,
        student: &Finished<'_, NetworkSpec, NetworkDesign>,
        facts: &PackFacts<'_>,
        folder: &Path,
    ) -> Result<()> {
        let card = EnhanceCard {
            schema: SCHEMA,
            task: TaskKind::Enhance,
            name: format!("{}_{}_{}", facts.manifest.name, student.student.name, student.arm),
            network: student.student.design.clone(),
            channels: 1,
            preparation: facts.preparation.clone(),
            degradation: self.pairs.degradation.protocol(),
            parameters: student.student.parameters,
            multiply_adds: student.student.multiply_adds,
            intended_use: facts.intended_use.to_owned(),
            provenance: facts.provenance(student),
        };
        let path = folder.join(format!("{}.kdp", card.name));
        Package { card, weights: student.run.chosen.clone() }.write(&path)
    }
}
