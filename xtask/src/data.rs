//! `data list` and `data get`: answered here, because neither needs a tensor or a reader of images.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kd_data::fetch::{FetchOptions, FetchOutcome, FetchProgress, fetch};
use kd_data::manifest::{ImageSize, Layout};
use kd_data::{Manifest, Root, catalog};
use serde_json::json;

use crate::kd;

/// Every dataset of the catalogue and every import, one line each.
pub(crate) fn list(as_json: bool) -> anyhow::Result<u8> {
    let root = root(None);
    let sets = catalog::list().iter().cloned().chain(catalog::imported(&root)?);
    let rows: Vec<Row> = sets.map(|manifest| Row::new(&root, &manifest)).collect();
    if as_json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        println!("{:#}", json!({ "schema": 1, "datasets": rows }));
    } else {
        print!("{}", table(&rows));
    }
    Ok(0)
}

/// Brings the files of one dataset, checked, into `ROOT/raw/<name>/`.
pub(crate) fn get(name: &str, mirror: Option<&Path>, given: Option<PathBuf>) -> anyhow::Result<u8> {
    let root = root(given.clone());
    let manifest = catalog::resolve(&root, name)?;
    if manifest.source.layout == Layout::Generator {
        // A generated set is made, not fetched, and the generator writes images: that is kd's work.
        let mut args = vec!["get".into(), name.into()];
        if let Some(root) = given {
            args.extend(["--root".into(), root.into()]);
        }
        return kd::hand_over_data(args);
    }
    let mut last = Instant::now();
    let mut progress = |progress: FetchProgress<'_>| {
        if last.elapsed() > Duration::from_secs(2) {
            last = Instant::now();
            eprintln!("{}: {}", progress.file, share(progress.done, progress.total));
        }
    };
    let outcomes =
        fetch(&root, &manifest, FetchOptions { mirror }, &mut progress).with_context(|| format!("dataset `{name}`"))?;
    for (file, outcome) in outcomes {
        eprintln!("{file}: {}", shown(outcome));
    }
    println!("{}", root.raw_set(name).display());
    Ok(0)
}

fn root(given: Option<PathBuf>) -> Root {
    let from_environment = || std::env::var_os("KD_ROOT").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    Root::new(given.or_else(from_environment).unwrap_or_else(|| PathBuf::from("artifacts")))
}

fn share(done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => format!("{} of {}", megabytes(done), megabytes(total)),
        None => megabytes(done),
    }
}

fn shown(outcome: FetchOutcome) -> String {
    match outcome {
        FetchOutcome::AlreadyThere => "already there, checksum fits".to_owned(),
        FetchOutcome::Downloaded { bytes, resumed_from: 0 } => format!("downloaded {}", megabytes(bytes)),
        FetchOutcome::Downloaded { bytes, resumed_from } => {
            format!("downloaded {}, resumed from {}", megabytes(bytes), megabytes(resumed_from))
        }
        FetchOutcome::Mirrored { bytes } => format!("copied {} from the mirror", megabytes(bytes)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// What a listing says of one dataset.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) task: &'static str,
    pub(crate) n_classes: usize,
    pub(crate) n_images: Option<usize>,
    pub(crate) size: String,
    pub(crate) license: String,
    /// The raw folder, once something is in it.
    lies_in: Option<PathBuf>,
}

impl Row {
    pub(crate) fn new(root: &Root, manifest: &Manifest) -> Self {
        let folder = root.raw_set(manifest.name.as_str());
        let size = match manifest.image.size {
            ImageSize::Fixed { height, width } => format!("{height}x{width}x{}", manifest.image.channels),
            ImageSize::Varies => format!("varies x{}", manifest.image.channels),
        };
        Self {
            name: manifest.name.to_string(),
            title: manifest.title.clone(),
            task: manifest.task.name(),
            n_classes: manifest.classes.len(),
            n_images: manifest.counts.map(|counts| counts.train + counts.val + counts.test),
            size,
            license: manifest.license.spdx.clone(),
            lies_in: is_there(&folder, manifest).then_some(folder),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "title": self.title,
            "task": self.task,
            "classes": self.n_classes,
            "images": self.n_images,
            "size": self.size,
            "license": self.license,
            "folder": self.lies_in,
        })
    }
}

/// Whether every file has its final name; a partial download does not. Checksums are `data verify`'s work.
fn is_there(folder: &Path, manifest: &Manifest) -> bool {
    match manifest.source.layout {
        Layout::Generator => folder.join("dataset.toml").is_file(),
        _ if manifest.source.obtain.is_some() => false,
        _ => manifest.source.files.iter().all(|file| folder.join(&file.name).is_file()),
    }
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![["NAME", "TASK", "CLASSES", "IMAGES", "SIZE", "LICENSE", "FOLDER"].map(str::to_owned)];
    for row in rows {
        let images = row.n_images.map_or("-".to_owned(), |n| n.to_string());
        let folder = row.lies_in.as_ref().map_or("-".to_owned(), |folder| folder.display().to_string());
        lines.push([
            row.name.clone(),
            row.task.to_owned(),
            row.n_classes.to_string(),
            images,
            row.size.clone(),
            row.license.clone(),
            folder,
        ]);
    }
    aligned(&lines)
}

/// Columns as wide as their widest entry, two spaces apart.
pub(crate) fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_without_files_lies_nowhere_and_one_with_them_lies_in_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Root::new(folder.path());
        let manifest = catalog::find("pneumoniamnist").expect("it is in the catalogue");
        assert!(Row::new(&root, manifest).lies_in.is_none());
        let raw = root.raw_set("pneumoniamnist");
        std::fs::create_dir_all(&raw).expect("a folder");
        std::fs::write(raw.join("pneumoniamnist.npz.part"), "half").expect("a file");
        assert!(Row::new(&root, manifest).lies_in.is_none());
        std::fs::write(raw.join("pneumoniamnist.npz"), "whole").expect("a file");
        let row = Row::new(&root, manifest);
        assert_eq!(row.lies_in, Some(raw));
        assert_eq!((row.n_images, row.size.as_str(), row.n_classes), (Some(5856), "28x28x1", 2));
    }

    #[test]
    fn columns_line_up() {
        let lines = [["a", "b"], ["long", "c"]].map(|line| line.map(str::to_owned));
        assert_eq!(aligned(&lines), "a     b\nlong  c\n");
    }
}
