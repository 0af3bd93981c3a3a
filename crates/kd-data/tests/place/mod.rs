//! A folder of its own for a test of imports: files to import, and a root beside them.

// Each test program uses its part of this.
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;

use kd_data::Root;

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) root: Root,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path().join("artifacts"));
        Self { folder, root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the folder.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}
