//! `kd data describe`: how much of what is in a set, and what its numbers mean.

use anyhow::Result;
use kd_data::decode::{MaskedDataset, RawDataset, VolumeDataset};
use kd_data::manifest::{Layout, Task};
use kd_data::mask_facts::{MaskDescription, describe_masked, describe_volumes};
use kd_data::verify::{Description, describe};
use kd_data::{Root, catalog};
use kd_image::Split;

use crate::output::{Output, columns};

pub(super) fn run(name: &str, root: &Root, out: &Output) -> Result<bool> {
    let manifest = catalog::resolve(root, name)?;
    let cases = match (manifest.task, manifest.source.layout) {
        (Task::Segmentation, Layout::ImageMasks) => describe_masked(&MaskedDataset::<2>::open(root, &manifest)?)?,
        (Task::Segmentation, _) => describe_masked(&MaskedDataset::<3>::open(root, &manifest)?)?,
        (Task::Enhancement, _) => describe_volumes(&VolumeDataset::open(root, &manifest)?)?,
        _ => {
            let description = describe(&RawDataset::open(root, &manifest)?)?;
            if out.is_json() {
                out.json(&description)?
            } else {
                out.data(described(&description))
            }
            return Ok(true);
        }
    };
    if out.is_json() {
        out.json(&cases)?
    } else {
        out.data(described_cases(&cases))
    }
    Ok(true)
}

fn described_cases(description: &MaskDescription) -> String {
    let joined = |numbers: &[String]| numbers.join(" x ");
    let between = |[low, high]: [Vec<String>; 2]| match low == high {
        true => joined(&low),
        false => format!("{} to {}", joined(&low), joined(&high)),
    };
    let points = |side: &Vec<usize>| side.iter().map(usize::to_string).collect();
    let mm = |side: &Vec<f64>| side.iter().map(|mm| format!("{mm:.3}")).collect();
    let [low, high] = &description.shape;
    let spacing = match &description.spacing_mm {
        Some([low, high]) => format!("{} mm", between([mm(low), mm(high)])),
        None => "unknown".into(),
    };
    let orientations: Vec<String> =
        description.orientations.iter().map(|(letters, count)| format!("{letters} {count}")).collect();
    let mut text = format!(
        "{}\n\n  task          {}\n  license       {}\n  cases         {} of {} subjects\n  shape         {} x {}\n  \
         spacing       {spacing}\n  orientation   {}\n  numbers       {}, {} to {}, mean {:.4}\n\n",
        description.title,
        description.task,
        description.license,
        description.cases,
        description.subjects,
        between([points(low), points(high)]),
        description.channels,
        orientations.join(", "),
        description.intensity,
        description.range[0],
        description.range[1],
        description.mean,
    );
    let splits = description.splits.iter().map(|(split, cases)| vec![split.clone(), cases.to_string()]);
    text += &columns(&["split", "cases"], &splits.collect::<Vec<_>>());
    if !description.classes.is_empty() {
        let all: u64 = description.classes.iter().map(|class| class.points).sum();
        let row = |class: &kd_data::mask_facts::ClassFacts| {
            let share = 100.0 * class.points as f64 / all.max(1) as f64;
            vec![class.name.clone(), class.cases.to_string(), class.points.to_string(), format!("{share:.3} %")]
        };
        let rows: Vec<Vec<String>> = description.classes.iter().map(row).collect();
        text += &format!("\n\n{}", columns(&["class", "in cases", "points", "share"], &rows));
    }
    for note in &description.notes {
        text += &format!("\nnote: {note}");
    }
    text
}

fn described(description: &Description) -> String {
    let [[low_rows, low_columns], [high_rows, high_columns]] = description.size;
    let sizes = if description.size[0] == description.size[1] {
        format!("{low_rows} x {low_columns}")
    } else {
        format!("{low_rows} to {high_rows} x {low_columns} to {high_columns}")
    };
    let mut text = format!(
        "{}\n\n  task       {}\n  license    {}\n  images     {} of {} subjects\n  pixels     {sizes} x {}\n  \
         numbers    {}, {} to {}, mean {:.4}\n\n",
        description.title,
        description.task,
        description.license,
        description.samples,
        description.subjects,
        description.channels,
        description.intensity,
        description.range[0],
        description.range[1],
        description.mean,
    );
    let mut header = vec!["split", "images", "subjects"];
    header.extend(description.classes.iter().map(String::as_str));
    header.push("unlabelled");
    let order = |name: &str| Split::ALL.into_iter().position(|split| split.name() == name);
    let mut splits: Vec<_> = description.splits.iter().collect();
    splits.sort_by_key(|(name, _)| order(name));
    let rows: Vec<Vec<String>> = splits
        .into_iter()
        .map(|(split, facts)| {
            let counts = [facts.samples, facts.subjects].into_iter().chain(facts.per_class.iter().copied());
            let counts = counts.chain([facts.unlabelled]).map(|count| count.to_string());
            std::iter::once(split.clone()).chain(counts).collect()
        })
        .collect();
    text += &columns(&header, &rows);
    for note in &description.notes {
        text += &format!("\nnote: {note}");
    }
    text
}
