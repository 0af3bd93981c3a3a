//! What a segmented case is worth, class by class, in mm.

use kd_image::{IGNORED, LabelMap};
use kd_metrics::{
    BothEmpty, Connectivity, EmptyMasks, Grid, LesionOverlap, MaskPair, OneEmpty, Score, SurfaceDistances, Undefined,
    ZeroDivision, average_symmetric_surface_distance_mm, dice, hausdorff_percentile_mm, intersection_over_union,
    lesion_counts, lesion_f1, mask_precision, mask_sensitivity, relative_volume_error, surface_dice,
};

/// A reported number of a class in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Overlap.
    Dice,
    /// Overlap, counted once.
    Iou,
    /// Share of the surfaces that lie within a tolerance of each other.
    Nsd,
    /// 95th percentile of surface distances.
    Hd95,
    /// Mean surface distance.
    Assd,
    /// Share of the structure that was found.
    Sensitivity,
    /// Share of the answer that is structure.
    Precision,
    /// Difference of sizes, relative to the truth.
    VolumeError,
    /// Structures found, each counted once.
    LesionF1,
}

impl Metric {
    /// Every metric, in the order of a report.
    pub const ALL: [Self; 9] = [
        Self::Dice,
        Self::Iou,
        Self::Nsd,
        Self::Hd95,
        Self::Assd,
        Self::Sensitivity,
        Self::Precision,
        Self::VolumeError,
        Self::LesionF1,
    ];

    /// The metric of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Its name in recipes and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dice => "dice",
            Self::Iou => "iou",
            Self::Nsd => "nsd",
            Self::Hd95 => "hd95",
            Self::Assd => "assd",
            Self::Sensitivity => "sensitivity",
            Self::Precision => "precision",
            Self::VolumeError => "volume_error",
            Self::LesionF1 => "lesion_f1",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Dice => "Dice",
            Self::Iou => "IoU",
            Self::Nsd => "Surface Dice",
            Self::Hd95 => "HD95",
            Self::Assd => "ASSD",
            Self::Sensitivity => "Sensitivity",
            Self::Precision => "Precision",
            Self::VolumeError => "Volume error",
            Self::LesionF1 => "Lesion F1",
        }
    }

    /// What it measures, in a sentence.
    #[must_use]
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Dice => "twice the points in both masks over the points of each",
            Self::Iou => "points in both masks over points in either",
            Self::Nsd => "share of both surfaces, by area, that lies within the tolerance of the other one",
            Self::Hd95 => {
                "95th percentile of the distance from one surface to the other, the larger of both directions"
            }
            Self::Assd => "mean distance from one surface to the other, over both directions",
            Self::Sensitivity => "share of the true structure that the answer covers",
            Self::Precision => "share of the answer that is true structure",
            Self::VolumeError => {
                "difference of the sizes of answer and truth, as a share of the truth, without its sign"
            }
            Self::LesionF1 => {
                "harmonic mean of the shares of true components that are met and of answered ones that meet"
            }
        }
    }

    /// Unit of the number: `mm`, or nothing.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        if matches!(self, Self::Hd95 | Self::Assd) { "mm" } else { "" }
    }

    /// Whether more is better.
    #[must_use]
    pub const fn higher_is_better(self) -> bool {
        !matches!(self, Self::Hd95 | Self::Assd | Self::VolumeError)
    }

    /// Everything that changes the number.
    #[must_use]
    pub fn policy(self, tolerance_mm: f64) -> String {
        let of_class = match self {
            Self::Dice | Self::Iou => "only one mask empty: 0".to_owned(),
            Self::Nsd => format!("tolerance {tolerance_mm} mm, only one mask empty: 0"),
            Self::Hd95 | Self::Assd => "only one mask empty: the diagonal of the volume".to_owned(),
            Self::Sensitivity => "no true structure: no value".to_owned(),
            Self::Precision => "no answer: no value".to_owned(),
            Self::VolumeError => "no true structure: no value".to_owned(),
            Self::LesionF1 => {
                "components joined by faces, edges or corners, met by one shared point; only one mask empty: 0"
                    .to_owned()
            }
        };
        format!(
            "per case and foreground class on the grid of the source, in mm; both masks empty: no value; {of_class}; mean over the classes of a case that have a value"
        )
    }
}

/// The values of one case, in the order of [`Metric::ALL`].
#[derive(Debug, Clone, PartialEq)]
pub struct CaseScores {
    /// Mean over the foreground classes that have a value.
    pub whole: Vec<Score>,
    /// Of each foreground class.
    pub classes: Vec<Vec<Score>>,
}

/// Judges an answer to one case.
///
/// # Shapes
/// `truth` and `answer` on one grid; `spacing_mm` of it, slowest axis first. A picture has depth 1.
///
/// # Policy
/// That of [`Metric::policy`]. Points whose truth is [`IGNORED`] belong to no mask. A volume of one slice is measured as a
/// plane: a surface has no caps there.
///
/// # Errors
/// [`Undefined`] for grids that differ and for spacings or tolerances that are none.
///
/// # Example
/// ```
/// use kd_image::{Geometry, LabelMap};
/// use kd_segment::{Metric, judge_case};
/// let grid = Geometry::<3>::with_spacing([1, 2, 3], [1.0, 1.0, 1.0])?;
/// let map = |labels: [u16; 6]| LabelMap::new(grid.clone(), labels.to_vec(), 3);
/// let scores = judge_case(&map([1, 1, 0, 0, 2, 2])?, &map([1, 0, 0, 0, 2, 2])?, [1.0; 3], 1.0)?;
/// // 2 · 1 / (2 + 1) for class 1, 1 for class 2.
/// assert_eq!(scores.classes[0][0], Ok(2.0 / 3.0));
/// assert_eq!(scores.whole[0], Ok((2.0 / 3.0 + 1.0) / 2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn judge_case(
    truth: &LabelMap<3>,
    answer: &LabelMap<3>,
    spacing_mm: [f64; 3],
    tolerance_mm: f64,
) -> Result<CaseScores, Undefined> {
    let shape = truth.geometry().shape();
    let grid = match shape {
        [1, height, width] => Grid::plane([height, width], [spacing_mm[1], spacing_mm[2]])?,
        _ => Grid::volume(shape, spacing_mm)?,
    };
    let ignored = truth.labels().contains(&IGNORED);
    let answered: Vec<u16> = match ignored {
        false => answer.labels().to_vec(),
        true => {
            let pairs = answer.labels().iter().zip(truth.labels());
            pairs.map(|(&answer, &truth)| if truth == IGNORED { 0 } else { answer }).collect()
        }
    };
    let mm = grid.shape().iter().zip(grid.spacing_mm()).map(|(&points, mm)| points as f64 * mm);
    let diagonal = mm.map(|mm| mm * mm).sum::<f64>().sqrt();
    let empty = EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::PenaltyMm(diagonal) };
    let of_class = |class: usize| -> Result<Vec<Score>, Undefined> {
        let class = u16::try_from(class).unwrap_or(IGNORED);
        let pair = MaskPair::of_class(grid, &answered, truth.labels(), class)?;
        let surfaces = SurfaceDistances::new(&pair);
        Ok(Metric::ALL
            .iter()
            .map(|metric| match metric {
                Metric::Dice => dice(&pair, empty.both),
                Metric::Iou => intersection_over_union(&pair, empty.both),
                Metric::Nsd => surface_dice(&surfaces, tolerance_mm, empty.both),
                Metric::Hd95 => hausdorff_percentile_mm(&surfaces, 95.0, empty),
                Metric::Assd => average_symmetric_surface_distance_mm(&surfaces, empty),
                Metric::Sensitivity => mask_sensitivity(&pair, ZeroDivision::Undefined),
                Metric::Precision => mask_precision(&pair, ZeroDivision::Undefined),
                Metric::VolumeError => relative_volume_error(&pair).map(f64::abs),
                Metric::LesionF1 => lesion_counts(&pair, Connectivity::Corners, LesionOverlap::Touch)
                    .and_then(|counts| lesion_f1(&counts, empty.both)),
            })
            .collect())
    };
    let classes = (1..truth.n_classes()).map(of_class).collect::<Result<Vec<_>, _>>()?;
    let whole = (0..Metric::ALL.len()).map(|metric| mean(classes.iter().map(|scores| &scores[metric]))).collect();
    Ok(CaseScores { whole, classes })
}

/// Mean over those that have a value; the first reason where none has.
fn mean<'a>(scores: impl Iterator<Item = &'a Score>) -> Score {
    let (mut sum, mut n, mut reason) = (0.0, 0u32, None);
    for score in scores {
        match score {
            Ok(value) => {
                sum += value;
                n += 1;
            }
            Err(why) => {
                reason.get_or_insert_with(|| why.clone());
            }
        }
    }
    if n == 0 { Err(reason.unwrap_or(Undefined::NoSamples)) } else { Ok(sum / f64::from(n)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::Geometry;

    fn map(labels: Vec<u16>) -> LabelMap<3> {
        LabelMap::new(Geometry::<3>::with_spacing([2, 3, 4], [2.0, 1.0, 1.0]).unwrap(), labels, 3).unwrap()
    }

    fn score(scores: &CaseScores, class: usize, metric: Metric) -> &Score {
        let place = Metric::ALL.iter().position(|one| *one == metric).unwrap();
        &scores.classes[class - 1][place]
    }

    #[test]
    fn a_structure_that_is_missed_costs_the_diagonal() {
        let truth = map((0..24).map(|n| u16::from(n < 6)).collect());
        let scores = judge_case(&truth, &map(vec![0; 24]), [2.0, 1.0, 1.0], 1.0).unwrap();
        let diagonal = (16.0f64 + 9.0 + 16.0).sqrt();
        assert_eq!(score(&scores, 1, Metric::Dice), &Ok(0.0));
        assert_eq!(score(&scores, 1, Metric::Nsd), &Ok(0.0));
        assert_eq!(score(&scores, 1, Metric::Hd95), &Ok(diagonal));
        assert!(score(&scores, 1, Metric::Precision).is_err());
        // Class 2 is in neither mask: it has no value, and the mean is over class 1 alone.
        assert!(score(&scores, 2, Metric::Dice).is_err());
        assert_eq!(scores.whole[0], Ok(0.0));
    }

    #[test]
    fn the_thickness_of_a_picture_costs_nothing() {
        let grid = Geometry::<3>::without_spacing([1, 3, 4]).unwrap();
        let picture = |labels| LabelMap::new(grid.clone(), labels, 2).unwrap();
        let (truth, nothing) = (picture((0..12).map(|n| u16::from(n < 6)).collect()), picture(vec![0; 12]));
        let scores = judge_case(&truth, &nothing, [50.0, 1.0, 1.0], 1.0).unwrap();
        assert_eq!(score(&scores, 1, Metric::Hd95), &Ok(5.0));
    }

    #[test]
    fn ignored_points_belong_to_no_mask() {
        let mut labels: Vec<u16> = (0..24).map(|n| u16::from(n < 6)).collect();
        let answer = map(labels.iter().map(|&label| if label == 1 { 1 } else { 2 }).collect());
        labels.iter_mut().skip(6).for_each(|label| *label = IGNORED);
        let scores = judge_case(&map(labels), &answer, [2.0, 1.0, 1.0], 1.0).unwrap();
        assert_eq!(score(&scores, 1, Metric::Dice), &Ok(1.0));
        assert!(score(&scores, 2, Metric::Dice).is_err());
    }

    #[test]
    fn sizes_and_lesions_count_by_themselves() {
        // Two true specks of 2 and 1 points; the answer meets the first with 1 point and invents one of 1.
        let place = |set: &[usize]| map((0..24).map(|n| u16::from(set.contains(&n))).collect());
        let scores = judge_case(&place(&[0, 1, 23]), &place(&[0, 20]), [2.0, 1.0, 1.0], 1.0).unwrap();
        assert_eq!(score(&scores, 1, Metric::VolumeError), &Ok(1.0 / 3.0));
        // One met of two, one false: 1 / (1 + ½ · 2).
        assert_eq!(score(&scores, 1, Metric::LesionF1), &Ok(0.5));
        let invented = judge_case(&place(&[]), &place(&[5]), [2.0, 1.0, 1.0], 1.0).unwrap();
        assert!(score(&invented, 1, Metric::VolumeError).is_err());
        assert_eq!(score(&invented, 1, Metric::LesionF1), &Ok(0.0));
    }

    #[test]
    fn names_are_unique_and_read_back() {
        for metric in Metric::ALL {
            assert_eq!(Metric::named(metric.name()), Some(metric));
        }
        assert_eq!(Metric::named("auroc"), None);
    }
}
