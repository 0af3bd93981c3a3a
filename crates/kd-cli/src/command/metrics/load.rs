//! From somebody's files to checked predictions: arrays or tables, joined by id where both have one.
//!
//! A wrong pairing of scores and truth gives a plausible number, so nothing is stretched, cut or guessed: shapes that do
//! not fit are errors, and so is an id that only one file knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use kd_classify::score::probabilities;
use kd_core::Head;
use kd_data::format::{FileFormat, Npz, StoredArray, Table, read_npy, read_table, sniff};
use kd_image::Target;
use kd_metrics::{Predictions, Undefined};

use crate::args::{ClassifyArgs, ScoreKind, TaskName};
use crate::output::usage;

/// Predictions with their truth, in one order.
pub(super) struct Loaded {
    pub(super) task: TaskName,
    pub(super) head: Head,
    /// Classes, or labels.
    pub(super) n_classes: usize,
    /// `n_classes` a sample.
    pub(super) probabilities: Vec<f64>,
    pub(super) targets: Vec<Target>,
    /// Where the predictions are a table with ids.
    pub(super) ids: Option<Vec<String>>,
    /// Who each sample belongs to.
    pub(super) groups: Option<Vec<String>>,
}

/// A file of one of the kinds that are read here.
enum Source {
    Table(Table),
    Array(StoredArray),
}

/// Numbers `[rows, columns]`.
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

/// Reads all files that the arguments name.
pub(super) fn load(args: &ClassifyArgs) -> Result<Loaded> {
    let pred = open(&args.pred)?;
    let scores = scores(&pred)?;
    let ids = ids(&pred)?;
    let truth = match &args.truth {
        Some(_) if truth_columns(&pred).is_some() => {
            return Err(usage(anyhow!(
                "the predictions hold truth already, and --truth was given, expected one of them\nhint: leave --truth out"
            )));
        }
        Some(file) => joined(&open(file)?, ids.as_deref(), "truth", truth)?,
        None => truth(&pred)?,
    };
    if truth.rows != scores.rows {
        bail!("truth has {} samples, expected {} as the predictions have", truth.rows, scores.rows);
    }
    let groups =
        args.groups.as_ref().map(|file| joined_groups(&open(file)?, ids.as_deref(), scores.rows)).transpose()?;
    let task = args.task.unwrap_or(match (truth.columns, scores.columns) {
        (2.., _) => TaskName::MultiLabel,
        (_, ..=2) => TaskName::Binary,
        _ => TaskName::MultiClass,
    });
    let (head, n_classes) = head(task, scores.columns, args.scores)?;
    let targets = targets(&truth, task, n_classes)?;
    let probabilities = match args.scores {
        ScoreKind::Logits => probabilities(head, &scores.values)?,
        ScoreKind::Probs => checked(head, scores.values, &targets).map_err(refusal)?,
    };
    Ok(Loaded { task, head, n_classes, probabilities, targets, ids, groups })
}

/// Opens `file`, or `file.npz:array`.
fn open(text: &str) -> Result<Source> {
    let whole = PathBuf::from(text);
    let (path, member) = match text.rsplit_once(':') {
        Some((file, member)) if !whole.exists() && Path::new(file).is_file() => (PathBuf::from(file), Some(member)),
        _ => (whole, None),
    };
    Ok(match sniff(&path)? {
        FileFormat::Npz => {
            let npz = Npz::open(&path)?;
            let name = match (member, &npz.names()[..]) {
                (Some(member), _) => member,
                (None, [only]) => only,
                (None, names) => bail!(
                    "`{text}` holds {} arrays ({}), expected one, or the one to take\nhint: name it behind a colon: {text}:{}",
                    names.len(),
                    names.join(", "),
                    names.first().copied().unwrap_or("name")
                ),
            };
            Source::Array(npz.array(name)?)
        }
        format if member.is_some() => bail!("`{text}` names an array, but the file is {}, expected npz", format.name()),
        FileFormat::Npy => Source::Array(read_npy(&path)?),
        FileFormat::Unknown => Source::Table(read_table(&path)?),
        format => bail!("`{text}` is {}, expected .npy, .npz or CSV", format.name()),
    })
}

fn ids(source: &Source) -> Result<Option<Vec<String>>> {
    match source {
        Source::Table(table) if table.has("id") => {
            Ok(Some(table.texts("id")?.into_iter().map(str::to_owned).collect()))
        }
        _ => Ok(None),
    }
}

fn matrix_of(array: &StoredArray, what: &str) -> Result<Matrix> {
    let numbers = array.floats()?;
    let (rows, columns) = match numbers.shape[..] {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => bail!("{what} has shape {:?}, expected [n] or [n, k]", numbers.shape),
    };
    if rows == 0 || columns == 0 {
        bail!("{what} has shape {:?}, expected at least one sample and one column", numbers.shape);
    }
    Ok(Matrix { rows, columns, values: numbers.values })
}

fn matrix_from(table: &Table, columns: &[String]) -> Result<Matrix> {
    let cells = columns.iter().map(|name| table.numbers(name)).collect::<Result<Vec<_>, _>>()?;
    let values = (0..table.len()).flat_map(|row| cells.iter().map(move |column| column[row])).collect();
    Ok(Matrix { rows: table.len(), columns: columns.len(), values })
}

fn scores(source: &Source) -> Result<Matrix> {
    match source {
        Source::Array(array) => matrix_of(array, "--pred"),
        Source::Table(table) => {
            let columns = table.numbered("score");
            if columns.is_empty() {
                bail!("the predictions have the columns {}, expected score_0, score_1, …", table.header().join(", "));
            }
            matrix_from(table, &columns)
        }
    }
}

/// The columns of a table that hold truth.
fn truth_columns(source: &Source) -> Option<Vec<String>> {
    let Source::Table(table) = source else { return None };
    let columns = if table.has("truth") { vec!["truth".to_owned()] } else { table.numbered("truth") };
    Some(columns).filter(|columns| !columns.is_empty())
}

fn truth(source: &Source) -> Result<Matrix> {
    match (source, truth_columns(source)) {
        (Source::Array(array), _) => matrix_of(array, "--truth"),
        (Source::Table(table), Some(columns)) => matrix_from(table, &columns),
        (Source::Table(table), None) => bail!(
            "the table has the columns {}, expected truth, or truth_0, truth_1, …\nhint: name a file with --truth",
            table.header().join(", ")
        ),
    }
}

/// Where each of `ids` stands in a table; none where one of both has no ids.
fn places(source: &Source, ids: Option<&[String]>, what: &str) -> Result<Option<Vec<usize>>> {
    let (Source::Table(table), Some(ids)) = (source, ids) else { return Ok(None) };
    if !table.has("id") {
        return Ok(None);
    }
    let mut known = BTreeMap::new();
    for (row, id) in table.texts("id")?.into_iter().enumerate() {
        if known.insert(id, row).is_some() {
            bail!("id `{id}` stands twice in the {what}, expected each once");
        }
    }
    if known.len() != ids.len() {
        bail!("the {what} has {} ids, expected {} as the predictions have", known.len(), ids.len());
    }
    // Taken out, so that an id that the predictions have twice is missed the second time.
    let found = ids.iter().map(|id| {
        known
            .remove(id.as_str())
            .ok_or_else(|| anyhow!("id `{id}` of the predictions is missing in the {what}, or stands twice"))
    });
    found.collect::<Result<_>>().map(Some)
}

fn joined(source: &Source, ids: Option<&[String]>, what: &str, read: fn(&Source) -> Result<Matrix>) -> Result<Matrix> {
    let matrix = read(source)?;
    let Some(places) = places(source, ids, what)? else { return Ok(matrix) };
    let row = |place: usize| matrix.values[place * matrix.columns..(place + 1) * matrix.columns].iter().copied();
    let values = places.iter().flat_map(|&place| row(place)).collect();
    Ok(Matrix { rows: places.len(), columns: matrix.columns, values })
}

/// The group of each of `ids`, from a table with the columns id and group.
pub(super) fn groups_of(file: &str, ids: &[String]) -> Result<Vec<String>> {
    joined_groups(&open(file)?, Some(ids), ids.len())
}

fn joined_groups(source: &Source, ids: Option<&[String]>, n: usize) -> Result<Vec<String>> {
    let groups: Vec<String> = match source {
        Source::Table(table) => table.texts("group")?.into_iter().map(str::to_owned).collect(),
        Source::Array(array) => match array.integers() {
            Ok(numbers) => numbers.values.iter().map(i64::to_string).collect(),
            Err(_) => array.texts().context("groups are numbers or texts")?.values,
        },
    };
    if groups.len() != n {
        bail!("groups are given for {} samples, expected {n} as the predictions have", groups.len());
    }
    if groups.iter().any(String::is_empty) {
        bail!("a group is empty, expected a name or number for each sample");
    }
    Ok(match places(source, ids, "groups")? {
        Some(places) => places.into_iter().map(|place| groups[place].clone()).collect(),
        None => groups,
    })
}

fn head(task: TaskName, columns: usize, scores: ScoreKind) -> Result<(Head, usize)> {
    Ok(match (task, columns) {
        (TaskName::Binary, 1) => (Head::OneChannel, 2),
        (TaskName::Binary, 2) => (Head::TwoClassSoftmax, 2),
        (TaskName::Binary, _) => {
            bail!("task binary has 1 or 2 columns of scores, found {columns}\nhint: --task multi-class or multi-label")
        }
        (TaskName::MultiClass, 1 | 2) => {
            bail!("task multi-class has at least 3 columns of scores, found {columns}\nhint: --task binary")
        }
        (TaskName::MultiClass, _) => (Head::softmax(columns)?, columns),
        (TaskName::MultiLabel, _) => (Head::MultiLabel { labels: columns }.validate()?, columns),
        (TaskName::Ordinal, _) => {
            // Logits of an ordinal head are cumulative: one fewer than classes.
            let classes = if scores == ScoreKind::Logits { columns + 1 } else { columns };
            (Head::Ordinal { classes }.validate()?, classes)
        }
    })
}

fn targets(truth: &Matrix, task: TaskName, n_classes: usize) -> Result<Vec<Target>> {
    let rows = truth.values.chunks_exact(truth.columns).enumerate();
    if task == TaskName::MultiLabel {
        if truth.columns != n_classes {
            bail!("truth has {} labels, expected {n_classes} as the predictions have", truth.columns);
        }
        let is_flag = |label: f64| label >= 0.0 && [0.0, 1.0].iter().any(|flag| label.abs().total_cmp(flag).is_eq());
        return rows
            .map(|(sample, row)| match row.iter().find(|label| !is_flag(**label)) {
                Some(label) => Err(anyhow!("truth of sample {sample} is {label}, expected 0 or 1")),
                None => Ok(Target::Labels(row.iter().map(|label| *label > 0.5).collect())),
            })
            .collect();
    }
    if truth.columns != 1 {
        bail!(
            "truth has {} columns, expected 1 with the class of each sample\nhint: --task multi-label",
            truth.columns
        );
    }
    rows.map(|(sample, row)| {
        let class = (0..n_classes).find(|&class| (class as f64).total_cmp(&row[0].abs()).is_eq() && row[0] >= 0.0);
        class.and_then(|class| u16::try_from(class).ok()).map(Target::Class).ok_or_else(|| {
            anyhow!("truth of sample {sample} is {}, expected a class from 0 to {}", row[0], n_classes - 1)
        })
    })
    .collect()
}

/// A refusal in the words of the command line: the library's hint speaks of its own functions.
pub(super) fn refusal(refused: Undefined) -> anyhow::Error {
    match refused {
        Undefined::NotAProbability { .. } | Undefined::RowSum { .. } => {
            let text = refused.to_string();
            anyhow!(
                "{}\nhint: raw network outputs need --scores logits, several labels a sample --task multi-label",
                text.lines().next().unwrap_or_default()
            )
        }
        other => other.into(),
    }
}

/// Probabilities one a class; what a one-channel file leaves out is added.
fn checked(head: Head, values: Vec<f64>, targets: &[Target]) -> Result<Vec<f64>, Undefined> {
    match head {
        Head::OneChannel => Ok(values.into_iter().flat_map(|positive| [1.0 - positive, positive]).collect()),
        Head::TwoClassSoftmax => {
            // Only the second column is scored, so that the first one fits it has to be seen here.
            let class = |target: &Target| if let Target::Class(class) = target { usize::from(*class) } else { 0 };
            Predictions::multiclass(&values, 2, &targets.iter().map(class).collect::<Vec<_>>())?;
            Ok(values)
        }
        _ => Ok(values),
    }
}
