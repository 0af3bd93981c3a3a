//! The table of segmented cases: per class, over classes, per case.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;

use super::aggregate::{Aggregate, Agreement};
use super::case_row::{CaseRow, Cases};
use super::protocol::{CaseProtocol, TablePolicy};
use crate::classify::rates::ZeroDivision;
use crate::grid::Grid;
use crate::segment::components::Connectivity;
use crate::segment::lesions::{LesionOverlap, lesion_counts, lesion_f1};
use crate::segment::masks::{EmptyMasks, MaskPair};
use crate::segment::overlap::{dice, intersection_over_union, mask_precision, mask_sensitivity};
use crate::segment::surface::{
    SurfaceDistances, average_symmetric_surface_distance_mm, hausdorff_percentile_mm, surface_dice,
};
use crate::segment::volume::{relative_volume_error, volume_error_mm3, volume_mm3};
use crate::stats::case_mean::UndefinedCases;
use crate::stats::grouping::Grouping;
use crate::undefined::{Score, Undefined, check_length};

/// Metrics that are differences of sizes: their mean over classes would add a liver to a lesion.
const NOT_OVER_CLASSES: [&str; 2] = ["volume_error_mm3", "relative_volume_error"];

/// All that the numbers of segmented cases depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentProtocol {
    /// Label and name of each class; background is 0 and not among them.
    pub classes: Vec<(u16, String)>,
    /// Tolerance of surface Dice.
    pub tolerance_mm: f64,
    /// What empty masks are worth.
    pub empty: EmptyMasks,
    /// What sensitivity of an empty truth and precision of an empty prediction are.
    pub zero_division: ZeroDivision,
    /// Connectivity and overlap of lesions; none leaves the lesion score out.
    pub lesions: Option<(Connectivity, LesionOverlap)>,
    /// Means and intervals.
    pub cases: CaseProtocol,
}

/// How often masks were empty: what a policy was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct EmptyCounts {
    /// Cases with neither mask.
    pub both: usize,
    /// Cases whose prediction alone is empty.
    pub prediction: usize,
    /// Cases whose truth alone is empty.
    pub truth: usize,
}

/// One class of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentClass {
    /// Its name.
    pub class: String,
    /// Its label.
    pub label: u16,
    /// Cases.
    pub n: usize,
    /// How often its masks were empty.
    pub empty: EmptyCounts,
    /// Means by name.
    pub metrics: BTreeMap<&'static str, Aggregate>,
    /// Predicted against true volume in mm³, over the cases that are volumes.
    pub volume_agreement_mm3: Agreement,
}

/// Everything about a set of segmented cases. Serialises to the document of `kd metrics segment --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentTable {
    /// Version of the document.
    pub schema: u32,
    /// `segment`.
    pub task: &'static str,
    /// Cases.
    pub n: usize,
    /// What the numbers depend on.
    pub policy: TablePolicy,
    /// Means over classes within a case, then over cases.
    pub metrics: BTreeMap<&'static str, Aggregate>,
    /// Class by class.
    pub per_class: Vec<SegmentClass>,
    /// Case by case and class by class.
    pub per_case: Vec<CaseRow>,
}

/// The scores of one class of one case.
#[derive(Debug, Clone, PartialEq)]
struct ClassScores {
    scores: Vec<(&'static str, Score)>,
    empty: EmptyCounts,
    /// Predicted and true volume in mm³; none on a plane.
    volumes_mm3: Option<[f64; 2]>,
}

/// Scores segmented cases one by one, and makes the table of them.
///
/// # Policy
/// All of it stands in [`SegmentProtocol`]. A number over classes is the mean over a case's classes, then over cases; classes
/// without a value in a case are treated as cases without one are. Volume errors are not averaged over classes.
///
/// # Example
/// ```
/// use kd_metrics::*;
/// let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 200, level: 0.95, seed: 0 };
/// let mut cases = SegmentCases::new(SegmentProtocol {
///     classes: vec![(1, "head".into()), (2, "tail".into())],
///     tolerance_mm: 1.0,
///     empty: EmptyMasks { both: BothEmpty::Undefined, one: OneEmpty::Infinite },
///     zero_division: ZeroDivision::Undefined,
///     lesions: None,
///     cases: CaseProtocol { undefined: UndefinedCases::LeaveOut, weight: CaseWeight::EachCase, plan },
/// })?;
/// let grid = Grid::volume([1, 1, 4], [1.0, 1.0, 2.0])?;
/// cases.add("scan 1", "anna", grid, &[1, 1, 2, 0], &[1, 0, 2, 0])?;
/// cases.add("scan 2", "bert", grid, &[0, 1, 0, 0], &[0, 1, 0, 0])?;
/// let table = cases.table()?;
/// let tail = &table.per_class[1];
/// assert_eq!((tail.metrics["dice"].n, tail.metrics["dice"].left_out, tail.empty.both), (1, 1, 1));
/// let value = table.metrics["dice"].value.map(Number::value).unwrap_or_default();
/// assert!((value - ((2.0 / 3.0 + 1.0) / 2.0 + 1.0) / 2.0).abs() < 1e-12);
/// # Ok::<(), Undefined>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentCases {
    protocol: SegmentProtocol,
    cases: Cases,
    /// Per case, then per class.
    scored: Vec<Vec<ClassScores>>,
}

impl SegmentCases {
    /// No cases yet.
    ///
    /// # Errors
    /// No classes, background among them, a label or a name twice; a tolerance, penalty, share or bootstrap plan outside its
    /// range.
    pub fn new(protocol: SegmentProtocol) -> Result<Self, Undefined> {
        protocol.cases.plan.check()?;
        if protocol.classes.is_empty() {
            return Err(Undefined::NotEnough { what: "classes", expected: 1, found: 0 });
        }
        let labels: BTreeSet<u16> = protocol.classes.iter().map(|class| class.0).collect();
        let names: BTreeSet<&str> = protocol.classes.iter().map(|class| class.1.as_str()).collect();
        check_length("different class labels", protocol.classes.len(), labels.len())?;
        check_length("different class names", protocol.classes.len(), names.len())?;
        if labels.contains(&0) {
            return Err(Undefined::OutOfRange { what: "class label", expected: "above 0, the background", found: 0.0 });
        }
        // Arguments are checked by the metrics that take them: ask them once, of a case that has every mask.
        let probe = MaskPair::new(Grid::plane([1, 1], [1.0, 1.0])?, &[true], &[true])?;
        surface_dice(&SurfaceDistances::new(&probe), protocol.tolerance_mm, protocol.empty.both)?;
        protocol.empty.one.check()?;
        if let Some((connectivity, overlap)) = protocol.lesions {
            lesion_counts(&probe, connectivity, overlap)?;
        }
        Ok(Self { protocol, cases: Cases::default(), scored: Vec::new() })
    }

    /// Scores a case and keeps its scores.
    ///
    /// # Shapes
    /// Label maps as the grid, last axis fastest.
    ///
    /// # Errors
    /// A case that was added before; another length than the grid has points; a label that is neither 0 nor a class. The table
    /// is then as it was.
    pub fn add(
        &mut self,
        id: &str,
        subject: &str,
        grid: Grid,
        prediction: &[u16],
        truth: &[u16],
    ) -> Result<(), Undefined> {
        self.cases.check_new(id)?;
        let labels: BTreeSet<u16> = self.protocol.classes.iter().map(|class| class.0).collect();
        for (which, map) in [("prediction", prediction), ("truth", truth)] {
            check_length(which, grid.points(), map.len())?;
            if let Some(point) = map.iter().position(|label| *label != 0 && !labels.contains(label)) {
                return Err(Undefined::UnknownLabel { which, point, label: map[point] });
            }
        }
        let scored: Result<Vec<ClassScores>, Undefined> = self
            .protocol
            .classes
            .par_iter()
            .map(|(label, _)| self.protocol.score(&MaskPair::of_class(grid, prediction, truth, *label)?))
            .collect();
        self.scored.push(scored?);
        self.cases.add(id, subject);
        Ok(())
    }

    /// Number of cases so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there is no case yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table of all cases so far.
    ///
    /// # Errors
    /// No cases. A number that has no value, or no interval (one subject), has its reason in the table.
    pub fn table(&self) -> Result<SegmentTable, Undefined> {
        let (protocol, grouping) = (&self.protocol, Grouping::new(self.cases.subjects())?);
        let names: Vec<&'static str> = self.scored[0][0].scores.iter().map(|(name, _)| *name).collect();
        let aggregate = |scores: &[Score]| Aggregate::of(scores, &self.cases, &grouping, &protocol.cases);
        let per_class = protocol.classes.iter().enumerate().map(|(class, (label, name))| {
            let of_class: Vec<&ClassScores> = self.scored.iter().map(|classes| &classes[class]).collect();
            let metric = |index: usize| of_class.iter().map(|class| class.scores[index].1.clone()).collect::<Vec<_>>();
            SegmentClass {
                class: name.clone(),
                label: *label,
                n: self.len(),
                empty: sum(of_class.iter().map(|class| class.empty)),
                metrics: names.iter().enumerate().map(|(index, name)| (*name, aggregate(&metric(index)))).collect(),
                volume_agreement_mm3: self.agreement(&of_class),
            }
        });
        let over_classes = names.iter().enumerate().filter(|(_, name)| !NOT_OVER_CLASSES.contains(name));
        let metrics = over_classes.map(|(index, name)| {
            let of_case = |classes: &Vec<ClassScores>| protocol.mean_over_classes(classes, index);
            (*name, aggregate(&self.scored.iter().map(of_case).collect::<Vec<_>>()))
        });
        let per_case = self.scored.iter().enumerate().flat_map(|(case, classes)| {
            classes.iter().zip(&protocol.classes).map(move |(class, (_, name))| {
                let row = self.cases.row(case).with(class.scores.iter().map(|(name, score)| (*name, score)));
                CaseRow { class: Some(name.clone()), ..row }
            })
        });
        let over_classes = "mean over the classes of a case, then as above; volume errors stand per class only";
        Ok(SegmentTable {
            schema: 1,
            task: "segment",
            n: self.len(),
            policy: protocol.cases.in_words(&grouping, Some(over_classes), protocol.in_words()),
            metrics: metrics.collect(),
            per_class: per_class.collect(),
            per_case: per_case.collect(),
        })
    }

    fn agreement(&self, of_class: &[&ClassScores]) -> Agreement {
        let (mut prediction, mut truth, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
        for (class, subject) in of_class.iter().zip(self.cases.subjects()) {
            if let Some([predicted_mm3, true_mm3]) = class.volumes_mm3 {
                prediction.push(predicted_mm3);
                truth.push(true_mm3);
                subjects.push(subject);
            }
        }
        Agreement::of(&prediction, &truth, Grouping::new(&subjects), &self.protocol.cases)
    }
}

fn sum(counts: impl Iterator<Item = EmptyCounts>) -> EmptyCounts {
    counts.fold(EmptyCounts::default(), |sum, empty| EmptyCounts {
        both: sum.both + empty.both,
        prediction: sum.prediction + empty.prediction,
        truth: sum.truth + empty.truth,
    })
}

impl SegmentProtocol {
    fn score(&self, pair: &MaskPair) -> Result<ClassScores, Undefined> {
        let (both, distances) = (self.empty.both, SurfaceDistances::new(pair));
        let mut scores = vec![
            ("dice", dice(pair, both)),
            ("iou", intersection_over_union(pair, both)),
            ("sensitivity", mask_sensitivity(pair, self.zero_division)),
            ("precision", mask_precision(pair, self.zero_division)),
            ("surface_dice", surface_dice(&distances, self.tolerance_mm, both)),
            ("hd95_mm", hausdorff_percentile_mm(&distances, 95.0, self.empty)),
            ("assd_mm", average_symmetric_surface_distance_mm(&distances, self.empty)),
            ("volume_error_mm3", volume_error_mm3(pair)),
            ("relative_volume_error", relative_volume_error(pair)),
        ];
        if let Some((connectivity, overlap)) = self.lesions {
            let counts = lesion_counts(pair, connectivity, overlap)?;
            scores.push(("lesion_f1", lesion_f1(&counts, both)));
        }
        let (predicted, real) = (pair.predicted_points() > 0, pair.true_points() > 0);
        let empty = EmptyCounts {
            both: usize::from(!predicted && !real),
            prediction: usize::from(!predicted && real),
            truth: usize::from(predicted && !real),
        };
        let volume = |mask: &[bool]| volume_mm3(pair.grid(), mask).ok();
        let volumes_mm3 = volume(pair.prediction()).zip(volume(pair.truth())).map(|(p, t)| [p, t]);
        Ok(ClassScores { scores, empty, volumes_mm3 })
    }

    /// The mean of one metric over the classes of a case.
    fn mean_over_classes(&self, scored: &[ClassScores], index: usize) -> Score {
        let (mut sum, mut n, mut first) = (0.0, 0_u32, None);
        for (class, (label, _)) in scored.iter().zip(&self.classes) {
            match &class.scores[index].1 {
                Ok(value) => (sum, n) = (sum + value, n + 1),
                Err(cause) if self.cases.undefined == UndefinedCases::Refuse => {
                    return Err(Undefined::InClass { class: usize::from(*label), cause: Box::new(cause.clone()) });
                }
                Err(cause) => {
                    first.get_or_insert(cause);
                }
            }
        }
        if n == 0 { Err(first.cloned().unwrap_or(Undefined::NoSamples)) } else { Ok(sum / f64::from(n)) }
    }

    /// How each metric is measured.
    fn in_words(&self) -> BTreeMap<&'static str, String> {
        let (both, one) = (self.empty.both.describe(), self.empty.one.describe());
        let zero = match self.zero_division {
            ZeroDivision::Undefined => "no value",
            ZeroDivision::Zero => "0",
        };
        let distance = format!("mm, area-weighted; both masks empty: {both}; one empty: {one}");
        let overlap = format!("points; both masks empty: {both}; one empty: 0");
        let mut words = BTreeMap::from([
            ("dice", format!("2 |P and T| / (|P| + |T|), {overlap}")),
            ("iou", format!("|P and T| / |P or T|, {overlap}")),
            ("sensitivity", format!("|P and T| / |T|, points; empty truth: {zero}")),
            ("precision", format!("|P and T| / |P|, points; empty prediction: {zero}")),
            (
                "surface_dice",
                format!(
                    "share of both surfaces within {} mm, area-weighted; both masks empty: {both}; one empty: 0",
                    self.tolerance_mm
                ),
            ),
            ("hd95_mm", format!("larger of the two directed 95th percentiles, {distance}")),
            ("assd_mm", format!("mean over both surfaces together, {distance}")),
            ("volume_error_mm3", "prediction - truth, signed; planes have none".to_owned()),
            ("relative_volume_error", "(prediction - truth) / truth, signed; empty truth: no value".to_owned()),
        ]);
        if let Some((connectivity, overlap)) = self.lesions {
            let touching = match connectivity {
                Connectivity::Faces => "faces",
                Connectivity::Edges => "faces or edges",
                Connectivity::Corners => "faces, edges or corners",
            };
            let met = match overlap {
                LesionOverlap::Touch => "by one point".to_owned(),
                LesionOverlap::ShareAtLeast(share) => format!("by a share of {share}"),
            };
            let line = format!("components sharing {touching}, met {met}; no lesion on either side: {both}");
            words.insert("lesion_f1", line);
        }
        words
    }
}
