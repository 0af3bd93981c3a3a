//! The record as JSON: round trip, strictness, and what it must never hold.

use crate::example;
use kd_report::json::{read_record, read_timing, write_record, write_timing};
use kd_report::{RecordError, Value};
use proptest::prelude::*;

#[test]
fn a_record_comes_back_equal_and_as_the_same_bytes() {
    for record in [example::two_classes(), example::three_classes()] {
        let text = write_record(&record).unwrap();
        let again = read_record(&text).unwrap();
        assert_eq!(again, record);
        assert_eq!(write_record(&again).unwrap(), text);
    }
    let timing = example::timing();
    assert_eq!(read_timing(&write_timing(&timing).unwrap()).unwrap(), timing);
}

#[test]
fn another_schema_is_refused_with_both_versions_and_a_hint() {
    let text = write_record(&example::two_classes()).unwrap().replacen("\"schema\": 1", "\"schema\": 7", 1);
    let message = read_record(&text).unwrap_err().to_string();
    assert!(message.contains("expected 1, found 7") && message.contains("\nhint: "), "{message}");
    let mut record = example::two_classes();
    record.schema = 2;
    assert!(matches!(write_record(&record), Err(RecordError::Schema { found: 2, .. })));
}

#[test]
fn an_unknown_field_is_refused_at_every_depth() {
    let text = write_record(&example::two_classes()).unwrap();
    for place in
        ["\"title\":", "\"recipe\":", "\"split_hash\":", "\"parameters\":", "\"gradient_share\":", "\"p_holm\":"]
    {
        let broken = text.replacen(place, &format!("\"surprise\": 1, {place}"), 1);
        assert_ne!(broken, text);
        let message = read_record(&broken).unwrap_err().to_string();
        assert!(message.contains("unknown field `surprise`"), "{place}: {message}");
    }
}

#[test]
fn a_plain_number_that_is_not_finite_is_named() {
    let mut record = example::two_classes();
    record.students[1].network.latency_p50_ms = Some(f64::NAN);
    let message = write_record(&record).unwrap_err().to_string();
    assert!(message.contains("students.1.network.latency_p50_ms"), "{message}");
    let mut timing = example::timing();
    timing.total_seconds = f64::INFINITY;
    assert!(matches!(write_timing(&timing), Err(RecordError::NotFinite { .. })));
}

#[test]
fn parts_that_contradict_each_other_are_refused() {
    let message = |change: &dyn Fn(&mut kd_report::RunRecord)| {
        let mut record = example::two_classes();
        change(&mut record);
        write_record(&record).unwrap_err().to_string()
    };
    assert!(message(&|r| r.primary_metric = "accuracy".to_owned()).contains("`accuracy`"));
    assert!(message(&|r| r.differences[0].b = "nobody".to_owned()).contains("`nobody`"));
    assert!(message(&|r| r.gaps[0].student = "nobody".to_owned()).contains("`nobody`"));
    assert!(message(&|r| r.students[1].name = r.students[0].name.clone()).contains("twice"));
    assert!(message(&|r| r.teacher.arm.curves[0].validation.truncate(3)).contains("a column of 3"));
    assert!(message(&|r| r.teacher.arm.curves[0].chosen_epoch = 13).contains("1 to 12"));
    assert!(message(&|r| r.teacher.arm.confusion.as_mut().unwrap().counts[0].truncate(1)).contains("2 by 2"));
    assert!(message(&|r| r.teacher.arm.roc.as_mut().unwrap().low.truncate(1)).contains("51 points"));
    assert!(message(&|r| r.students[0].arms[0].seeds.truncate(1)).contains("seeds [0]"));
    assert!(message(&|r| r.differences[0].high = Value::from(-1.0)).contains("from low to high"));
    assert!(message(&|r| r.students[0].arms[0].name = "teacher".to_owned()).contains("a name of its own"));
}

#[test]
fn broken_json_is_an_error_and_no_panic() {
    let text = write_record(&example::two_classes()).unwrap();
    let length = text.len();
    for end in (0..length - 2).step_by(997) {
        assert!(read_record(text.get(..end).unwrap_or("")).is_err(), "cut at {end}");
    }
    assert!(read_record("[]").is_err() && read_record("null").is_err());
}

#[test]
fn a_record_has_no_field_for_ids_paths_or_pixels() {
    fn keys(tree: &serde_json::Value, found: &mut Vec<String>) {
        match tree {
            serde_json::Value::Object(fields) => {
                for (key, field) in fields {
                    found.push(key.clone());
                    keys(field, found);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    keys(&serde_json::to_value(example::two_classes()).unwrap(), &mut found);
    assert!(found.len() > 500);
    for key in found {
        let words: Vec<&str> = key.split('_').collect();
        // `subjects` is a count; nothing else may speak of one.
        for word in ["id", "ids", "uid", "subject", "sample", "samples", "patient", "path", "png", "image", "pixels"] {
            assert!(!words.contains(&word), "{key}");
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_map(Value::from),
        Just(Value::Number(f64::INFINITY)),
        Just(Value::Number(f64::NEG_INFINITY)),
        ".{0,12}".prop_map(Value::undefined),
    ]
}

proptest! {
    #[test]
    fn any_text_and_any_value_survive_a_round_trip(
        title in ".{0,40}",
        class in ".{0,12}",
        score in any_value(),
        last in any_value(),
        p in any_value(),
        weight in -1e300..1e300_f64,
        seed in any::<u64>(),
    ) {
        let mut record = example::three_classes();
        record.title = title;
        record.dataset.classes[1] = class;
        let arm = &mut record.students[0].arms[2];
        arm.metrics[0].value = score;
        arm.per_seed[1].metrics[0].last = last;
        arm.terms[0].weight = weight;
        arm.seeds[2] = seed;
        arm.per_seed[2].seed = seed;
        record.differences[0].p = p;
        let text = write_record(&record).unwrap();
        prop_assert_eq!(read_record(&text).unwrap(), record);
    }
}
