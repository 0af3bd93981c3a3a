//! Experts: teachers that know some of the classes each, and answer together.

use anyhow::{Context as _, Result, bail};
use kd_classify::{ClassifyTask, Cost, NetworkSpec};
use kd_core::{Expertise, Head};

use super::Recipe;

/// One expert, checked.
pub(crate) struct Expert {
    /// What it knows, in the order of its outputs.
    pub(crate) classes: Vec<usize>,
    pub(crate) spec: NetworkSpec,
    pub(crate) cost: Cost,
    pub(crate) task: ClassifyTask,
}

/// The experts of a recipe, and how they answer together; none where it has none. `spec` makes the teacher's network for
/// so many outputs, `select` checks the measure that chooses an epoch.
pub(crate) fn experts(
    recipe: &Recipe,
    (head, names): (Head, &[String]),
    task: &ClassifyTask,
    spec: impl Fn(usize) -> Result<(NetworkSpec, Cost)>,
    select: impl Fn(Head) -> Result<()>,
) -> Result<Option<(Vec<Expert>, Expertise)>> {
    let Some(table) = &recipe.teacher.experts else { return Ok(None) };
    if !matches!(head, Head::Softmax { .. }) {
        bail!("`teacher.experts` needs a softmax head of three classes or more, found a {} head", head.name());
    }
    let place = |name: &String| {
        names.iter().position(|known| known == name).with_context(|| {
            let known: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            format!("`teacher.experts` names the class \"{name}\", expected some of {}", known.join(", "))
        })
    };
    let places = |known: &Vec<String>| known.iter().map(place).collect::<Result<Vec<usize>>>();
    let classes = table.iter().map(places).collect::<Result<Vec<_>>>()?;
    let expertise = Expertise::new(classes.clone(), names.len()).context("`teacher.experts`")?;
    let expert = |classes: Vec<usize>| {
        let (spec, cost) = spec(classes.len())?;
        select(Head::softmax(classes.len())?)?;
        let task = task.of_classes(&classes).context("`teacher.experts`")?;
        Ok(Expert { classes, spec, cost, task })
    };
    Ok(Some((classes.into_iter().map(expert).collect::<Result<_>>()?, expertise)))
}
