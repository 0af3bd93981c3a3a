//! A failed read or write, told with the name of the file and with what to do about it.
//!
//! The operating system's text names neither file nor remedy. The name kept here is the one relative to the folder
//! that was given, never the whole path: paths of hospital machines hold patients' names.

use std::io;
use std::path::Path;

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{file}`: {}{}", reason(.source), hint(.source))]
pub struct FileError {
    /// What was tried: `read`, `write`, `create`, `rename`, `list`.
    pub action: &'static str,
    /// The file, relative to the folder that was given.
    pub file: String,
    /// The operating system's answer.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Keeps the name of `path` below `folder`, or its last part when it lies elsewhere.
    pub fn new(action: &'static str, path: &Path, folder: &Path, source: io::Error) -> Self {
        Self { action, file: relative_name(path, folder), source }
    }

    /// Whether the disk, or the user's share of it, is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// The name of `path` below `folder` with `/` between its parts, or its last part when it lies elsewhere.
///
/// ```
/// use std::path::Path;
/// let name = kd_data::error::relative_name(Path::new("a/b/c.png"), Path::new("a"));
/// assert_eq!(name, "b/c.png");
/// ```
#[must_use]
pub fn relative_name(path: &Path, folder: &Path) -> String {
    let shown = match path.strip_prefix(folder) {
        Ok(inside) if inside.as_os_str().is_empty() => path.file_name().map(Path::new),
        Ok(inside) => Some(inside),
        Err(_) => path.file_name().map(Path::new),
    };
    let parts: Vec<String> = shown
        .into_iter()
        .flat_map(Path::components)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}

fn reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull => "no space left on the disk".into(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".into(),
        io::ErrorKind::NotFound => "no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        // Not the full `Display`: some of std's and of libraries' texts hold whole paths.
        kind if source.raw_os_error().is_some() => kind.to_string(),
        _ => source.to_string(),
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\nhint: free some space, or choose another disk with `--root`"
        }
        io::ErrorKind::PermissionDenied => "\nhint: check who owns it, or choose another place with `--root`",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_with_a_hint() {
        let failed =
            FileError::new("write", Path::new("r/raw/x.npz"), Path::new("r"), io::ErrorKind::StorageFull.into());
        assert!(failed.is_disk_full());
        let text = failed.to_string();
        assert!(text.starts_with("cannot write `raw/x.npz`: no space left on the disk\nhint: "), "{text}");
    }

    #[test]
    fn a_file_outside_of_the_folder_shows_its_last_part_only() {
        assert_eq!(relative_name(Path::new("home/doe_john/scan.png"), Path::new("data")), "scan.png");
        assert_eq!(relative_name(Path::new("home/doe"), Path::new("home/doe")), "doe");
    }
}
