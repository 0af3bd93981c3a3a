//! `kd inspect`: what a file holds, told by its content and not by its name.

mod volumes;

use std::path::Path;

use anyhow::Result;
use kd_data::digest::sha256_file;
use kd_data::format::{FileFormat, Npz, StoredArray, read_npy, read_raster, read_table, read_weights, sniff};
use kd_image::Intensity;
use serde_json::{Map, Value, json};

use crate::args::InspectArgs;
use crate::dense::enhance::EnhanceCard;
use crate::dense::segment::SegmentCard;
use crate::output::{Output, size};
use crate::package::{Package, Provenance, task_of};
use crate::recipe::TaskKind;

/// Tensors that are listed by name in text; JSON has all.
const LISTED: usize = 12;

/// Facts in the order in which they are shown, and what somebody should know.
#[derive(Default)]
struct Facts {
    rows: Vec<(String, Value)>,
    warnings: Vec<String>,
}

impl Facts {
    fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.rows.push((name.to_owned(), value.into()));
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

/// Looks into a file; warnings are no failure, a damaged file is.
pub(crate) fn run(args: InspectArgs, _root: &kd_data::Root, out: &Output) -> Result<bool> {
    let path = args.file.as_path();
    let format = sniff(path)?;
    let folder = path.parent().unwrap_or(path);
    let (checksum, bytes) = sha256_file(path, folder)?;
    let mut facts = Facts::default();
    let name = match format {
        FileFormat::Png | FileFormat::Jpeg => raster(path, &mut facts)?,
        FileFormat::Npy => {
            array(&read_npy(path)?, "", &mut facts);
            "NumPy array"
        }
        FileFormat::Npz => archive(path, &mut facts)?,
        FileFormat::Safetensors | FileFormat::TorchZip | FileFormat::TorchLegacy => weights(path, &mut facts)?,
        FileFormat::Zip => package(path, &mut facts)?,
        FileFormat::Unknown if table(path, &mut facts) => "table",
        FileFormat::Nifti => volumes::nifti(path, &mut facts)?,
        FileFormat::Dicom => volumes::dicom(path, &mut facts)?,
        FileFormat::Gzip | FileFormat::Unknown => {
            facts.warn("this program has no reader for it");
            ""
        }
    };
    let format_name = if format == FileFormat::Unknown && name == "table" { "CSV" } else { format.name() };
    let shown = kd_data::error::relative_name(path, folder);
    if out.is_json() {
        let contents: Map<String, Value> = facts.rows.into_iter().collect();
        out.json(&json!({
            "schema": 1,
            "file": shown,
            "format": format_name,
            "bytes": bytes,
            "sha256": checksum.hex(),
            "contents": contents,
            "warnings": facts.warnings,
        }))?;
        return Ok(true);
    }
    let what = if name.is_empty() { format_name.to_owned() } else { format!("{format_name} ({name})") };
    out.data(format!("{shown}\n  format      {what}\n  size        {}\n  sha256      {}", size(bytes), checksum.hex()));
    for (name, value) in &facts.rows {
        out.data(format!("  {name:<11} {}", text(value)));
    }
    for warning in &facts.warnings {
        out.data(format!("  warning     {warning}"));
    }
    Ok(true)
}

/// A value for people: no quotes, lists one line each where they hold objects.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let lines = items.iter().take(LISTED).map(|item| format!("\n    {}", text(item)));
            let rest = items.len().saturating_sub(LISTED);
            let more = if rest > 0 { format!("\n    … {rest} more (--json lists all)") } else { String::new() };
            lines.collect::<String>() + &more
        }
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields
                .map(|(name, value)| match value {
                    Value::Array(_) => format!("{name} [{}]", text(value)),
                    _ => format!("{name} {}", text(value)),
                })
                .collect::<Vec<_>>()
                .join("  ")
        }
        Value::Null => "unknown".into(),
        other => other.to_string(),
    }
}

fn raster(path: &Path, facts: &mut Facts) -> Result<&'static str> {
    let image = read_raster(path)?;
    let [rows, columns] = image.geometry().shape();
    facts.add("channels", image.channels());
    facts.add("shape", json!([image.channels(), rows, columns]));
    facts.add("axes", "channel, height, width");
    facts.add("intensity", image.intensity().name());
    if let Intensity::Stored { bits } = image.intensity() {
        facts.add("bits", bits);
    }
    let values: Vec<f64> = image.values().iter().map(|&value| f64::from(value)).collect();
    range(&values, "", facts);
    facts.add("spacing", "unknown: PNG and JPEG carry none that could be trusted");
    Ok("one image")
}

/// Smallest, largest and mean value.
fn range(values: &[f64], of: &str, facts: &mut Facts) -> Value {
    if values.is_empty() {
        facts.warn(format!("{of}holds no value"));
        return Value::Null;
    }
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    if low >= high && values.len() > 1 {
        facts.warn(format!("{of}every value is {low}"));
    }
    let found = json!({ "low": low, "high": high, "mean": values.iter().sum::<f64>() / values.len() as f64 });
    if of.is_empty() {
        facts.add("range", found.clone());
    }
    found
}

fn array(array: &StoredArray, name: &str, facts: &mut Facts) -> Value {
    let of = if name.is_empty() { String::new() } else { format!("`{name}`: ") };
    if name.is_empty() {
        facts.add("dtype", array.dtype());
        facts.add("shape", json!(array.shape()));
    }
    let found = match (array.floats(), array.texts()) {
        (Ok(numbers), _) => range(&numbers.values, &of, facts),
        // Text has no range.
        (Err(_), Ok(_)) => Value::Null,
        (Err(refused), Err(_)) => {
            facts.warn(format!("{of}{refused}"));
            Value::Null
        }
    };
    json!({ "name": name, "dtype": array.dtype(), "shape": array.shape(), "range": found })
}

/// Text has no first bytes to be told by, so a table is what reads as one; a single column could be anything.
fn table(path: &Path, facts: &mut Facts) -> bool {
    let Ok(table) = read_table(path) else { return false };
    if table.header().len() < 2 {
        return false;
    }
    facts.add("columns", json!(table.header()));
    facts.add("lines", table.len());
    true
}

fn archive(path: &Path, facts: &mut Facts) -> Result<&'static str> {
    let npz = Npz::open(path)?;
    let mut arrays = Vec::new();
    for name in npz.names() {
        match npz.array(name) {
            Ok(stored) => arrays.push(array(&stored, name, facts)),
            Err(refused) => {
                facts.warn(refused.to_string());
                arrays.push(json!({ "name": name }));
            }
        }
    }
    facts.add("arrays", arrays);
    Ok("NumPy arrays")
}

fn weights(path: &Path, facts: &mut Facts) -> Result<&'static str> {
    let weights = read_weights(path)?;
    let values: usize = weights.tensors.values().map(|tensor| tensor.values.len()).sum();
    facts.add("tensors", weights.tensors.len());
    facts.add("values", values);
    facts.add("float32", size(values as u64 * 4));
    if !weights.metadata.is_empty() {
        facts.add("metadata", json!(weights.metadata));
    }
    let names: Vec<Value> =
        weights.tensors.iter().map(|(name, tensor)| json!({ "name": name, "shape": tensor.shape })).collect();
    facts.add("names", names);
    for note in weights.notes {
        facts.warn(note);
    }
    Ok("network weights")
}

fn package(path: &Path, facts: &mut Facts) -> Result<&'static str> {
    let read = match task_of(path) {
        Ok(TaskKind::Segment) => Package::read(path).map(|package| segmenter(package, facts)),
        Ok(TaskKind::Enhance) => Package::read(path).map(|package| restorer(package, facts)),
        Ok(TaskKind::Classify) => Package::read(path).map(|package| classifier(package, facts)),
        Err(refused) => Err(refused),
    };
    match read {
        Ok(()) => Ok("student package"),
        // Any zip archive may come along; only one that calls itself a package has to be a whole one.
        Err(refused) => {
            facts.warn(format!("no student package: {refused:#}"));
            Ok("")
        }
    }
}

fn classifier(package: Package, facts: &mut Facts) {
    let card = package.card;
    facts.add("student", card.name);
    facts.add("task", "classification");
    facts.add("network", card.network.architecture.name());
    facts.add("parameters", card.parameters);
    facts.add("multiplies", card.multiply_adds);
    facts.add("head", json!(card.head));
    facts.add("classes", card.classes);
    facts.add("input", json!([card.preparation.channels, card.preparation.size[0], card.preparation.size[1]]));
    facts.add("temperature", card.temperature);
    facts.add("decision", json!(card.decision));
    origin(card.provenance, card.intended_use, facts);
}

fn segmenter(package: Package<SegmentCard>, facts: &mut Facts) {
    let card = package.card;
    facts.add("student", card.name);
    facts.add("task", "segmentation");
    facts.add("network", json!(card.network));
    facts.add("parameters", card.parameters);
    facts.add("multiplies", card.multiply_adds);
    facts.add("head", json!(card.head));
    facts.add("classes", card.classes);
    facts.add("channels", card.channels);
    facts.add("preparation", json!(card.preparation));
    origin(card.provenance, card.intended_use, facts);
}

fn restorer(package: Package<EnhanceCard>, facts: &mut Facts) {
    let card = package.card;
    facts.add("student", card.name);
    facts.add("task", "enhancement");
    facts.add("network", json!(card.network));
    facts.add("parameters", card.parameters);
    facts.add("multiplies", card.multiply_adds);
    facts.add("channels", card.channels);
    facts.add("preparation", json!(card.preparation));
    facts.add("undoes", card.degradation);
    origin(card.provenance, card.intended_use, facts);
}

fn origin(provenance: Provenance, intended_use: String, facts: &mut Facts) {
    facts.add("learned on", provenance.dataset);
    facts.add("license", provenance.dataset_license);
    facts.add("recipe", provenance.recipe);
    facts.add("arm", provenance.arm);
    facts.add("seed", provenance.seed);
    facts.add("teacher", provenance.teacher);
    facts.add("weights", provenance.weights_hash);
    facts.add("revision", provenance.revision);
    facts.add("for", intended_use);
}
