//! `kd metrics segment`: masks against masks.

use anyhow::{Context as _, Result, anyhow, bail};
use kd_data::format::{FileFormat, Nifti, read_raster};
use kd_image::{Geometry, LabelMap};
use kd_segment::judge_case;
use rayon::prelude::*;
use serde_json::json;

use super::dense::{CaseFile, Measured, cases, report, same_cases};
use crate::args::SegmentArgs;
use crate::dense::CaseValues;
use crate::dense::segment::metric_facts;
use crate::output::{Output, usage};

/// How far two grids may lie apart and still be the same, in mm.
const SAME_GRID_MM: f64 = 1e-3;

/// Scores masks.
pub(super) fn run(args: &SegmentArgs, out: &Output) -> Result<bool> {
    let plan = super::plan(&args.interval)?;
    if args.classes.len() < 2 {
        return Err(usage(anyhow!(
            "--classes names {} class, expected the background and one more",
            args.classes.len()
        )));
    }
    if !(args.tolerance_mm.is_finite() && args.tolerance_mm >= 0.0) {
        return Err(usage(anyhow!("--tolerance-mm is {}, expected a length of 0 or more", args.tolerance_mm)));
    }
    let (truths, answers) =
        (cases(&args.truth, "the folder of the truth")?, cases(&args.pred, "the folder of predictions")?);
    same_cases(&truths, &answers, ["the folder of the truth", "the folder of predictions"])?;
    let judged: Vec<Result<CaseValues>> = truths
        .par_iter()
        .map(|(name, truth)| judge(args, truth, &answers[name]).with_context(|| format!("case `{name}`")))
        .collect();
    let judged = judged.into_iter().collect::<Result<Vec<_>>>()?;
    let cases = truths.into_keys().zip(judged).map(|(name, values)| (name.clone(), name, values)).collect();
    let measured = Measured {
        task: "segmentation",
        metrics: metric_facts(args.tolerance_mm, false),
        parts: args.classes.iter().skip(1).cloned().collect(),
        cases,
        nothing: None,
        groups: args.groups.clone(),
        policy: json!({
            "classes": args.classes,
            "tolerance_mm": args.tolerance_mm,
            "mean": "over the foreground classes of a case, then over cases; cases without a value are left out",
        }),
    };
    report(measured, plan, out)
}

fn judge(args: &SegmentArgs, truth: &CaseFile, answer: &CaseFile) -> Result<CaseValues> {
    let truth = labels(truth, args.classes.len()).context("truth")?;
    let answer = labels(answer, args.classes.len()).context("prediction")?;
    answer.geometry().check_same_grid(truth.geometry(), SAME_GRID_MM, "prediction")?;
    let spacing = match (truth.geometry().spacing_mm(), args.spacing.as_deref()) {
        (Some(mm), _) => mm,
        (None, Some(&[row, column])) => [row, row, column],
        (None, Some(&[slice, row, column])) => [slice, row, column],
        (None, Some(other)) => bail!("--spacing has {} numbers, expected 2 or 3", other.len()),
        (None, None) => {
            bail!("the file does not say how far apart its points are\nhint: say --spacing Y,X; 1,1 counts in pixels")
        }
    };
    let scores = judge_case(&truth, &answer, spacing, args.tolerance_mm)?;
    Ok(CaseValues { whole: scores.whole, parts: scores.classes })
}

/// Class numbers of a volume, or of a picture as a volume of one slice.
fn labels(file: &CaseFile, n_classes: usize) -> Result<LabelMap<3>> {
    if file.format == FileFormat::Nifti {
        return Ok(Nifti::open(&file.path)?.labels(n_classes)?);
    }
    let picture = read_raster(&file.path)?;
    if picture.channels() != 1 {
        bail!("picture has {} channels, expected grey values that are class numbers", picture.channels());
    }
    let [rows, columns] = picture.geometry().shape();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "8 or 16 bits are whole numbers")]
    let labels = picture.values().iter().map(|&value| value as u16).collect();
    Ok(LabelMap::new(Geometry::without_spacing([1, rows, columns])?, labels, n_classes)?)
}
