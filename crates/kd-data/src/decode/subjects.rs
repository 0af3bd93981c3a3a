//! Who an image shows: groups become numbered subjects.
//!
//! A group is often a patient's number, and a hash of a short number is no secret. Numbers in the order of the sorted
//! groups keep apart what has to be kept apart and say nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kd_image::SubjectId;

use super::DecodeError;

/// Groups, or subgroups, by image; groups before they are numbered.
pub(crate) type Groups = BTreeMap<String, String>;

/// What the second column of a table tells of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Who it belongs to.
    Group,
    /// What sort of image it is.
    Subgroup,
}

impl Column {
    /// Its name in the header.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Subgroup => "subgroup",
        }
    }

    /// A table that does not fit.
    pub(crate) fn refused(self, file: String, expected: impl Into<String>, found: String) -> DecodeError {
        DecodeError::Groups { column: self.name(), file, expected: expected.into(), found }
    }
}

/// Numbers groups; equal groups get equal subjects, in every split.
pub(crate) fn number<'a>(groups: impl IntoIterator<Item = &'a str> + Clone) -> BTreeMap<&'a str, SubjectId> {
    // Shorter texts first, so that plain numbers keep their order.
    let sorted: BTreeSet<(usize, &str)> = groups.into_iter().map(|group| (group.len(), group)).collect();
    let named = sorted.into_iter().enumerate().map(|(n, (_, group))| {
        let id = SubjectId::new(format!("subject-{:05}", n + 1)).expect("a word, a hyphen and digits are an id");
        (group, id)
    });
    named.collect()
}

/// Reads a table with the columns `file` and `group` or `subgroup`.
///
/// # Errors
/// [`DecodeError::Groups`] for another header, an empty cell, a file named twice, or no line at all.
pub(crate) fn read_groups(path: &Path, column: Column) -> Result<Groups, DecodeError> {
    let file = crate::error::relative_name(path, path);
    let refused = |expected: &str, found: String| column.refused(file.clone(), expected, found);
    let mut table = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|e| refused("a readable CSV file", e.kind_text()))?;
    let header = table.headers().map_err(|e| refused("a header line", e.kind_text()))?;
    if header.iter().collect::<Vec<_>>() != ["file", column.name()] {
        let found = format!("a header of {} columns that are not these two", header.len());
        return Err(refused(&format!("the columns `file,{}`", column.name()), found));
    }
    let mut groups = Groups::new();
    for (n, row) in table.records().enumerate() {
        let line = n + 2;
        let row = row.map_err(|e| refused("two cells a line", format!("line {line}: {}", e.kind_text())))?;
        let (image, group) = (&row[0], &row[1]);
        if image.is_empty() || group.is_empty() {
            return Err(refused(
                &format!("a file and a {} a line", column.name()),
                format!("an empty cell on line {line}"),
            ));
        }
        if groups.insert(image.replace('\\', "/"), group.into()).is_some() {
            return Err(refused("each file once", format!("`{image}` again on line {line}")));
        }
    }
    if groups.is_empty() {
        return Err(refused("one line an image", "no line".into()));
    }
    Ok(groups)
}

/// What a CSV error says, without the path that it may hold.
trait KindText {
    fn kind_text(&self) -> String;
}

impl KindText for csv::Error {
    fn kind_text(&self) -> String {
        match self.kind() {
            csv::ErrorKind::Io(source) => format!("not readable ({})", source.kind()),
            csv::ErrorKind::Utf8 { .. } => "bytes that are not UTF-8".into(),
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} cells instead of {expected_len}")
            }
            _ => "not a CSV file".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Groups, DecodeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("groups.csv");
        std::fs::write(&path, text).unwrap();
        read_groups(&path, Column::Group)
    }

    #[test]
    fn groups_are_numbered_in_order_and_their_names_are_gone() {
        let ids = number(["10", "9", "doe", "9"]);
        assert_eq!(ids["9"].as_str(), "subject-00001");
        assert_eq!(ids["10"].as_str(), "subject-00002");
        assert_eq!(ids["doe"].as_str(), "subject-00003");
    }

    #[test]
    fn a_file_named_twice_is_refused_with_its_line() {
        let text = table("file,group\na.png,1\nb.png,1\na.png,2\n").unwrap_err().to_string();
        assert!(text.contains("`a.png` again on line 4"), "{text}");
    }

    #[test]
    fn another_header_an_empty_cell_and_an_empty_table_are_refused() {
        assert!(table("name,patient\na,1\n").unwrap_err().to_string().contains("`file,group`"));
        assert!(table("file,group\na.png,\n").unwrap_err().to_string().contains("line 2"));
        assert!(table("file,group\n").unwrap_err().to_string().contains("no line"));
        assert!(table("file,group\na.png,1,2\n").unwrap_err().to_string().contains("3 cells"));
    }
}
