//! Reads the golden values that the scripts under `oracles/` wrote.

// Each test binary uses its own part of this module.
#![allow(dead_code, unreachable_pub)]

use serde_json::Value;

/// The document of that name under `tests/oracle`, which must say which tools made it.
pub fn document(name: &str) -> Value {
    let path = format!("{}/tests/oracle/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("golden file");
    let document: Value = serde_json::from_str(&text).expect("golden JSON");
    assert!(document["versions"]["numpy"].is_string(), "{name}: golden values without tool versions");
    document
}

/// The cases of a document.
pub fn cases(name: &str) -> Vec<Value> {
    let cases = document(name)["cases"].as_array().expect("cases").clone();
    assert!(!cases.is_empty());
    cases
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, found {value}"))
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("array").iter().map(number).collect()
}

pub fn labels(value: &Value) -> Vec<usize> {
    value.as_array().expect("array").iter().map(|v| v.as_u64().expect("label") as usize).collect()
}

pub fn flags(value: &Value) -> Vec<bool> {
    value.as_array().expect("array").iter().map(|v| v.as_bool().expect("flag")).collect()
}

/// Asserts closeness and names both sides.
#[track_caller]
pub fn close(found: f64, expected: &Value, tolerance: f64) {
    let expected = number(expected);
    assert!((found - expected).abs() <= tolerance, "expected {expected}, found {found}");
}

/// [`close`] for a list.
#[track_caller]
pub fn all_close(found: &[f64], expected: &Value, tolerance: f64) {
    let expected = expected.as_array().expect("array");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        close(*found, expected, tolerance);
    }
}
