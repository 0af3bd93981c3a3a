//! A recipe together with its data set: networks, losses and plans that are known to fit each other.

use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor};
use kd_classify::{Augmentation, ClassWeights, ClassifyTask, Cost, Metric, NetworkSpec, cost};
use kd_core::loss::{self, Sizes};
use kd_core::train::{Plan, Views};
use kd_core::{Averaging, Expertise, Head, Network, Objective, Watch};
use kd_data::leak::LeakPolicy;
use kd_data::manifest::{Manifest, Task as DataTask};
use kd_data::prepare::{Channels, NormalizationRequest, PrepareRequest, Resize};
use kd_data::store::Element;

use super::experts::{Expert, experts};
use super::plan::{check_names, leak_policy, plans, views};
use super::{Arm, ArmTable, Folding, HeadKind, Recipe, Shown, Source};

/// The teacher, checked.
pub(crate) struct Teacher {
    pub(crate) name: String,
    pub(crate) spec: NetworkSpec,
    pub(crate) cost: Cost,
    pub(crate) plan: Plan,
    pub(crate) smoothing: f64,
    /// How much the answer of each member counts.
    pub(crate) members: Vec<f64>,
    /// Members that know some of the classes each, and how they answer together.
    pub(crate) experts: Option<(Vec<Expert>, Expertise)>,
    /// Trained weights to start from, and whether their head is taken too.
    pub(crate) weights: Option<(String, bool)>,
}

impl Teacher {
    /// A member that is an expert.
    pub(crate) fn expert(&self, member: usize) -> Option<&Expert> {
        self.experts.as_ref().map(|(experts, _)| &experts[member])
    }

    /// The network of a member.
    pub(crate) fn spec_of(&self, member: usize) -> &NetworkSpec {
        self.expert(member).map_or(&self.spec, |expert| &expert.spec)
    }

    /// What a member costs.
    pub(crate) fn cost_of(&self, member: usize) -> &Cost {
        self.expert(member).map_or(&self.cost, |expert| &expert.cost)
    }

    /// What all members cost together.
    pub(crate) fn sum(&self, of: impl Fn(&Cost) -> u64) -> u64 {
        (0..self.members.len()).map(|member| of(self.cost_of(member))).sum()
    }

    /// How members answer together.
    pub(crate) fn averaging(&self, head: Head) -> Averaging {
        match &self.experts {
            Some((_, expertise)) => Averaging::Experts(expertise.clone()),
            None => Averaging::of(head),
        }
    }
}

/// One size of student, checked.
pub(crate) struct Student {
    pub(crate) name: String,
    pub(crate) spec: NetworkSpec,
    pub(crate) cost: Cost,
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
    /// Of cross-fitting, where the recipe asks for it.
    pub(crate) folding: Option<Folding>,
    pub(crate) students: Vec<Student>,
    /// Without a seed, which each run puts in.
    pub(crate) student_plan: Plan,
    pub(crate) arms: Vec<Arm>,
    pub(crate) primary: Metric,
    pub(crate) secondary: Vec<Metric>,
}

impl Experiment {
    /// The objective of an arm, built anew.
    pub(crate) fn objective(&self, arm: &Arm) -> Result<Objective<4, 2>> {
        arm.objective(None, |name, parameters| loss::build::<2>(name, parameters, self.head))
    }

    /// Checks the taps that arms name against the networks of teacher and students.
    pub(crate) fn check_taps(&self, device: &Device) -> Result<()> {
        let [height, width] = self.prepare.size;
        let taps = |spec: &NetworkSpec| taps_of(&spec.init(device), [1, self.prepare.channels, height, width], device);
        for arm in &self.arms {
            arm.check_taps(&self.objective(arm)?, || taps(&self.teacher.spec), device, {
                self.students.iter().map(|student| (student.name.as_str(), || taps(&student.spec)))
            })?;
        }
        Ok(())
    }

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
        Self::build(source, &manifest.classes).with_context(|| format!("recipe `{}`", source.name))
    }

    /// Checks all that can be checked before the data set is there.
    #[cfg(test)]
    pub(crate) fn without_manifest(source: &Source) -> Result<Self> {
        let n_classes = if source.recipe.data.head == HeadKind::OneChannel { 2 } else { 3 };
        let names: Vec<String> = (0..n_classes).map(|class| format!("class {class}")).collect();
        Self::build(source, &names)
    }

    fn build(source: &Source, classes: &[String]) -> Result<Self> {
        let recipe = source.recipe.clone();
        let n_classes = classes.len();
        let head = recipe.data.head.head(n_classes)?;
        let leak_policy = leak_policy(&recipe.data.leak_policy)?;
        let (views, augmentation) = augmentation(&recipe)?;
        let weights = recipe.data.class_weights.clone().map_or(ClassWeights::Equal, ClassWeights::Given);
        // The key of the views belongs to the recipe's augmentation, so that arms and seeds share them.
        let task = ClassifyTask::new(head, n_classes, weights, augmentation, 0)?;
        let size = recipe.data.size;
        let spec = |network: &kd_classify::NetworkDesign, name: &str, n_outputs| -> Result<(NetworkSpec, Cost)> {
            let spec =
                network.clone().spec(recipe.data.channels, n_outputs).with_context(|| format!("network `{name}`"))?;
            let cost = cost(&spec, size).with_context(|| format!("network `{name}`"))?;
            Ok((spec, cost))
        };
        let primary = metric(&recipe.score.primary, head, "score.primary")?;
        let secondary =
            recipe.score.secondary.iter().map(|name| metric(name, head, "score.secondary")).collect::<Result<_>>()?;
        let known = |name: &str, key: &str| metric(name, head, key).map(drop);
        let (teacher_plan, student_plan) = plans(&recipe, views, known)?;
        let teacher_network = |n_outputs| spec(&recipe.teacher.network, &recipe.teacher.name, n_outputs);
        let (teacher_spec, teacher_cost) = teacher_network(head.n_outputs())?;
        let select = |head| metric(&teacher_plan.select, head, "teacher.train.select").map(drop);
        let experts = experts(&recipe, (head, classes), &task, teacher_network, select)?;
        let teacher = Teacher {
            name: recipe.teacher.name.clone(),
            spec: teacher_spec,
            cost: teacher_cost,
            plan: teacher_plan,
            smoothing: recipe.teacher.smoothing(),
            members: recipe.teacher.weights_of_members()?,
            experts,
            weights: teacher_weights(&recipe)?,
        };
        let students = recipe
            .student
            .size
            .iter()
            .map(|size| {
                let (spec, cost) = spec(&size.network, &size.name, head.n_outputs())?;
                Ok(Student { name: size.name.clone(), spec, cost })
            })
            .collect::<Result<Vec<_>>>()?;
        check_names(&recipe, &recipe.score.package)?;
        let folding = recipe.teacher.folding()?;
        let learning = (&student_plan, teacher.members.len());
        let arms =
            recipe.arm.iter().map(|table| arm(table, head, folding, &recipe, learning)).collect::<Result<Vec<_>>>()?;
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
            folding,
            students,
            student_plan,
            arms,
            primary,
            secondary,
            recipe,
        })
    }
}

/// The taps of a network and its answer, with their shapes for a batch of one.
pub(crate) fn taps_of<N: Network<I, O>, const I: usize, const O: usize>(
    network: &N,
    shape: [usize; I],
    device: &Device,
) -> Shown {
    let mut watch = Watch::everything();
    let answer = network.valid().forward_watched(Tensor::zeros(shape, device), &mut watch);
    (watch.taps(), answer.dims().to_vec())
}

fn augmentation(recipe: &Recipe) -> Result<(Views, Augmentation)> {
    let mut table = recipe.augment.clone();
    let views = views(&mut table)?;
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

fn arm(
    table: &ArmTable,
    head: Head,
    folding: Option<Folding>,
    recipe: &Recipe,
    (student_plan, members): (&Plan, usize),
) -> Result<Arm> {
    let sizes = Sizes { samples: recipe.student.train.batch_size, classes: head.n_outputs(), pixels: 1 };
    let arm = Arm::new(table, sizes, folding)?.without_truth()?;
    arm.check_plan(student_plan, members)?;
    // Losses are built once here, so that a loss that does not fit the head is refused before anything runs.
    let objective = arm.objective::<4, 2>(None, |name, parameters| loss::build::<2>(name, parameters, head))?;
    arm.check_epochs(&objective, student_plan)?;
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
