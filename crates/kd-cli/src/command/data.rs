//! `kd data`: what there is, getting it, taking in one's own, checking and describing it, and making room again.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use kd_data::export::{ExportFormat, export_volumes};
use kd_data::fetch::{FetchOptions, FetchOutcome, fetch, remove};
use kd_data::format::files_below;
use kd_data::import::generate_dataset;
use kd_data::manifest::{ImageSize, Layout, Manifest};
use kd_data::verify::{VerifyReport, verify};
use kd_data::{Root, catalog};
use serde_json::{Value, json};

use super::{deidentify, describe, import, propose};
use crate::args::{DataCommand, ExportFormatName};
use crate::output::{Output, columns, size};
use crate::progress::Progress;

/// Does what was asked; false when a check has found something.
pub(crate) fn run(command: DataCommand, root: &Root, out: &Output) -> Result<bool> {
    match command {
        DataCommand::List => list(root, out),
        DataCommand::Get { name, mirror } => get(&name, mirror.as_deref(), root, out),
        DataCommand::Import(args) => import::run(*args, root, out),
        DataCommand::Export { name, out: folder, format } => export(&name, &folder, format, root, out),
        DataCommand::Deidentify(args) => deidentify::run(&args, out),
        DataCommand::Verify { name } => check(&name, root, out),
        DataCommand::Describe { name } => describe::run(&name, root, out),
        DataCommand::Propose { name } => propose::run(&name, root, out),
        DataCommand::Clean { names, yes } => clean(&names, yes, root, out),
    }
}

/// Whether all files of a set are there; nothing is read.
fn presence(root: &Root, manifest: &Manifest) -> &'static str {
    let folder = root.raw_set(manifest.name.as_str());
    let there = manifest.source.files.iter().filter(|file| folder.join(&file.name).is_file()).count();
    match manifest.source.layout {
        Layout::Generator if folder.is_dir() => "yes",
        Layout::Generator => "no",
        _ if manifest.source.obtain.is_some() => "by hand",
        _ if there == manifest.source.files.len() => "yes",
        _ if there > 0 => "partly",
        _ => "no",
    }
}

fn list(root: &Root, out: &Output) -> Result<bool> {
    let imported = catalog::imported(root)?;
    let known = catalog::list().iter().map(|manifest| (manifest, "catalogue"));
    let all: Vec<(&Manifest, &str)> = known.chain(imported.iter().map(|manifest| (manifest, "import"))).collect();
    if out.is_json() {
        let sets: Vec<Value> = all.iter().map(|(manifest, origin)| document(root, manifest, origin)).collect();
        out.json(&json!({ "schema": 1, "datasets": sets }))?;
        return Ok(true);
    }
    let row = |(manifest, origin): &(&Manifest, &str)| {
        let counts = manifest.counts.map(|counts| (counts.train + counts.val + counts.test).to_string());
        vec![
            manifest.name.to_string(),
            manifest.task.name().to_owned(),
            manifest.classes.len().to_string(),
            counts.unwrap_or_else(|| "?".into()),
            size_of(manifest),
            manifest.license.spdx.clone(),
            (*origin).to_owned(),
            presence(root, manifest).to_owned(),
        ]
    };
    let header = ["name", "task", "classes", "images", "size", "license", "from", "here"];
    out.data(columns(&header, &all.iter().map(row).collect::<Vec<_>>()));
    out.note(
        "\n`kd data get NAME` fetches or generates one, or says where it is got by hand; `kd data describe NAME` looks into it",
    );
    Ok(true)
}

pub(super) fn size_of(manifest: &Manifest) -> String {
    match manifest.image.size {
        ImageSize::Fixed { height, width } => format!("{height} x {width} x {}", manifest.image.channels),
        ImageSize::Varies => format!("varies x {}", manifest.image.channels),
    }
}

pub(super) fn document(root: &Root, manifest: &Manifest, origin: &str) -> Value {
    let files: Vec<Value> = manifest
        .source
        .files
        .iter()
        .map(|file| {
            json!({
                "name": file.name,
                "url": file.url,
                "checksum": { "method": file.checksum.method(), "digits": file.checksum.hex() },
                "bytes": file.bytes,
            })
        })
        .collect();
    let image_size = match manifest.image.size {
        ImageSize::Fixed { height, width } => json!([height, width]),
        ImageSize::Varies => json!("varies"),
    };
    json!({
        "name": manifest.name.as_str(),
        "title": manifest.title,
        "task": manifest.task.name(),
        "classes": manifest.classes,
        "counts": manifest.counts.map(|c| json!({ "train": c.train, "val": c.val, "test": c.test })),
        "channels": manifest.image.channels,
        "size": image_size,
        "intensity": manifest.image.intensity.name(),
        "license": { "spdx": manifest.license.spdx, "note": manifest.license.note },
        "citation": { "text": manifest.citation.text, "doi": manifest.citation.doi, "homepage": manifest.citation.homepage },
        "layout": manifest.source.layout.name(),
        "files": files,
        "notes": manifest.notes,
        "obtain": manifest.source.obtain,
        "from": origin,
        "here": presence(root, manifest),
    })
}

fn get(name: &str, mirror: Option<&Path>, root: &Root, out: &Output) -> Result<bool> {
    let manifest = catalog::resolve(root, name)?;
    let set = manifest.name.as_str();
    let outcomes = if manifest.source.layout == Layout::Generator {
        out.note(format!("{set} is generated, not downloaded"));
        let made = generate_dataset(root, &manifest)?;
        vec![json!({ "file": null, "outcome": if made { "generated" } else { "already-there" } })]
    } else {
        if mirror.is_none() && !matches!(presence(root, &manifest), "yes" | "by hand") {
            out.note(format!("{set}: license {}, {}", manifest.license.spdx, manifest.citation.text));
        }
        let mut progress = Progress::bytes(out, set, 0);
        let mut show = |at: kd_data::fetch::FetchProgress<'_>| {
            progress.set_total(at.total.unwrap_or(0));
            progress.set(at.done, at.file);
        };
        let outcomes = fetch(root, &manifest, FetchOptions { mirror }, &mut show)?;
        progress.clear();
        outcomes.into_iter().map(|(file, outcome)| outcome_document(&file, outcome)).collect()
    };
    if out.is_json() {
        out.json(&json!({ "schema": 1, "dataset": set, "files": outcomes }))?;
        return Ok(true);
    }
    for outcome in &outcomes {
        let file = outcome["file"].as_str().unwrap_or(set);
        let bytes = outcome["bytes"].as_u64().map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
        out.data(format!("{file}: {}{bytes}", outcome["outcome"].as_str().unwrap_or_default().replace('-', " ")));
    }
    out.note(format!("`kd data verify {set}` reads every image; `kd data describe {set}` counts them"));
    Ok(true)
}

fn outcome_document(file: &str, outcome: FetchOutcome) -> Value {
    match outcome {
        FetchOutcome::AlreadyThere => json!({ "file": file, "outcome": "already-there" }),
        FetchOutcome::Downloaded { bytes, resumed_from } => {
            json!({ "file": file, "outcome": "downloaded", "bytes": bytes, "resumed_from": resumed_from })
        }
        FetchOutcome::Mirrored { bytes } => json!({ "file": file, "outcome": "copied-from-mirror", "bytes": bytes }),
    }
}

fn export(name: &str, folder: &Path, format: ExportFormatName, root: &Root, out: &Output) -> Result<bool> {
    let manifest = catalog::resolve(root, name)?;
    if presence(root, &manifest) != "yes" {
        bail!("data set `{name}` is not here\nhint: `kd data get {name}` brings it");
    }
    let (format, word) = match format {
        ExportFormatName::Nifti => (ExportFormat::Nifti, "NIfTI"),
        ExportFormatName::Dicom => (ExportFormat::Dicom, "DICOM"),
    };
    let volumes = export_volumes(root, &manifest, format, folder, &crate::host::now())?;
    if out.is_json() {
        out.json(&json!({ "schema": 1, "dataset": manifest.name.as_str(), "volumes": volumes }))?;
    } else {
        out.data(format!("{}: {volumes} volumes in {word}", manifest.name));
    }
    Ok(true)
}

fn check(name: &str, root: &Root, out: &Output) -> Result<bool> {
    let manifest = catalog::resolve(root, name)?;
    let report = verify(root, &manifest);
    if out.is_json() {
        out.json(&report)?;
        return Ok(report.ok);
    }
    out.data(verified(&report));
    if !report.ok && presence(root, &manifest) != "yes" {
        out.note(format!("hint: `kd data get {}` brings what is missing", manifest.name));
    }
    Ok(report.ok)
}

fn verified(report: &VerifyReport) -> String {
    let mut lines = vec![format!("{}: {}", report.dataset, if report.ok { "in order" } else { "not in order" })];
    // A generated set has no published files.
    if report.files_ok + report.files.len() > 0 {
        lines.push(format!("  files in order     {}", report.files_ok));
    }
    lines.push(format!("  images readable    {} of {}", report.readable, report.samples));
    lines.push(format!("  repeated images    {}", report.repeated_images));
    if let Some(repeats) = &report.repeats {
        let pairs = |pairs: &kd_data::leak::Pairs| {
            format!("train/val {}, train/test {}, val/test {}", pairs.train_val, pairs.train_test, pairs.val_test)
        };
        lines.push(format!("  shared subjects    {}", pairs(&repeats.shared_subjects)));
        lines.push(format!("  shared images      {}", pairs(&repeats.shared_images)));
    }
    lines.extend(report.problems.iter().map(|problem| format!("  problem: {}", problem.replace('\n', "\n    "))));
    lines.join("\n")
}

fn clean(names: &[String], yes: bool, root: &Root, out: &Output) -> Result<bool> {
    let named = !names.is_empty();
    let names = if named { names.to_vec() } else { folders(root)? };
    let mut rows = Vec::new();
    for name in &names {
        // Names alone: a path could lead anywhere.
        if !kd_data::manifest::is_dataset_name(name) {
            bail!("`{name}` is no name of a data set\nhint: `kd data clean` lists what there is");
        }
        let folder = root.raw_set(name);
        if !folder.is_dir() {
            bail!("data set `{name}` has no raw files under this root\nhint: `kd data clean` lists what there is");
        }
        let files = files_below(&folder)?;
        rows.push((name, files.len(), files.iter().map(|file| file.bytes).sum::<u64>()));
    }
    if yes {
        for name in &names {
            remove(root, name).with_context(|| format!("raw files of `{name}` were not all removed"))?;
        }
    }
    if out.is_json() {
        let sets: Vec<Value> = rows
            .iter()
            .map(|(name, files, bytes)| json!({ "dataset": name, "files": files, "bytes": bytes }))
            .collect();
        out.json(&json!({ "schema": 1, "removed": yes, "raw": sets }))?;
        return Ok(true);
    }
    for (name, files, bytes) in &rows {
        let verb = if yes { "removed" } else { "there is" };
        out.data(format!("{verb} raw/{name}: {files} files, {}", size(*bytes)));
    }
    if rows.is_empty() {
        out.note("no raw files under this root");
    } else if !yes {
        let what = if named { names.join(" ") } else { "NAME".into() };
        out.note(format!(
            "nothing was removed: `kd data clean {what} --yes` does it\nprepared images, runs and reports stay; files that an import links to stay too"
        ));
    }
    Ok(true)
}

/// Names of the raw folders that are there.
fn folders(root: &Root) -> Result<Vec<String>> {
    if !root.raw().is_dir() {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = Vec::new();
    for file in files_below(&root.raw())? {
        if let Some((folder, _)) = file.name.split_once('/')
            && names.last().is_none_or(|last| last != folder)
        {
            names.push(folder.to_owned());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}
