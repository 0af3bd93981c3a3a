//! A folder of PNG files with a table beside it: `labels.csv` with `sample,subject,split,label`.
//!
//! File names say nothing about classes, so no network can read the answer from a path, and the table says which images
//! belong to one subject.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kd_image::{SampleId, Split, SubjectId};

use super::error::Problem;
use super::{FormatError, read_bytes};

/// The table's file name.
pub const LABELS_FILE: &str = "labels.csv";
const HEAD: &str = "sample,subject,split,label";

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledPng {
    /// The sample; its image is `images/<sample>.png`.
    pub id: SampleId,
    /// Who it shows.
    pub subject: SubjectId,
    /// Where it belongs.
    pub split: Split,
    /// The class index.
    pub label: u16,
    /// The image file.
    pub path: PathBuf,
}

/// The table as text; equal rows give equal bytes.
#[must_use]
pub fn labels_csv(rows: &[LabelledPng]) -> String {
    let mut text = format!("{HEAD}\n");
    for row in rows {
        text.push_str(&format!("{},{},{},{}\n", row.id, row.subject, row.split, row.label));
    }
    text
}

/// Reads the table of a folder; images are found, not opened.
///
/// # Errors
/// [`FormatError`] for a missing or empty table, another head, a row that does not fit (with its line), a sample named
/// twice, or an image that is not there.
pub fn read_labelled_png(folder: &Path) -> Result<Vec<LabelledPng>, FormatError> {
    let path = folder.join(LABELS_FILE);
    let bytes = read_bytes(&path, "a table of samples")?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::new("text", "other bytes").at(&path, None))?;
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    if head != HEAD {
        return Err(Problem::new(format!("head `{HEAD}`"), format!("`{head}`")).at(&path, None));
    }
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for (number, line) in lines.enumerate() {
        let place = format!("line {}", number + 2);
        let refused = |expected: &str, found: String| Problem::new(expected, found).at(&path, Some(&place));
        let cells: Vec<&str> = line.split(',').collect();
        let [id, subject, split, label] = cells[..] else {
            return Err(refused("4 cells", cells.len().to_string()));
        };
        let id = SampleId::new(id).map_err(|error| refused("a sample id", error.to_string()))?;
        // The id becomes part of a path: it must not lead out of the folder.
        if id.as_str().split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(refused("a sample id that stays inside the folder", format!("`{id}`")));
        }
        let row = LabelledPng {
            path: folder.join("images").join(format!("{id}.png")),
            subject: SubjectId::new(subject).map_err(|error| refused("a subject id", error.to_string()))?,
            split: split.parse().map_err(|_| refused("train, val or test", format!("`{split}`")))?,
            label: label.parse().map_err(|_| refused("a class index", format!("`{label}`")))?,
            id,
        };
        if !row.path.is_file() {
            return Err(refused("an image of that name", format!("no `images/{}.png`", row.id)));
        }
        if !seen.insert(row.id.clone()) {
            return Err(refused("samples of different names", format!("`{}` twice", row.id)));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(Problem::new("at least one sample", "none").at(&path, None));
    }
    Ok(rows)
}
