//! `kd sweep`: settings of a recipe compared on the validation split, under a budget that is told before and after.
//!
//! The test split is not opened: a weight that was chosen on it would prove nothing.

use anyhow::Result;
use kd_data::Root;
use serde::Serialize;

use super::run::{Goal, walk, watch};
use crate::args::SweepArgs;
use crate::output::{Output, UsageError, columns};
use crate::recipe::Arm;
use crate::stage::compare::role;
use crate::stage::learned::Learned;

/// Most combinations in one sweep; more is a typing error, or days.
const MOST: usize = 200;

/// One combination of values and what came of it.
#[derive(Debug, Serialize)]
struct Row {
    /// Changed keys, as `--set` takes them; none is the recipe as it stands.
    set: Vec<String>,
    #[serde(flatten)]
    learned: Learned,
    mean: Option<f64>,
    /// Best of its student.
    best: bool,
}

pub(crate) fn run(args: &SweepArgs, root: &Root, out: &Output) -> Result<bool> {
    let grid = combinations(&args.over)?;
    let names = swept_arms(&args.over);
    let is_swept = |arm: &Arm| names.as_ref().is_none_or(|names| names.contains(&arm.name.as_str()));
    let n_seeds = args.run.seeds.as_ref().map_or_else(|| "the recipe's".to_owned(), |seeds| seeds.len().to_string());
    out.note(format!("{} combinations, each with {n_seeds} seeds and every student size", grid.len()));
    if args.run.dry_run {
        let rows: Vec<Vec<String>> = grid.iter().map(|set| vec![set.join("  ")]).collect();
        out.data(columns(&["combination"], &rows));
        return Ok(true);
    }
    let stop = watch()?;
    let mut rows = Vec::new();
    // The student alone is the measure of all others; a sweep that changes more than arms changes it too.
    if names.is_some() {
        let is_alone = |arm: &Arm| role(arm) == kd_report::Role::Alone && !is_swept(arm);
        let learned = walk(&args.run, &[], &Goal::Learn(&is_alone), root, out, &stop)?;
        rows.extend(learned.into_iter().map(|learned| row(Vec::new(), learned)));
    }
    for (n, set) in grid.iter().enumerate() {
        out.note(format!("combination {} of {}: {}", n + 1, grid.len(), set.join("  ")));
        let learned = walk(&args.run, set, &Goal::Learn(&is_swept), root, out, &stop)?;
        rows.extend(learned.into_iter().map(|learned| row(set.clone(), learned)));
    }
    mark_best(&mut rows);
    let steps: usize = rows.iter().map(|row| row.learned.steps).sum();
    if out.is_json() {
        out.json(&serde_json::json!({ "schema": 1, "split": "val", "optimizer_steps": steps, "rows": rows }))?;
        return Ok(true);
    }
    out.data(table(&rows));
    out.note(format!(
        "\nvalidation split, at each run's chosen epoch; {steps} optimizer steps in all; the test split was not opened"
    ));
    Ok(true)
}

fn row(set: Vec<String>, learned: Learned) -> Row {
    Row { set, mean: learned.mean(), learned, best: false }
}

/// Every combination of `KEY=A,B,C`, the last key fastest.
fn combinations(over: &[String]) -> Result<Vec<Vec<String>>> {
    let mut grid: Vec<Vec<String>> = vec![Vec::new()];
    for text in over {
        let (key, values) = text.split_once('=').unwrap_or((text, ""));
        let values: Vec<&str> = values.split(',').map(str::trim).collect();
        if values.iter().any(|value| value.is_empty()) {
            return Err(UsageError::new(format!(
                "--over got `{text}`, expected KEY=VALUE,VALUE\nhint: --over arm.kd.hinton.weight=0.1,0.3,1"
            ))
            .into());
        }
        let with = |set: &Vec<String>| {
            let longer = |value: &&str| set.iter().cloned().chain([format!("{key}={value}")]).collect::<Vec<_>>();
            values.iter().map(longer).collect::<Vec<_>>()
        };
        grid = grid.iter().flat_map(with).collect();
        if grid.len() > MOST {
            return Err(UsageError::new(format!(
                "--over makes {} combinations, expected at most {MOST}\nhint: sweep in steps, a coarse grid first",
                grid.len()
            ))
            .into());
        }
    }
    Ok(grid)
}

/// The arms that keys of the form `arm.NAME.…` name; none where a key changes more than arms.
fn swept_arms(over: &[String]) -> Option<Vec<&str>> {
    over.iter().map(|text| text.strip_prefix("arm.")?.split('.').next()).collect()
}

fn mark_best(rows: &mut [Row]) {
    let better = |a: &Row, b: &Row| match (a.mean, b.mean) {
        (Some(a_mean), Some(b_mean)) if a.learned.higher_is_better => a_mean > b_mean,
        (Some(a_mean), Some(b_mean)) => a_mean < b_mean,
        (a_mean, _) => a_mean.is_some(),
    };
    let best: Vec<bool> = rows
        .iter()
        .map(|row| {
            let of_student = rows.iter().filter(|other| other.learned.student == row.learned.student);
            row.mean.is_some() && !of_student.into_iter().any(|other| better(other, row))
        })
        .collect();
    rows.iter_mut().zip(best).for_each(|(row, best)| row.best = best);
}

fn table(rows: &[Row]) -> String {
    let number = |value: f64| format!("{value:.4}");
    let cells = |row: &Row| {
        let ends = |pick: fn(f64, f64) -> f64| row.learned.values.iter().copied().reduce(pick);
        let range = match (ends(f64::min), ends(f64::max)) {
            (Some(low), Some(high)) => format!("{} to {}", number(low), number(high)),
            _ => "undefined".into(),
        };
        vec![
            row.learned.student.clone(),
            row.learned.arm.clone(),
            if row.set.is_empty() { "as in the recipe".into() } else { row.set.join("  ") },
            row.learned.values.len().to_string(),
            row.mean.map_or_else(|| "undefined".into(), number),
            range,
            if row.best { "best".into() } else { String::new() },
        ]
    };
    let measure = rows.first().map_or("measure", |row| row.learned.measure.as_str());
    columns(&["student", "arm", "set", "seeds", measure, "over seeds", ""], &rows.iter().map(cells).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn every_value_of_one_key_meets_every_value_of_the_others() {
        let grid = combinations(&over(&["arm.kd.hinton.weight=0.1,1", "arm.kd.hinton.temperature=2, 4"])).unwrap();
        assert_eq!(grid.len(), 4);
        assert_eq!(grid[1], ["arm.kd.hinton.weight=0.1", "arm.kd.hinton.temperature=4"]);
    }

    #[test]
    fn a_key_without_values_and_a_grid_without_end_are_refused() {
        assert!(combinations(&over(&["arm.kd.hinton.weight"])).unwrap_err().to_string().contains("hint:"));
        assert!(combinations(&over(&["a=1,,2"])).is_err());
        let ten = "=0,1,2,3,4,5,6,7,8,9";
        let refused = combinations(&over(&[&format!("a{ten}"), &format!("b{ten}"), &format!("c{ten}")])).unwrap_err();
        assert!(refused.to_string().contains("1000 combinations, expected at most 200"));
    }

    #[test]
    fn only_the_arms_that_change_are_learned() {
        assert_eq!(swept_arms(&over(&["arm.kd.hinton.weight=1", "arm.dist.dist.weight=1"])), Some(vec!["kd", "dist"]));
        assert_eq!(swept_arms(&over(&["arm.kd.hinton.weight=1", "student.train.epochs=2"])), None);
    }

    #[test]
    fn the_best_is_marked_for_each_student_whichever_way_is_better() {
        let one = |student: &str, values: &[f64], higher_is_better| {
            let learned = Learned {
                student: student.into(),
                arm: "kd".into(),
                measure: "loss".into(),
                higher_is_better,
                values: values.to_vec(),
                steps: 1,
            };
            row(Vec::new(), learned)
        };
        let mut rows =
            vec![one("a", &[1.0, 3.0], false), one("a", &[1.0], false), one("b", &[0.1], true), one("a", &[], false)];
        mark_best(&mut rows);
        assert_eq!(rows.iter().map(|row| row.best).collect::<Vec<_>>(), [false, true, true, false]);
    }
}
