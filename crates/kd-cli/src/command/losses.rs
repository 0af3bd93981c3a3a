//! `kd losses`: the catalogue of distillation losses, as recipes and checks read it too.

use anyhow::Result;
use kd_core::Head;
use kd_core::loss::{CATALOG, LossEntry, On, Output as Answers, PUBLISHED, Published, Range, find};
use serde_json::{Value, json};

use crate::args::LossesArgs;
use crate::output::{Output, columns, usage};

/// One head of each kind; a loss looks at the kind only.
const HEADS: [Head; 5] = [
    Head::OneChannel,
    Head::TwoClassSoftmax,
    Head::Softmax { classes: 3 },
    Head::MultiLabel { labels: 2 },
    Head::Ordinal { classes: 3 },
];

/// Shows one loss in full, or all of them in a table.
pub(crate) fn run(args: LossesArgs, _root: &kd_data::Root, out: &Output) -> Result<bool> {
    match args.name {
        Some(name) => {
            let entry = find(&name).map_err(usage)?;
            if out.is_json() {
                out.json(&json!({ "schema": 1, "loss": document(entry) }))?
            } else {
                out.data(page(entry))
            }
        }
        None if out.is_json() => {
            let losses: Vec<Value> = CATALOG.iter().map(document).collect();
            out.json(&json!({ "schema": 1, "losses": losses }))?;
        }
        None => {
            out.data(table());
            out.note("\n`kd losses NAME` tells formula, parameters and source, and why a cell says no");
        }
    }
    Ok(true)
}

fn fits(entry: &LossEntry, head: Head) -> &'static str {
    if entry.fits_head(head).is_ok() { "yes" } else { "–" }
}

fn table() -> String {
    let header: Vec<&str> = ["loss", "on"]
        .into_iter()
        .chain(HEADS.iter().map(|head| head.name()))
        .chain(["pooled", "dense", "labels", "recipes", "parameters"])
        .collect();
    let row = |entry: &LossEntry| {
        let parameters = entry.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ");
        let outputs = [Answers::Pooled, Answers::Dense].map(|o| if entry.fits_output(o).is_ok() { "yes" } else { "–" });
        let cells = [entry.name, entry.on.name()].into_iter().chain(HEADS.map(|head| fits(entry, head))).chain(outputs);
        let cells = cells.chain([entry.labels, entry.not_in_recipes.is_none()].map(|is| if is { "yes" } else { "–" }));
        cells.map(str::to_owned).chain([parameters]).collect::<Vec<String>>()
    };
    columns(&header, &CATALOG.iter().map(row).collect::<Vec<_>>())
}

fn default_of(range: Range) -> Option<Value> {
    match range {
        Range::Number { default, .. } => default.map(Value::from),
        Range::Flag { default } => default.map(Value::from),
        Range::Choice { default, .. } => default.map(Value::from),
    }
}

fn page(entry: &LossEntry) -> String {
    let mut text = format!(
        "{}\n  {}\n\nformula   {}\ndivisor   {}\nsource    {}\n\nheads\n",
        entry.name, entry.doc, entry.formula, entry.divisor, entry.source
    );
    for head in HEADS {
        let verdict = match entry.fits_head(head) {
            Ok(()) => "yes".to_owned(),
            Err(refusal) => format!("no: {}; instead: {}", refusal.reason, refusal.instead),
        };
        text += &format!("  {:<18} {verdict}\n", head.name());
    }
    if entry.on == On::Images {
        text += &format!("  {:<18} yes\n", "images");
    }
    text += "outputs\n";
    for output in [Answers::Pooled, Answers::Dense] {
        let verdict = match entry.fits_output(output) {
            Ok(()) => "yes".to_owned(),
            Err(refusal) => format!("no: {}", refusal.reason),
        };
        text += &format!("  {:<18} {verdict}\n", output.name());
    }
    text += &format!("labels               {}\n", if entry.labels { "needed" } else { "not needed" });
    if let Some(refusal) = entry.not_in_recipes {
        text += &format!("recipes              not yet: {}; {}\n", refusal.reason, refusal.instead);
    }
    text += "parameters";
    for parameter in entry.parameters {
        let default = default_of(parameter.range).map_or("required".to_owned(), |value| format!("default {value}"));
        text += &format!("\n  {:<18} {}, {default}: {}", parameter.name, parameter.range, parameter.doc);
    }
    if entry.parameters.is_empty() {
        text += "\n  none";
    }
    for (place, preset) in published(entry).enumerate() {
        text += if place == 0 { "\npublished (`published = NAME` in a term)" } else { "" };
        text += &format!("\n  {:<18} {}", preset.name, setting(preset));
    }
    text
}

fn published(entry: &LossEntry) -> impl Iterator<Item = &'static Published> + use<> {
    let loss = entry.name;
    PUBLISHED.iter().filter(move |preset| preset.loss == loss)
}

/// A published setting in one line.
fn setting(preset: &Published) -> String {
    let mut parts = vec![format!("weight {}, divided by: {}", preset.weight, preset.divisor.name())];
    let parameters = preset.parameters().0;
    parts.extend(parameters.iter().map(|(name, value)| format!("{name} {value}")));
    parts.extend(preset.task_weight.map(|weight| format!("task loss beside it {weight}")));
    if preset.ramp_epochs > 0 {
        parts.push(format!("ramp_epochs {}", preset.ramp_epochs));
    }
    format!("{}; {}", parts.join(", "), preset.source)
}

fn document(entry: &LossEntry) -> Value {
    let heads: Vec<Value> = HEADS
        .into_iter()
        .map(|head| match entry.fits_head(head) {
            Ok(()) => json!({ "head": head.name(), "fits": true }),
            Err(refusal) => {
                json!({ "head": head.name(), "fits": false, "reason": refusal.reason, "instead": refusal.instead })
            }
        })
        .collect();
    let parameters: Vec<Value> = entry
        .parameters
        .iter()
        .map(|parameter| {
            json!({
                "name": parameter.name,
                "accepts": parameter.range.to_string(),
                "required": parameter.range.is_required(),
                "default": default_of(parameter.range),
                "doc": parameter.doc,
            })
        })
        .collect();
    let published: Vec<Value> = published(entry)
        .map(|preset| {
            json!({
                "name": preset.name,
                "weight": preset.weight,
                "divided_by": preset.divisor.name(),
                "task_weight": preset.task_weight,
                "ramp_epochs": preset.ramp_epochs,
                "source": preset.source,
            })
        })
        .collect();
    json!({
        "name": entry.name,
        "published": published,
        "on": entry.on.name(),
        "recipes": entry.not_in_recipes.is_none(),
        "doc": entry.doc,
        "formula": entry.formula,
        "divisor": entry.divisor,
        "source": entry.source,
        "labels": entry.labels,
        "pooled": entry.pooled,
        "dense": entry.dense,
        "heads": heads,
        "parameters": parameters,
    })
}
