//! The headline says what the intervals say.

use crate::example;
use kd_report::verdict::{Outcome, verdict};
use kd_report::{Direction, Role, RunRecord, Value};

/// One student with this gap and this difference of distilled minus alone, each as value, low, high.
fn with(gap: [f64; 3], difference: [f64; 3]) -> RunRecord {
    let mut record = example::two_classes();
    record.students.remove(0);
    record.gaps.remove(0);
    let student = record.students[0].name.clone();
    record.differences.retain(|one| one.student == student);
    let one = &mut record.gaps[0];
    [one.gap, one.gap_low, one.gap_high] = gap.map(Value::from);
    let one = &mut record.differences[0];
    assert_eq!((one.a.as_str(), one.b.as_str(), one.metric.as_str()), ("distilled", "alone", "auroc"));
    [one.value, one.low, one.high] = difference.map(Value::from);
    record
}

#[test]
fn a_gain_with_a_gap_names_share_and_interval() {
    let mut record = with([0.026, 0.018, 0.034], [0.015, 0.006, 0.023]);
    record.gaps[0].recovered = Value::from(0.62);
    record.gaps[0].recovered_low = Value::from(0.31);
    record.gaps[0].recovered_high = Value::from(0.88);
    let verdict = verdict(&record);
    assert_eq!(verdict.outcome, Outcome::Recovered);
    assert_eq!(
        verdict.sentence,
        "Distillation recovered 62 % of the teacher\u{2013}student gap (95 % interval 31 to 88 %)"
    );
}

#[test]
fn a_gap_that_holds_zero_is_no_gap_however_large_the_gain() {
    let verdict = verdict(&with([0.004, -0.003, 0.011], [0.015, 0.006, 0.023]));
    assert_eq!(verdict.outcome, Outcome::NoGap);
    assert!(verdict.sentence.starts_with("No gap to recover: the interval"), "{}", verdict.sentence);
    assert!(!verdict.sentence.contains("recovered"));
}

#[test]
fn a_teacher_below_the_student_is_no_gap() {
    let verdict = verdict(&with([-0.010, -0.015, -0.005], [0.015, 0.006, 0.023]));
    assert_eq!(verdict.outcome, Outcome::NoGap);
    assert!(verdict.sentence.contains("teacher scores below"), "{}", verdict.sentence);
}

#[test]
fn a_difference_that_holds_zero_is_not_shown() {
    let verdict = verdict(&with([0.026, 0.018, 0.034], [0.004, -0.002, 0.010]));
    assert_eq!(verdict.outcome, Outcome::NotShown);
    assert_eq!(
        verdict.sentence,
        "No difference could be shown between distilled and lone student: AUROC +0.004 (95 % interval \u{2212}0.002 to 0.010)"
    );
}

#[test]
fn a_difference_that_holm_takes_back_is_not_shown() {
    let mut record = with([0.026, 0.018, 0.034], [0.015, 0.001, 0.023]);
    record.differences[0].p_holm = Value::from(0.06);
    assert_eq!(verdict(&record).outcome, Outcome::NotShown);
    record.differences[0].p_holm = Value::undefined("one method only");
    assert_eq!(verdict(&record).outcome, Outcome::Recovered);
}

#[test]
fn a_loss_is_called_a_loss() {
    let verdict = verdict(&with([0.026, 0.018, 0.034], [-0.012, -0.020, -0.004]));
    assert_eq!(verdict.outcome, Outcome::Worse);
    assert!(verdict.sentence.starts_with("Distillation made the student worse: AUROC \u{2212}0.012"));
}

#[test]
fn where_less_is_better_a_negative_difference_is_a_gain() {
    let mut record = with([-0.026, -0.034, -0.018], [-0.015, -0.023, -0.006]);
    record.metrics[0].direction = Direction::Lower;
    assert_eq!(verdict(&record).outcome, Outcome::Recovered);
    record.differences[0].low = Value::from(0.006);
    record.differences[0].high = Value::from(0.023);
    assert_eq!(verdict(&record).outcome, Outcome::Worse);
}

#[test]
fn a_gain_that_the_control_shares_is_said_so() {
    let mut record = with([0.026, 0.018, 0.034], [0.015, 0.006, 0.023]);
    let control = record.differences.iter_mut().find(|one| one.b == "smoothed" && one.metric == "auroc").unwrap();
    control.low = Value::from(-0.001);
    assert!(verdict(&record).students[0].evidence.contains("softer labels alone may explain"));
}

#[test]
fn student_sizes_that_disagree_are_counted() {
    let mut record = example::two_classes();
    assert_eq!(
        verdict(&record).sentence,
        "Distillation recovered 58 to 60 % of the teacher\u{2013}student gap at both student sizes"
    );
    let index = record.differences.iter().position(|one| one.student == "mobile-0.25" && one.b == "alone").unwrap();
    record.differences[index].low = Value::from(-0.001);
    let mixed = verdict(&record);
    assert_eq!(
        (mixed.outcome, mixed.sentence.as_str()),
        (Outcome::Mixed, "Distillation helped at 1 of 2 student sizes")
    );
    record.differences[index].low = Value::from(-0.02);
    record.differences[index].high = Value::from(-0.01);
    assert_eq!(verdict(&record).sentence, "Distillation helped at 1 and hurt at 1 of 2 student sizes");
}

#[test]
fn nothing_is_claimed_without_the_numbers() {
    let mut record = with([0.026, 0.018, 0.034], [0.015, 0.006, 0.023]);
    record.differences.clear();
    assert_eq!(verdict(&record).outcome, Outcome::NotMeasured);
    record.gaps.clear();
    assert_eq!(verdict(&record).outcome, Outcome::NotMeasured);
    record.students.clear();
    assert_eq!(verdict(&record).outcome, Outcome::NotMeasured);
}

#[test]
fn caveats_name_a_moved_teacher_few_seeds_and_uncommitted_changes() {
    let mut record = example::three_classes();
    record.teacher.hash_after = "other".to_owned();
    record.provenance.dirty = true;
    record.students[0].arms.retain(|arm| arm.role != Role::Extra);
    let caveats = verdict(&record).caveats.join("\n");
    for words in ["No claim about patients", "teacher changed", "3 seeds per arm", "uncommitted"] {
        assert!(caveats.contains(words), "{words}: {caveats}");
    }
}
