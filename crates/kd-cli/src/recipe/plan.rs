//! From tables of a recipe to plans of training, the same for all tasks.

use anyhow::{Context, Result, bail};
use kd_core::train::{Decay, EarlyStop, OptimizerPlan, Plan, Schedule, Views};
use kd_data::leak::LeakPolicy;

use super::{DecayTable, OptimizerTable, PackageTable, Recipe, TrainTable};

/// Plan of the teacher and, without a seed, of every student. `select` checks the name of a measure.
pub(crate) fn plans<D, N, S>(
    recipe: &Recipe<D, N, S>,
    views: Views,
    select: impl Fn(&str, &str) -> Result<()>,
) -> Result<(Plan, Plan)> {
    let student = &recipe.student.train;
    for (key, given) in [("seed", student.seed.is_some()), ("label_smoothing", student.label_smoothing.is_some())] {
        if given {
            bail!(
                "`student.train.{key}` is set, expected it to be absent\nhint: seeds stand in `student.seeds`, smoothing in the arm's task term"
            );
        }
    }
    select(&student.select, "student.train.select")?;
    let student_plan = plan(student, views, 0, "student.train")?;
    let teacher = &recipe.teacher;
    let teacher_plan = match (&teacher.package, &teacher.train) {
        (None, Some(train)) => {
            select(&train.select, "teacher.train.select")?;
            plan(train, views, train.seed.unwrap_or(0), "teacher.train")?
        }
        (None, None) => {
            bail!("`teacher.train` is missing, expected a table\nhint: or name a finished student as `teacher.package`")
        }
        (Some(_), train) => {
            let idle = [
                ("train", train.is_some()),
                ("weights", teacher.weights.is_some()),
                ("folds", teacher.folds.is_some()),
            ];
            if let Some((key, _)) = idle.iter().find(|(_, is_set)| *is_set) {
                bail!(
                    "`teacher.{key}` is set beside `teacher.package`, which is trained already\nhint: leave one of them out"
                );
            }
            // Nobody follows it: the sizes of its batches tell a dry run what answers take.
            student_plan.clone()
        }
    };
    Ok((teacher_plan, student_plan))
}

fn plan(table: &TrainTable, views: Views, seed: u64, key: &str) -> Result<Plan> {
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

/// Takes `views` out of the table of augmentation.
pub(crate) fn views(table: &mut toml::Table) -> Result<Views> {
    match table.remove("views") {
        Some(toml::Value::Integer(count)) if (1..=1000).contains(&count) => {
            Ok(Views::Numbered { count: u32::try_from(count)? })
        }
        Some(toml::Value::String(text)) if text == "fresh" => Ok(Views::Fresh),
        None => bail!("`augment.views` is missing, expected a number from 1 to 1000, or \"fresh\""),
        Some(other) => bail!("`augment.views` is {other}, expected a number from 1 to 1000, or \"fresh\""),
    }
}

/// The leak policy by its name.
pub(crate) fn leak_policy(name: &str) -> Result<LeakPolicy> {
    LeakPolicy::of_name(name)
        .with_context(|| format!("`data.leak_policy` is \"{name}\", expected \"stop\" or \"drop-from-train\""))
}

/// Names of students and arms: each once, and those of the package among them.
pub(crate) fn check_names<D, N, S>(recipe: &Recipe<D, N, S>, package: &PackageTable) -> Result<()> {
    unique("student.size", recipe.student.size.iter().map(|size| size.name.as_str()))?;
    unique("arm", recipe.arm.iter().map(|arm| arm.name.as_str()))?;
    if !recipe.student.size.iter().any(|size| size.name == package.student) {
        bail!("`score.package.student` is \"{}\", which no `student.size` is named", package.student);
    }
    if !recipe.arm.iter().any(|arm| arm.name == package.arm) {
        bail!("`score.package.arm` is \"{}\", which no `arm` is named", package.arm);
    }
    for arm in &recipe.arm {
        unique_or_none(&format!("arm.{}.against", arm.name), arm.against.iter().map(String::as_str))?;
        if let Some(other) = arm.against.iter().find(|&other| !recipe.arm.iter().any(|arm| arm.name == *other)) {
            bail!("arm `{}` is `against` \"{other}\", which no `arm` is named", arm.name);
        }
        if arm.against.contains(&arm.name) {
            bail!("arm `{}` is `against` itself, expected other arms", arm.name);
        }
    }
    Ok(())
}

fn unique<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    if unique_or_none(key, names)? == 0 {
        bail!("`{key}` has no entry, expected at least one");
    }
    Ok(())
}

/// How many names there are, each once.
fn unique_or_none<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Result<usize> {
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
    Ok(seen.len())
}
