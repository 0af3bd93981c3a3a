//! `kd metrics enhance`: images against images.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail};
use kd_data::format::{FileFormat, Nifti, NotFinite, read_raster};
use kd_enhance::{Metric, ScoreRange};
use kd_image::{Geometry, Image, Intensity};
use kd_metrics::{ImagePair, Score};
use rayon::prelude::*;
use serde_json::json;

use super::dense::{CaseFile, Measured, cases, report, same_cases};
use crate::args::EnhanceArgs;
use crate::dense::CaseValues;
use crate::dense::enhance::{facts_of, metrics_of};
use crate::output::{Output, usage};

/// How far two grids may lie apart and still be the same, in mm.
const SAME_GRID_MM: f64 = 1e-3;
const FOLDERS: [&str; 3] = ["the folder of the truth", "the folder of predictions", "the folder of inputs"];

/// Scores images.
pub(super) fn run(args: &EnhanceArgs, out: &Output) -> Result<bool> {
    let plan = super::plan(&args.interval)?;
    let &[low, high] = args.range.as_slice() else {
        return Err(usage(anyhow!("--range has {} numbers, expected 2: LOW,HIGH", args.range.len())));
    };
    let range = ScoreRange::new([low, high], args.clip).map_err(|refused| usage(anyhow!(refused)))?;
    let (truths, answers) = (cases(&args.truth, FOLDERS[0])?, cases(&args.pred, FOLDERS[1])?);
    same_cases(&truths, &answers, [FOLDERS[0], FOLDERS[1]])?;
    let inputs = args.input.as_ref().map(|folder| cases(folder, FOLDERS[2])).transpose()?;
    if let Some(inputs) = &inputs {
        same_cases(&truths, inputs, [FOLDERS[0], FOLDERS[2]])?;
    }
    let metrics = metrics_of(&sides(&truths)?);
    let (mut scored, mut nothing) = (Vec::new(), inputs.as_ref().map(|_| Vec::new()));
    for (name, truth) in &truths {
        let truth = image(truth).with_context(|| format!("case `{name}`, truth"))?;
        let of = |file: &CaseFile, what: &str| -> Result<Vec<CaseValues>> {
            let other = image(file)?;
            other.geometry().check_same_grid(truth.geometry(), SAME_GRID_MM, what)?;
            slices(&other, &truth, &range, &metrics)
        };
        let named = |what: &str| format!("case `{name}`, {what}");
        let values = of(&answers[name], "prediction").with_context(|| named("prediction"))?;
        let one = values.len() == 1;
        let slice = |(n, values): (usize, CaseValues)| {
            (if one { name.clone() } else { format!("{name}#{n}") }, name.clone(), values)
        };
        scored.extend(values.into_iter().enumerate().map(slice));
        if let (Some(inputs), Some(nothing)) = (&inputs, &mut nothing) {
            nothing.extend(of(&inputs[name], "input").with_context(|| named("input"))?);
        }
    }
    let measured = Measured {
        task: "enhancement",
        metrics: metrics.iter().map(|metric| facts_of(*metric, &range, "")).collect(),
        parts: Vec::new(),
        cases: scored,
        nothing,
        groups: args.groups.clone(),
        policy: json!({ "range": [low, high], "clip": args.clip, "mean": "over slices" }),
    };
    report(measured, plan, out)
}

/// Heights and widths; one volume is in memory at a time.
fn sides(truths: &BTreeMap<String, CaseFile>) -> Result<Vec<[usize; 2]>> {
    let side = |(name, file): (&String, &CaseFile)| {
        let truth = image(file).with_context(|| format!("case `{name}`, truth"))?;
        let [_, rows, columns] = truth.geometry().shape();
        Ok([rows, columns])
    };
    truths.iter().map(side).collect()
}

fn slices(answer: &Image<3>, truth: &Image<3>, range: &ScoreRange, metrics: &[Metric]) -> Result<Vec<CaseValues>> {
    range.check(truth.values())?;
    let [depth, rows, columns] = truth.geometry().shape();
    let [answer, truth] = [answer, truth].map(|image| range.applied(image.values()));
    let plane = rows * columns;
    let of_slice = |n: usize| {
        let part = n * plane..(n + 1) * plane;
        let pair = ImagePair::plane([rows, columns], &answer[part.clone()], &truth[part])?;
        let whole: Vec<Score> = metrics.iter().map(|metric| metric.within(range).score(&pair)).collect();
        Ok(CaseValues { whole, parts: Vec::new() })
    };
    let slices: Vec<Result<CaseValues>> = (0..depth).into_par_iter().map(of_slice).collect();
    slices.into_iter().collect()
}

/// A volume, or a picture as a volume of one slice.
fn image(file: &CaseFile) -> Result<Image<3>> {
    if file.format == FileFormat::Nifti {
        return Ok(Nifti::open(&file.path)?.image(Intensity::Arbitrary, NotFinite::Refuse)?);
    }
    let image = read_raster(&file.path)?;
    if image.channels() != 1 {
        bail!("picture has {} channels, expected grey values", image.channels());
    }
    let [rows, columns] = image.geometry().shape();
    let grid = Geometry::without_spacing([1, rows, columns])?;
    Ok(Image::new(1, grid, image.intensity(), image.into_values())?)
}
