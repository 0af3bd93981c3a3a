//! The folder that all artifacts lie in.
//!
//! One value instead of joined strings, so that a stage cannot write where another one does. Making it creates nothing:
//! a mistyped `--root` leaves no trace until something is written.

use std::path::{Path, PathBuf};

/// The artifacts folder: `raw/ prepared/ soft/ runs/ scores/ reports/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// Names the folder; nothing is created or looked at.
    ///
    /// ```
    /// let root = kd_data::Root::new("artifacts");
    /// assert!(root.raw_set("bloodmnist").ends_with("raw/bloodmnist"));
    /// ```
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Downloads and imports, one folder a data set.
    #[must_use]
    pub fn raw(&self) -> PathBuf {
        self.0.join("raw")
    }

    /// The raw folder of one data set.
    #[must_use]
    pub fn raw_set(&self, name: &str) -> PathBuf {
        self.raw().join(name)
    }

    /// The manifest of an imported or generated data set.
    #[must_use]
    pub fn raw_manifest(&self, name: &str) -> PathBuf {
        self.raw_set(name).join("dataset.toml")
    }

    /// Prepared samples, by content hash.
    #[must_use]
    pub fn prepared(&self) -> PathBuf {
        self.0.join("prepared")
    }

    /// Stored teacher answers, by content hash.
    #[must_use]
    pub fn soft(&self) -> PathBuf {
        self.0.join("soft")
    }

    /// Training runs with their checkpoints.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// Predictions and metrics.
    #[must_use]
    pub fn scores(&self) -> PathBuf {
        self.0.join("scores")
    }

    /// Reports and packages.
    #[must_use]
    pub fn reports(&self) -> PathBuf {
        self.0.join("reports")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naming_a_root_creates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path().join("artifacts"));
        for stage in [root.raw(), root.prepared(), root.soft(), root.runs(), root.scores(), root.reports()] {
            assert_eq!(stage.parent(), Some(root.path()));
        }
        assert!(!root.path().exists());
    }
}
