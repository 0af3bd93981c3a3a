//! `kd devices`: every device that this program knows, tried out.

use anyhow::Result;
use serde_json::json;

use crate::device;
use crate::output::{Output, columns};

/// Lists devices; those that cannot be used are no failure.
pub(crate) fn run(_root: &kd_data::Root, out: &Output) -> Result<bool> {
    let entries = device::list();
    if out.is_json() {
        out.json(&json!({ "schema": 1, "devices": entries }))?;
        return Ok(true);
    }
    let rows: Vec<Vec<String>> = entries
        .into_iter()
        .map(|entry| vec![entry.name, if entry.available { "yes" } else { "no" }.to_owned(), entry.why])
        .collect();
    out.data(columns(&["device", "usable", ""], &rows));
    Ok(true)
}
