//! Two records against each other.

use crate::example;
use kd_report::Value;
use kd_report::compare::{Change, NoiseThreshold, compare};

const NOISE: NoiseThreshold = NoiseThreshold { seed_spreads: 1.0, floor: 0.002, latency_ratio: 1.1 };

#[test]
fn equal_records_have_no_change() {
    let record = example::two_classes();
    let found = compare(&record, &record, NOISE);
    assert!(found.rows.len() > 20 && found.rows.iter().all(|row| row.change == Change::Within));
    assert!(!found.regressed() && found.unmatched.is_empty() && found.conditions.is_empty());
}

#[test]
fn a_score_outside_the_seed_spread_is_flagged_in_its_direction() {
    let before = example::two_classes();
    let mut after = before.clone();
    let arm = &mut after.students[0].arms[0];
    arm.metrics[0].value = Value::from(0.952 - 0.03);
    arm.metrics[2].value = Value::from(0.084 - 0.05);
    let found = compare(&before, &after, NOISE);
    let change = |metric: &str| {
        let is_it =
            |row: &&kd_report::compare::Row| row.student == "mobile-0.50" && row.arm == "alone" && row.metric == metric;
        found.rows.iter().find(is_it).unwrap().change
    };
    assert_eq!(change("auroc"), Change::Worse);
    assert_eq!(change("ece"), Change::Better);
    assert_eq!(change("balanced_accuracy"), Change::Within);
    assert!(found.regressed() && found.text().contains("WORSE"));
}

#[test]
fn a_single_seed_has_only_the_floor() {
    let before = example::two_classes();
    let mut after = before.clone();
    after.teacher.arm.metrics[0].value = Value::from(0.967 + 0.0019);
    assert!(compare(&before, &after, NOISE).rows.iter().all(|row| row.change == Change::Within));
    after.teacher.arm.metrics[0].value = Value::from(0.967 + 0.0021);
    assert!(compare(&before, &after, NOISE).rows.iter().any(|row| row.change == Change::Better));
}

#[test]
fn latency_is_judged_by_its_ratio() {
    let before = example::two_classes();
    let mut after = before.clone();
    after.students[0].network.latency_p50_ms = before.students[0].network.latency_p50_ms.map(|ms| ms * 1.11);
    assert!(compare(&before, &after, NOISE).regressed());
    assert!(!compare(&after, &before, NOISE).regressed());
}

#[test]
fn other_conditions_and_missing_numbers_are_listed() {
    let before = example::two_classes();
    let mut after = before.clone();
    after.dataset.split_hash = "sha256:other".to_owned();
    after.metrics[2].policy = "10 equal-width bins".to_owned();
    after.students.pop();
    after.teacher.arm.metrics[1].value = Value::undefined("one class");
    let found = compare(&before, &after, NOISE);
    assert_eq!(found.conditions, ["split differs", "policy of ece differs"]);
    assert!(found.unmatched.contains(&"teacher / balanced_accuracy".to_owned()));
    assert!(found.unmatched.contains(&"mobile-0.25 / distilled / auroc".to_owned()));
}
