//! Image files in folders: `<class>/…`, `<split>/<class>/…`, or the labelled files of a generator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kd_image::{Image, SampleId, Split, SubjectId};

use super::{Column, DecodeError, RawRecord, read_groups, subjects, target_of};
use crate::digest::sha256_file;
use crate::format::{read_labelled_png, read_raster};
use crate::manifest::Manifest;

/// Name of the list of checksums in a generated folder.
pub(crate) const GENERATED_FILE: &str = "generated.txt";

/// Where the images of a set lie, in the order of its records.
#[derive(Debug)]
pub(super) struct ImageFiles(Vec<PathBuf>);

impl ImageFiles {
    pub(super) fn read(&self, index: usize) -> Result<Image<2>, DecodeError> {
        Ok(read_raster(&self.0[index])?)
    }
}

/// What the folders around a file say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileLabel {
    pub(crate) split: Option<Split>,
    pub(crate) class: String,
}

impl FileLabel {
    /// Splits `<class>/…` or, when `by_split`, `<split>/<class>/…`.
    pub(crate) fn of(name: &str, by_split: bool) -> Option<Self> {
        let mut parts = name.split('/');
        let split = if by_split { Some(split_of(parts.next()?)?) } else { None };
        let class = parts.next()?.to_owned();
        parts.next()?;
        Some(Self { split, class })
    }
}

/// The split that a folder's name stands for.
pub(crate) fn split_of(folder: &str) -> Option<Split> {
    match folder.to_ascii_lowercase().as_str() {
        "train" => Some(Split::Train),
        "val" | "valid" | "validation" => Some(Split::Val),
        "test" => Some(Split::Test),
        _ => None,
    }
}

/// A file's name as an id: characters that would break a table become `_`.
///
/// # Errors
/// [`DecodeError::Name`] for a name of over 200 characters.
pub(super) fn sample_name(file: &str) -> Result<SampleId, DecodeError> {
    let kept = |c: char| if c.is_alphanumeric() || "._-/".contains(c) { c } else { '_' };
    let name: String = file.chars().map(kept).collect();
    SampleId::new(name).map_err(|problem| DecodeError::Name { file: file.into(), problem: problem.to_string() })
}

pub(super) fn open_folder(folder: &Path, manifest: &Manifest) -> Result<(Vec<RawRecord>, ImageFiles), DecodeError> {
    let groups_file = manifest.source.groups.as_deref();
    let mut names: Vec<&str> = manifest.source.files.iter().map(|file| file.name.as_str()).collect();
    names.retain(|name| Some(*name) != groups_file);
    names.sort_unstable();
    let groups = groups_file.map(|file| read_groups(&folder.join(file), Column::Group)).transpose()?;
    let groups = names.iter().map(|name| {
        let Some(table) = &groups else { return Ok(None) };
        table.get(*name).map(Some).ok_or_else(|| {
            Column::Group.refused(
                groups_file.unwrap_or_default().into(),
                "a line for each image",
                format!("none for `{name}`"),
            )
        })
    });
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
    let numbered = subjects::number(groups.iter().flatten().map(|group| group.as_str()).collect::<Vec<_>>());
    // Decided by the names and not by the policy: a recipe may draw its own splits from images that came in some.
    let by_split = names.iter().all(|name| name.split('/').next().is_some_and(|top| split_of(top).is_some()));
    let index: BTreeMap<&str, usize> = manifest.classes.iter().enumerate().map(|(n, c)| (c.as_str(), n)).collect();
    let mut seen = BTreeMap::new();
    let mut records = Vec::with_capacity(names.len());
    for (name, group) in names.iter().zip(&groups) {
        let sample = sample_name(name)?;
        if let Some(other) = seen.insert(sample.clone(), *name) {
            let problem = format!("it becomes the same id as `{other}`");
            return Err(DecodeError::Name { file: (*name).into(), problem });
        }
        let label = FileLabel::of(name, by_split);
        let known = label.and_then(|label| Some((label.split, *index.get(label.class.as_str())?)));
        let (split, class) = known.ok_or_else(|| DecodeError::Labels {
            what: (*name).into(),
            expected: format!("a file below a folder of one of the {} classes in the manifest", index.len()),
            found: "another folder".into(),
        })?;
        let class = i64::try_from(class).unwrap_or(i64::MAX);
        let target = target_of(&[class], manifest.task, manifest.classes.len(), sample.as_str())?;
        let subject = match group {
            Some(group) => numbered[group.as_str()].clone(),
            None => SubjectId::new(sample.as_str()).expect("a sample's id is a subject's id"),
        };
        records.push(RawRecord { sample, subject, split, target });
    }
    let paths = names.iter().map(|name| folder.join(name)).collect();
    Ok((records, ImageFiles(paths)))
}

pub(super) fn open_generated(folder: &Path, manifest: &Manifest) -> Result<(Vec<RawRecord>, ImageFiles), DecodeError> {
    check_generated(folder, manifest)?;
    let mut records = Vec::new();
    let mut paths = Vec::new();
    for row in read_labelled_png(folder)? {
        let target = target_of(&[row.label.into()], manifest.task, manifest.classes.len(), row.id.as_str())?;
        records.push(RawRecord { sample: row.id, subject: row.subject, split: Some(row.split), target });
        paths.push(row.path);
    }
    Ok((records, ImageFiles(paths)))
}

/// The files of a generated folder, once it holds what its list says, made with the parameters of the manifest.
pub(super) fn check_generated(folder: &Path, manifest: &Manifest) -> Result<Vec<String>, DecodeError> {
    let path = folder.join(GENERATED_FILE);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Err(DecodeError::NotGenerated { set: manifest.name.to_string() });
    };
    let mut sums = BTreeMap::new();
    for line in text.lines().skip(1) {
        let Some((sum, file)) = line.split_once("  ") else { continue };
        let (found, _) = sha256_file(&folder.join(file), folder)?;
        if found.hex() != sum {
            return Err(DecodeError::Changed { set: manifest.name.to_string(), file: file.into() });
        }
        sums.insert(file.to_owned(), sum.to_owned());
    }
    if generated_list(&manifest.content_hash(), &sums) == text {
        Ok(sums.into_keys().collect())
    } else {
        Err(DecodeError::Changed { set: manifest.name.to_string(), file: GENERATED_FILE.into() })
    }
}

/// The list that a generated folder keeps: parameters first, then a checksum a file.
pub(crate) fn generated_list(content: &str, sums: &BTreeMap<String, String>) -> String {
    let lines = sums.iter().map(|(file, sum)| format!("{sum}  {file}\n"));
    format!("generated with {content}\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_say_split_and_class() {
        let label = FileLabel::of("Validation/cat/deep/a.png", true).unwrap();
        assert_eq!(label, FileLabel { split: Some(Split::Val), class: "cat".into() });
        assert_eq!(FileLabel::of("cat/a.png", false).unwrap().class, "cat");
        assert_eq!(FileLabel::of("a.png", false), None);
        assert_eq!(FileLabel::of("other/cat/a.png", true), None);
    }

    #[test]
    fn a_name_keeps_what_a_table_can_hold() {
        assert_eq!(sample_name("cat/a, (1).png").unwrap().as_str(), "cat/a___1_.png");
        assert!(sample_name(&"x".repeat(201)).is_err());
    }
}
