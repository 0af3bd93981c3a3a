//! The headline, computed from the record so that nobody can word it too kindly.
//!
//! A share of a gap means something only where there is a gap, and a gain only where its interval excludes 0. So the
//! sentence comes from three intervals: teacher minus alone, distilled minus alone, distilled minus control.

use crate::number;
use crate::record::{Arm, Difference, Gap, Role, RunRecord, StudentGroup};

/// What a comparison showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There was a gap, and the distilled student is better than the one that learned alone.
    Recovered,
    /// There was a gap, and no difference could be shown.
    NotShown,
    /// There was a gap, and the distilled student is worse than the one that learned alone.
    Worse,
    /// The teacher is not shown to be better than the student alone.
    NoGap,
    /// The record lacks the numbers.
    NotMeasured,
    /// Student sizes that disagree.
    Mixed,
}

impl Outcome {
    /// The outcome in a few words, for a badge.
    pub fn badge(self) -> &'static str {
        match self {
            Self::Recovered => "Distillation helped",
            Self::NotShown => "No difference shown",
            Self::Worse => "Distillation hurt",
            Self::NoGap => "No gap to recover",
            Self::NotMeasured => "Not measured",
            Self::Mixed => "Mixed result",
        }
    }
}

/// The verdict on one student size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudentVerdict {
    /// Student group.
    pub student: String,
    /// What was shown.
    pub outcome: Outcome,
    /// The headline for this student alone.
    pub sentence: String,
    /// The numbers behind it.
    pub evidence: String,
}

/// The verdict on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was shown over all student sizes.
    pub outcome: Outcome,
    /// The headline.
    pub sentence: String,
    /// One verdict per student size.
    pub students: Vec<StudentVerdict>,
    /// What a reader must know before believing the headline.
    pub caveats: Vec<String>,
}

/// Computes the verdict.
///
/// # Policy
/// A gap counts where the 95 % interval of teacher minus alone lies wholly on the teacher's side. A gain (or a loss)
/// counts where the 95 % interval of distilled minus alone excludes 0 and the p value after Holm's correction, where
/// there is one, is at most 0.05. Of several distilled arms of one student, the first gap in the record stands in the
/// headline: the recipe's order decides, not the result.
pub fn verdict(record: &RunRecord) -> Verdict {
    let students: Vec<StudentVerdict> = record.students.iter().map(|group| student(record, group)).collect();
    let (outcome, sentence) = headline(record, &students);
    Verdict { outcome, sentence, students, caveats: caveats(record) }
}

fn headline(record: &RunRecord, students: &[StudentVerdict]) -> (Outcome, String) {
    let [first, rest @ ..] = students else {
        return (Outcome::NotMeasured, "Nothing can be said: the record holds no student".to_owned());
    };
    if rest.is_empty() {
        return (first.outcome, first.sentence.clone());
    }
    let total = students.len();
    let count = |outcome| students.iter().filter(|student| student.outcome == outcome).count();
    if rest.iter().any(|other| other.outcome != first.outcome) {
        let (helped, hurt) = (count(Outcome::Recovered), count(Outcome::Worse));
        let sentence = match (helped, hurt) {
            (0, 0) => format!("No benefit of distillation could be shown at any of {total} student sizes"),
            (_, 0) => format!("Distillation helped at {helped} of {total} student sizes"),
            (0, _) => format!("Distillation made the student worse at {hurt} of {total} student sizes"),
            _ => format!("Distillation helped at {helped} and hurt at {hurt} of {total} student sizes"),
        };
        let outcome = match (helped, hurt) {
            (0, 0) => Outcome::NotShown,
            (0, _) => Outcome::Worse,
            _ => Outcome::Mixed,
        };
        return (outcome, sentence);
    }
    let every = if total == 2 { "both student sizes".to_owned() } else { format!("all {total} student sizes") };
    let sentence = match first.outcome {
        Outcome::Recovered => recovered_at_every(record, &every),
        Outcome::NotShown => format!("No difference between distilled and lone student could be shown at {every}"),
        Outcome::Worse => format!("Distillation made the student worse at {every}"),
        Outcome::NoGap => format!("No gap to recover at {every}: the teacher is not shown to be better"),
        Outcome::NotMeasured | Outcome::Mixed => format!("Not measured at {every}"),
    };
    (first.outcome, sentence)
}

fn recovered_at_every(record: &RunRecord, every: &str) -> String {
    let shares: Vec<f64> =
        record.students.iter().filter_map(|group| headline_gap(record, &group.name)?.recovered.finite()).collect();
    let low = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = (number::percent_digits(low), number::percent_digits(high));
    let span = if low == high { low } else { format!("{low} to {high}") };
    format!("Distillation recovered {span} % of the teacher\u{2013}student gap at {every}")
}

/// The gap on the primary metric that stands in the headline for a student.
pub(crate) fn headline_gap<'a>(record: &'a RunRecord, student: &str) -> Option<&'a Gap> {
    record.gaps.iter().find(|gap| gap.student == student && gap.metric == record.primary_metric)
}

/// The difference `a` minus `b` on the primary metric.
pub(crate) fn primary_difference<'a>(record: &'a RunRecord, student: &str, a: &str, b: &str) -> Option<&'a Difference> {
    let metric = &record.primary_metric;
    record.differences.iter().find(|d| d.student == student && d.a == a && d.b == b && &d.metric == metric)
}

/// What a single difference shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A gain.
    Better,
    /// A loss.
    Worse,
    /// Neither.
    No,
}

impl Shown {
    /// The finding in one word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::No => "no",
        }
    }
}

/// What a difference shows, by the policy of [`verdict`].
pub(crate) fn shown(record: &RunRecord, difference: &Difference) -> Shown {
    let (Some(low), Some(high)) = (difference.low.finite(), difference.high.finite()) else { return Shown::No };
    if difference.p_holm.finite().is_some_and(|p| p > 0.05) || (low <= 0.0 && high >= 0.0) {
        return Shown::No;
    }
    let sign = record.definition(&difference.metric).map_or(1.0, |definition| definition.direction.sign());
    if low * sign > 0.0 { Shown::Better } else { Shown::Worse }
}

fn student(record: &RunRecord, group: &StudentGroup) -> StudentVerdict {
    let say = |outcome, sentence: String, evidence: String| StudentVerdict {
        student: group.name.clone(),
        outcome,
        sentence,
        evidence,
    };
    let (Some(gap), Some(alone)) = (headline_gap(record, &group.name), group.first(Role::Alone)) else {
        let sentence = "Nothing can be said: the record holds no teacher\u{2013}student gap".to_owned();
        return say(Outcome::NotMeasured, sentence, String::new());
    };
    let decimals = record.decimals(&gap.metric);
    let difference = primary_difference(record, &group.name, &gap.arm, &alone.name);
    let evidence = evidence(record, group, gap, alone, difference);
    let sign = record.definition(&gap.metric).map_or(1.0, |definition| definition.direction.sign());
    let (Some(low), Some(high)) = (gap.gap_low.finite(), gap.gap_high.finite()) else {
        let sentence = "Nothing can be said: the teacher\u{2013}student gap has no interval".to_owned();
        return say(Outcome::NotMeasured, sentence, evidence);
    };
    let span = number::interval(&gap.gap_low, &gap.gap_high, decimals);
    if (low * sign).min(high * sign) <= 0.0 {
        let side = if (low * sign).max(high * sign) < 0.0 {
            "the teacher scores below the student alone"
        } else {
            "the interval of teacher minus student alone holds 0"
        };
        let sentence = format!("No gap to recover: {side} (95 % interval {span})");
        return say(Outcome::NoGap, sentence, evidence);
    }
    let Some(difference) = difference else {
        let sentence = "Nothing can be said: the record does not compare the distilled student with the lone one";
        return say(Outcome::NotMeasured, sentence.to_owned(), evidence);
    };
    let delta = number::signed_value(&difference.value, decimals);
    let delta_span = number::interval(&difference.low, &difference.high, decimals);
    let label = record.label(&gap.metric);
    match shown(record, difference) {
        Shown::Better => {
            let sentence = match gap.recovered.finite() {
                Some(share) => format!(
                    "Distillation recovered {} % of the teacher\u{2013}student gap ({})",
                    number::percent_digits(share),
                    share_span(gap)
                ),
                None => format!("Distillation helped: {label} {delta} (95 % interval {delta_span})"),
            };
            say(Outcome::Recovered, sentence, evidence)
        }
        Shown::Worse => {
            let sentence = format!("Distillation made the student worse: {label} {delta} (95 % interval {delta_span})");
            say(Outcome::Worse, sentence, evidence)
        }
        Shown::No => {
            let sentence = format!(
                "No difference could be shown between distilled and lone student: {label} {delta} (95 % interval {delta_span})"
            );
            say(Outcome::NotShown, sentence, evidence)
        }
    }
}

fn share_span(gap: &Gap) -> String {
    match (gap.recovered_low.finite(), gap.recovered_high.finite()) {
        (Some(low), Some(high)) => {
            format!("95 % interval {} to {} %", number::percent_digits(low), number::percent_digits(high))
        }
        _ => "no interval".to_owned(),
    }
}

fn evidence(
    record: &RunRecord,
    group: &StudentGroup,
    gap: &Gap,
    alone: &Arm,
    difference_to_alone: Option<&Difference>,
) -> String {
    let decimals = record.decimals(&gap.metric);
    let score = |arm: Option<&Arm>| {
        arm.and_then(|arm| arm.metric(&gap.metric))
            .map_or("not measured".to_owned(), |metric| number::value(&metric.value, decimals))
    };
    let mut text = format!(
        "{} {} alone, {} distilled, {} teacher.",
        record.label(&gap.metric),
        score(Some(alone)),
        score(record.arm(&group.name, &gap.arm)),
        score(Some(&record.teacher.arm)),
    );
    let span = |d: &Difference| {
        let span = number::interval(&d.low, &d.high, decimals);
        format!("{} (95 % interval {span})", number::signed_value(&d.value, decimals))
    };
    if let Some(difference) = difference_to_alone {
        text += &format!(" Distilled minus alone {}.", span(difference));
    }
    if let Some(control) = group.first(Role::Control)
        && let Some(difference) = primary_difference(record, &group.name, &gap.arm, &control.name)
    {
        text += &match shown(record, difference) {
            Shown::Better => format!(" Against the control \u{201c}{}\u{201d} {}.", control.name, span(difference)),
            Shown::Worse => format!(
                " Against the control \u{201c}{}\u{201d} {}: the control is better, so the teacher's knowledge is not \
                 what helps.",
                control.name,
                span(difference)
            ),
            Shown::No => {
                let is_gain = difference_to_alone.is_some_and(|one| shown(record, one) == Shown::Better);
                let why = if is_gain { ", so softer labels alone may explain the gain" } else { "" };
                let span = span(difference);
                format!(
                    " Against the control \u{201c}{}\u{201d} {span}: no difference could be shown{why}.",
                    control.name
                )
            }
        };
    }
    text
}

fn caveats(record: &RunRecord) -> Vec<String> {
    let mut caveats = Vec::new();
    if let Some(limit) = &record.dataset.claim_limit {
        caveats.push(limit.clone());
    }
    if record.teacher.hash_before != record.teacher.hash_after {
        caveats.push("The teacher changed while the students learned: the comparison is void".to_owned());
    }
    let compared = |arm: &&Arm| arm.role != Role::Extra;
    let fewest = record.students.iter().flat_map(|group| &group.arms).filter(compared).map(|arm| arm.seeds.len()).min();
    if let Some(seeds) = fewest.filter(|seeds| *seeds < 5) {
        let plural = if seeds == 1 { "" } else { "s" };
        caveats.push(format!("{seeds} seed{plural} per arm: a look, not a record (5 seeds make a record)"));
    }
    let dropped: u64 = record.dataset.leaks.iter().map(|leak| leak.dropped).sum();
    if dropped > 0 {
        caveats.push(format!("{} training images were dropped as leaks between splits", number::count(dropped)));
    }
    if record.provenance.dirty {
        caveats.push("The working tree had uncommitted changes, so the revision does not name this code".to_owned());
    }
    caveats
}
