//! A recipe together with its data set: networks, losses and plans that are known to fit each other.

use anyhow::{Context, Result, bail};
use kd_classify::{Augmentation, ClassWeights, ClassifyTask, Cost, Metric, NetworkSpec, cost};
use kd_core::loss::{self, Sizes};
use kd_core::train::{Decay, EarlyStop, OptimizerPlan, Plan, Schedule, Views};
use kd_core::{Head, Objective, Term, TermKind};
use kd_data::leak::LeakPolicy;
use kd_data::manifest::{Manifest, Task as DataTask};
use kd_data::prepare::{Channels, NormalizationRequest, PrepareRequest, Resize};
use kd_data::store::Element;

use super::terms::{ArmTerm, TASK, term_of};
use super::{ArmTable, DecayTable, OptimizerTable, Recipe, Source, TrainTable};
use crate::package::HeadKind;

/// The teacher, checked.
pub(crate) struct Teacher {
    pub(crate) name: String,
    pub(crate) spec: NetworkSpec,
    pub(crate) cost: Cost,
    pub(crate) plan: Plan,
    pub(crate) smoothing: f64,
    /// Trained weights to start from, and whether their head is taken too.
    pub(crate) weights: Option<(String, bool)>,
}

/// One size of student, checked.
pub(crate) struct Student {
    pub(crate) name: String,
    pub(crate) spec: NetworkSpec,
    pub(crate) cost: Cost,
}

/// One way of learning, checked.
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) note: Option<String>,
    pub(crate) unlabelled: bool,
    pub(crate) terms: Vec<ArmTerm>,
}

impl Arm {
    /// Whether any term looks at a teacher.
    pub(crate) fn distills(&self) -> bool {
        self.terms.iter().any(|term| term.table.loss != TASK)
    }

    /// Builds the objective anew: losses are not copied.
    pub(crate) fn objective(&self, head: Head) -> Result<Objective<2>> {
        let terms = self.terms.iter().map(|term| {
            let kind = if term.table.loss == TASK {
                TermKind::Task { smoothing: term.smoothing }
            } else {
                TermKind::Distill(loss::build::<2>(&term.table.loss, &term.parameters, head)?)
            };
            Ok(Term { name: term.table.name().to_owned(), weight: term.weight, ramp: term.ramp, kind })
        });
        let terms = terms.collect::<Result<Vec<_>>>().with_context(|| format!("arm `{}`", self.name))?;
        Objective::new(terms).with_context(|| format!("arm `{}`", self.name))
    }
}

/// An experiment whose parts fit.
pub(crate) struct Experiment {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) recipe: Recipe,
    pub(crate) head: Head,
    pub(crate) n_classes: usize,
    pub(crate) leak_policy: LeakPolicy,
    pub(crate) prepare: PrepareRequest,
    pub(crate) task: ClassifyTask,
    pub(crate) views: Views,
    pub(crate) teacher: Teacher,
    pub(crate) students: Vec<Student>,
    /// Without a seed, which each run puts in.
    pub(crate) student_plan: Plan,
    pub(crate) arms: Vec<Arm>,
    pub(crate) primary: Metric,
    pub(crate) secondary: Vec<Metric>,
}

impl Experiment {
    /// Checks a recipe against the data set that it names.
    pub(crate) fn new(source: &Source, manifest: &Manifest) -> Result<Self> {
        let data = &source.recipe.data;
        let fits = match manifest.task {
            DataTask::Binary => matches!(data.head, HeadKind::OneChannel | HeadKind::Softmax),
            DataTask::MultiClass => data.head == HeadKind::Softmax,
            DataTask::MultiLabel => data.head == HeadKind::MultiLabel,
            DataTask::Ordinal => matches!(data.head, HeadKind::Ordinal | HeadKind::Softmax),
            _ => false,
        };
        if !fits {
            bail!(
                "recipe `{}`: `data.head` is {:?}, which does not fit a {} data set\nhint: binary takes one-channel or softmax, multi-class softmax, multi-label multi-label, ordinal ordinal or softmax",
                source.name,
                data.head,
                manifest.task.name()
            );
        }
        Self::build(source, manifest.classes.len()).with_context(|| format!("recipe `{}`", source.name))
    }

    /// Checks all that can be checked before the data set is there.
    #[cfg(test)]
    pub(crate) fn without_manifest(source: &Source) -> Result<Self> {
        let n_classes = if source.recipe.data.head == HeadKind::OneChannel { 2 } else { 3 };
        Self::build(source, n_classes)
    }

    fn build(source: &Source, n_classes: usize) -> Result<Self> {
        let recipe = source.recipe.clone();
        let head = recipe.data.head.head(n_classes)?;
        let leak_policy = LeakPolicy::of_name(&recipe.data.leak_policy).with_context(|| {
            format!("`data.leak_policy` is \"{}\", expected \"stop\" or \"drop-from-train\"", recipe.data.leak_policy)
        })?;
        let (views, augmentation) = augmentation(&recipe)?;
        let weights = recipe.data.class_weights.clone().map_or(ClassWeights::Equal, ClassWeights::Given);
        // The key of the views belongs to the recipe's augmentation, so that arms and seeds share them.
        let task = ClassifyTask::new(head, n_classes, weights, augmentation, 0)?;
        let size = recipe.data.size;
        let spec = |network: &kd_classify::NetworkDesign, name: &str| -> Result<(NetworkSpec, Cost)> {
            let spec = network
                .clone()
                .spec(recipe.data.channels, head.n_outputs())
                .with_context(|| format!("network `{name}`"))?;
            let cost = cost(&spec, size).with_context(|| format!("network `{name}`"))?;
            Ok((spec, cost))
        };
        let primary = metric(&recipe.score.primary, head, "score.primary")?;
        let secondary =
            recipe.score.secondary.iter().map(|name| metric(name, head, "score.secondary")).collect::<Result<_>>()?;
        let teacher_plan =
            plan(&recipe.teacher.train, views, recipe.teacher.train.seed.unwrap_or(0), "teacher.train", head)?;
        let (teacher_spec, teacher_cost) = spec(&recipe.teacher.network, &recipe.teacher.name)?;
        let teacher = Teacher {
            name: recipe.teacher.name.clone(),
            spec: teacher_spec,
            cost: teacher_cost,
            plan: teacher_plan,
            smoothing: recipe.teacher.train.label_smoothing.unwrap_or(0.0),
            weights: teacher_weights(&recipe)?,
        };
        for (key, given) in [
            ("seed", recipe.student.train.seed.is_some()),
            ("label_smoothing", recipe.student.train.label_smoothing.is_some()),
        ] {
            if given {
                bail!(
                    "`student.train.{key}` is set, expected it to be absent\nhint: seeds stand in `student.seeds`, smoothing in the arm's task term"
                );
            }
        }
        let student_plan = plan(&recipe.student.train, views, 0, "student.train", head)?;
        let students = recipe
            .student
            .size
            .iter()
            .map(|size| {
                spec(&size.network, &size.name).map(|(spec, cost)| Student { name: size.name.clone(), spec, cost })
            })
            .collect::<Result<Vec<_>>>()?;
        unique("student.size", students.iter().map(|student| student.name.as_str()))?;
        unique("arm", recipe.arm.iter().map(|arm| arm.name.as_str()))?;
        let arms = recipe.arm.iter().map(|table| arm(table, head, &recipe)).collect::<Result<Vec<_>>>()?;
        check_package(&recipe)?;
        let prepare = PrepareRequest {
            size,
            channels: recipe.data.channels,
            resize: Resize::Antialiased,
            convert: Channels::Refuse,
            normalization: NormalizationRequest::TrainStatistics,
            element: Element::F32,
        };
        Ok(Self {
            name: source.name.clone(),
            text: source.text.clone(),
            head,
            n_classes,
            leak_policy,
            prepare,
            task,
            views,
            teacher,
            students,
            student_plan,
            arms,
            primary,
            secondary,
            recipe,
        })
    }
}

fn augmentation(recipe: &Recipe) -> Result<(Views, Augmentation)> {
    let mut table = recipe.augment.clone();
    let views = match table.remove("views") {
        Some(toml::Value::Integer(count)) if (1..=1000).contains(&count) => {
            Views::Numbered { count: u32::try_from(count)? }
        }
        Some(toml::Value::String(text)) if text == "fresh" => Views::Fresh,
        None => bail!("`augment.views` is missing, expected a number from 1 to 1000, or \"fresh\""),
        Some(other) => bail!("`augment.views` is {other}, expected a number from 1 to 1000, or \"fresh\""),
    };
    let augmentation: Augmentation = table.try_into().context("`augment`")?;
    augmentation.check()?;
    if augmentation.is_none() && views != (Views::Numbered { count: 1 }) {
        bail!(
            "`augment` changes nothing, but `augment.views` is not 1\nhint: set `views = 1`, or add shift, rotate_deg, scale, contrast or brightness"
        );
    }
    Ok((views, augmentation))
}

fn teacher_weights(recipe: &Recipe) -> Result<Option<(String, bool)>> {
    match (&recipe.teacher.weights, recipe.teacher.weights_head.as_deref()) {
        (None, None) => Ok(None),
        (None, Some(_)) => bail!("`teacher.weights_head` is set without `teacher.weights`"),
        (Some(file), Some("require")) => Ok(Some((file.clone(), true))),
        (Some(file), Some("replace")) => Ok(Some((file.clone(), false))),
        (Some(_), found) => bail!(
            "`teacher.weights_head` is {found:?}, expected \"require\" (take the file's head too) or \"replace\" (draw a new one)"
        ),
    }
}

fn plan(table: &TrainTable, views: Views, seed: u64, key: &str, head: Head) -> Result<Plan> {
    metric(&table.select, head, &format!("{key}.select"))?;
    if table.batch_size < 2 {
        bail!("`{key}.batch_size` is {}, expected 2 or more: batch normalisation needs company", table.batch_size);
    }
    let optimizer = match table.optimizer {
        OptimizerTable::Sgd { momentum, weight_decay, nesterov } => {
            OptimizerPlan::Sgd { momentum, nesterov, weight_decay }
        }
        OptimizerTable::AdamW { weight_decay, beta1, beta2, epsilon } => {
            OptimizerPlan::AdamW { beta1, beta2, epsilon, weight_decay }
        }
    };
    let decay = match &table.decay {
        DecayTable::Constant => Decay::Constant,
        DecayTable::Cosine { floor } => Decay::Cosine { floor: *floor },
        DecayTable::Step { at, factor } => Decay::Step { at: at.clone(), factor: *factor },
    };
    let plan = Plan {
        epochs: table.epochs,
        batch_size: table.batch_size,
        accumulation: table.accumulation,
        optimizer,
        schedule: Schedule { rate: table.learning_rate, warmup: table.warmup, decay },
        clip_norm: table.clip_norm,
        ema: table.ema,
        early_stop: table.patience.map(|patience| EarlyStop { patience }),
        views,
        select: table.select.clone(),
        seed,
    };
    plan.check().with_context(|| format!("`{key}`"))?;
    Ok(plan)
}

fn arm(table: &ArmTable, head: Head, recipe: &Recipe) -> Result<Arm> {
    let sizes = Sizes { samples: recipe.student.train.batch_size, classes: head.n_outputs(), pixels: 1 };
    let terms = table
        .term
        .iter()
        .map(|term| term_of(term, sizes).with_context(|| format!("arm `{}`, term `{}`", table.name, term.name())))
        .collect::<Result<Vec<_>>>()?;
    let arm = Arm { name: table.name.clone(), note: table.note.clone(), unlabelled: table.unlabelled, terms };
    // Losses are built once here, so that a loss that does not fit the head is refused before anything runs.
    arm.objective(head)?;
    if arm.unlabelled && !(arm.distills() && recipe.data.label_fraction.is_some()) {
        bail!("arm `{}` is `unlabelled`, which needs a distillation term and `data.label_fraction`", arm.name);
    }
    Ok(arm)
}

fn metric(name: &str, head: Head, key: &str) -> Result<Metric> {
    let known = Metric::of_head(head);
    known.iter().copied().find(|metric| metric.name() == name).with_context(|| {
        let names: Vec<&str> = known.iter().map(|metric| metric.name()).collect();
        format!("`{key}` is \"{name}\", expected one of {} for a {} head", names.join(", "), head.name())
    })
}

fn unique<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = Vec::new();
    for name in names {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            bail!("`{key}` has name \"{name}\", expected letters, digits, `-`, `_` and `.`");
        }
        if seen.contains(&name) {
            bail!("`{key}` has two entries named \"{name}\", expected one of each name");
        }
        seen.push(name);
    }
    if seen.is_empty() {
        bail!("`{key}` has no entry, expected at least one");
    }
    Ok(())
}

fn check_package(recipe: &Recipe) -> Result<()> {
    let package = &recipe.score.package;
    if !recipe.student.size.iter().any(|size| size.name == package.student) {
        bail!("`score.package.student` is \"{}\", which no `student.size` is named", package.student);
    }
    if !recipe.arm.iter().any(|arm| arm.name == package.arm) {
        bail!("`score.package.arm` is \"{}\", which no `arm` is named", package.arm);
    }
    Ok(())
}
