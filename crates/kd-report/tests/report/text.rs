//! Snapshots of the plain-text forms.

use crate::example;
use kd_report::{RunRecord, Value, csv, markdown, table};

/// One student size and one seed: enough to see every table once.
fn small() -> RunRecord {
    let mut record = example::two_classes();
    record.students.remove(0);
    let student = record.students[0].name.clone();
    record.differences.retain(|one| one.student == student);
    record.gaps.retain(|one| one.student == student);
    record.metrics.retain(|one| one.name != "balanced_accuracy");
    for arm in record.students[0].arms.iter_mut().chain([&mut record.teacher.arm]) {
        arm.metrics.retain(|one| one.name != "balanced_accuracy");
        arm.seeds.truncate(1);
        arm.per_seed.truncate(1);
        arm.per_seed[0].metrics.retain(|one| one.name != "balanced_accuracy");
        arm.curves.truncate(1);
    }
    record.students[0].arms[1].metrics[1].value = Value::undefined("one bin is empty");
    record
}

#[test]
fn markdown_of_a_small_record() {
    insta::assert_snapshot!(markdown::report(&small()));
}

#[test]
fn terminal_table_of_a_small_record() {
    insta::assert_snapshot!(table::terminal(&small()));
}

#[test]
fn terminal_table_of_two_student_sizes() {
    insta::assert_snapshot!(table::terminal(&example::two_classes()));
}

#[test]
fn csv_of_the_arms_of_a_small_record() {
    insta::assert_snapshot!(csv::arms(&small()));
}

#[test]
fn csv_of_curves_has_a_line_per_epoch_and_quantity() {
    let text = csv::curves(&small());
    // 12 epochs; teacher, alone, smoothed: rate, loss, share, validation; distilled and apart: two terms each.
    assert_eq!(text.lines().count(), 1 + 12 * (3 * 4 + 2 * 6));
    insta::assert_snapshot!(text.lines().take(30).collect::<Vec<_>>().join("\n"));
}

#[test]
fn csv_keeps_every_digit_and_leaves_undefined_empty() {
    let text = csv::arms(&small());
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let column = |name: &str| text.lines().next().unwrap().split(',').position(|one| one == name).unwrap();
    let (metric, value, reason) = (column("metric"), column("value"), column("undefined"));
    let lines: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert!(
        lines
            .iter()
            .any(|line| &line[metric] == "ece" && line[value].is_empty() && &line[reason] == "one bin is empty")
    );
    let wanted = example::two_classes().teacher.arm.metrics[2].value.finite().unwrap();
    let found: f64 = lines.iter().find(|line| &line[metric] == "ece").unwrap()[value].parse().unwrap();
    assert_eq!(found.to_bits(), wanted.to_bits());
}

#[test]
fn markdown_tables_cannot_be_broken_by_names() {
    let mut record = small();
    record.dataset.classes[0] = "a|b <script>\n# x".to_owned();
    record.students[0].arms[0].per_class[0].class = "a|b <script>\n# x".to_owned();
    let text = markdown::report(&record);
    assert!(text.contains("a\\|b &lt;script&gt; # x"));
    assert!(!text.contains("<script>"));
}
