//! Files and folders that are there whole or not at all.
//!
//! Everything is written under a temporary name beside its final one (a rename is atomic only inside one file system),
//! flushed to the device, renamed, and the folder that holds the name is flushed too: after a power cut the old state or
//! the new one stands there. The writer holds a lock on its temporary name while it lives, so what a killed run left
//! behind is told from what a running one is still writing, whatever process numbers were handed out since.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::StoreError;
use super::error::path_tail;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Writes a file so that readers see the old bytes or the new ones, never a part.
///
/// # Policy
/// An existing file is replaced. Temporary files of the same name that dead runs left behind are removed.
///
/// # Errors
/// [`StoreError::Full`] when the device is full, [`StoreError::Io`] otherwise; the file that stood there before is
/// untouched then.
///
/// # Example
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("note.txt");
/// kd_data::store::write_atomic(&path, b"whole")?;
/// assert_eq!(std::fs::read(&path)?, b"whole");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let parent = parent(path);
    let prefix = hidden_prefix(path, "tmp")?;
    fs::create_dir_all(&parent).map_err(|source| StoreError::io("creating the folder of", path, source))?;
    for stale in siblings(&parent, &prefix) {
        // Whoever holds the lock is alive and still writing.
        if File::open(&stale).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(&stale);
        }
    }
    // A second try covers the moment between making a name and locking it, in which another writer may clear it away.
    for last_try in [false, true] {
        let (temporary, file) = claim(&parent, &prefix, path)?;
        let outcome = fill(&file, bytes).and_then(|()| fs::rename(&temporary, path));
        match outcome {
            Ok(()) => return sync_folder(&parent),
            Err(source) if source.kind() == io::ErrorKind::NotFound && !last_try => {}
            Err(source) => {
                let _ = fs::remove_file(&temporary);
                return Err(StoreError::io("writing", path, source));
            }
        }
    }
    Ok(())
}

fn fill(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// A folder under construction: invisible under its final name until [`commit`](Self::commit).
///
/// Dropping it without a commit removes it; so does the next [`create`](Self::create) of the same name after the writer
/// was killed.
///
/// # Example
/// ```
/// use kd_data::store::StagedFolder;
/// let root = tempfile::tempdir()?;
/// let last = root.path().join("prepared/abc");
/// let staged = StagedFolder::create(&last)?;
/// std::fs::write(staged.path().join("a.txt"), "a")?;
/// assert!(!last.exists());
/// staged.commit()?;
/// assert!(last.join("a.txt").exists());
/// assert!(StagedFolder::create(&last).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StagedFolder {
    staging: PathBuf,
    lock_path: PathBuf,
    // Held, not read: the lock ends with the process, however it ends.
    _lock: File,
    last: PathBuf,
    committed: bool,
}

impl StagedFolder {
    /// Starts a folder that will be called `last`; the folders above it are made.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when something of that name stands there, [`StoreError::Full`] and [`StoreError::Io`].
    pub fn create(last: &Path) -> Result<Self, StoreError> {
        if last.symlink_metadata().is_ok() {
            return Err(StoreError::Exists { path: path_tail(last) });
        }
        let parent = parent(last);
        fs::create_dir_all(&parent).map_err(|source| StoreError::io("creating the folder of", last, source))?;
        let prefix = hidden_prefix(last, "staging")?;
        remove_dead(&parent, &prefix);
        let (lock_path, lock) = claim(&parent, &prefix, last)?;
        let staging = lock_path.with_extension("folder");
        let staged = Self { staging, lock_path, _lock: lock, last: last.to_path_buf(), committed: false };
        fs::create_dir(&staged.staging).map_err(|source| StoreError::io("creating", last, source))?;
        Ok(staged)
    }

    /// Where to write the contents.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.staging
    }

    /// The name that the folder will have.
    #[must_use]
    pub fn final_path(&self) -> &Path {
        &self.last
    }

    /// Flushes everything to the device and gives the folder its name, which is returned.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name was taken meanwhile, [`StoreError::Full`] and [`StoreError::Io`]; the
    /// staged contents are removed then.
    pub fn commit(mut self) -> Result<PathBuf, StoreError> {
        sync_tree(&self.staging)?;
        // A rename would replace an empty folder without a word.
        if self.last.symlink_metadata().is_ok() {
            return Err(StoreError::Exists { path: path_tail(&self.last) });
        }
        fs::rename(&self.staging, &self.last).map_err(|source| StoreError::io("naming", &self.last, source))?;
        self.committed = true;
        sync_folder(&parent(&self.last))?;
        Ok(self.last.clone())
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_dir_all(&self.staging);
        }
        let _ = fs::remove_file(&self.lock_path);
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn hidden_prefix(path: &Path, kind: &str) -> Result<String, StoreError> {
    let name = path.file_name().ok_or_else(|| StoreError::Request {
        what: "name of a file or folder to write".into(),
        expected: "a path that ends in a name".into(),
        found: format!("`{}`", path_tail(path)),
    })?;
    Ok(format!(".{}.{kind}-", name.to_string_lossy()))
}

fn siblings(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect()
}

/// Makes and locks a file of a free name. The extension is the same for files and locks.
fn claim(parent: &Path, prefix: &str, path: &Path) -> Result<(PathBuf, File), StoreError> {
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = parent.join(format!("{prefix}{}-{number}.lock", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&name) {
            Ok(file) => match file.try_lock() {
                Ok(()) if name.exists() => return Ok((name, file)),
                // Somebody took the file for a dead run's; the next number is free.
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                // A file system without locks still writes; only the clearing of dead names is lost.
                Err(TryLockError::Error(_)) => return Ok((name, file)),
            },
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(StoreError::io("writing", path, source)),
        }
    }
}

fn remove_dead(parent: &Path, prefix: &str) {
    for entry in siblings(parent, prefix) {
        let lock_path = entry.with_extension("lock");
        let held = match File::open(&lock_path) {
            Ok(file) => file.try_lock().is_err(),
            // A folder is made after its lock and removed before it, so one without a lock belongs to nobody.
            Err(_) => false,
        };
        if !held {
            let _ = fs::remove_dir_all(entry.with_extension("folder"));
            let _ = fs::remove_file(&lock_path);
        }
    }
}

fn sync_tree(folder: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::io("flushing", folder, source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            let flushed = File::open(entry.path()).and_then(|file| file.sync_all());
            flushed.map_err(|source| StoreError::io("flushing", &entry.path(), source))?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    File::open(folder).and_then(|file| file.sync_all()).map_err(|source| StoreError::io("flushing", folder, source))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep/er/a.bin");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(path.parent().unwrap()), ["a.bin"]);
    }

    #[test]
    fn a_dead_runs_temporary_file_is_cleared_and_a_live_ones_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.bin");
        fs::write(root.path().join(".a.bin.tmp-1-1.lock"), "dead").unwrap();
        let live = root.path().join(".a.bin.tmp-1-2.lock");
        let file = File::create(&live).unwrap();
        file.lock().unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(names(root.path()), [".a.bin.tmp-1-2.lock", "a.bin"]);
    }

    #[test]
    fn a_folder_dropped_without_commit_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let staged = StagedFolder::create(&root.path().join("x")).unwrap();
        fs::write(staged.path().join("part"), "p").unwrap();
        drop(staged);
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn a_dead_runs_folder_is_cleared_and_a_live_ones_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let last = root.path().join("x");
        let dead = root.path().join(".x.staging-1-1.folder");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("part"), "p").unwrap();
        fs::write(dead.with_extension("lock"), "").unwrap();
        let live = StagedFolder::create(&last).unwrap();
        assert!(!dead.exists() && !dead.with_extension("lock").exists());
        let second = StagedFolder::create(&last).unwrap();
        assert!(live.path().exists());
        second.commit().unwrap();
        assert!(matches!(live.commit(), Err(StoreError::Exists { .. })));
        assert_eq!(names(root.path()), ["x"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_names_the_path() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let text = write_atomic(&file.join("under"), b"").unwrap_err().to_string();
        assert!(text.contains("file/under"), "{text}");
    }
}
