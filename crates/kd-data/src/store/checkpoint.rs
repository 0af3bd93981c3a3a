//! The checkpoints of one run: the last two, so that a damaged one costs a few minutes and not the run.
//!
//! Two files take turns. A save replaces the older one in a single rename, so at every moment the newer of the files
//! that stand there is whole; what a checkpoint holds is nobody's business here.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::{StoreError, path_tail, write_atomic};

const MAGIC: &[u8; 8] = b"kd-ckpt1";
const HEAD: usize = 16;
const DIGEST: usize = 32;
const SLOTS: [&str; 2] = ["checkpoint-0.bin", "checkpoint-1.bin"];

/// A checkpoint that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// What was saved.
    pub bytes: Vec<u8>,
    /// How many saves came before it.
    pub generation: u64,
    /// Set when a newer checkpoint was damaged and this one took its place: to be shown to the user.
    pub note: Option<String>,
}

/// The folder of one run's checkpoints; one process writes it.
#[derive(Debug)]
pub struct CheckpointStore {
    folder: PathBuf,
    next: Mutex<Option<u64>>,
}

impl CheckpointStore {
    /// Names the folder; it is made by the first save.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), next: Mutex::new(None) }
    }

    /// Saves a checkpoint; the one before it is kept.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::Io`]; both earlier checkpoints are untouched then. [`StoreError::Damaged`]
    /// when there are checkpoints and none can be read.
    ///
    /// # Example
    /// ```
    /// use kd_data::store::CheckpointStore;
    /// let folder = tempfile::tempdir()?;
    /// let store = CheckpointStore::new(folder.path());
    /// assert!(store.load()?.is_none());
    /// store.save(b"epoch 1")?;
    /// store.save(b"epoch 2")?;
    /// assert_eq!(store.load()?.unwrap().bytes, b"epoch 2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = match *next {
            Some(generation) => generation,
            // The slot after the newest good one is that of the older or the damaged checkpoint.
            None => self.load()?.map_or(0, |newest| newest.generation + 1),
        };
        let mut file = Vec::with_capacity(HEAD + bytes.len() + DIGEST);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&generation.to_le_bytes());
        file.extend_from_slice(bytes);
        let sum = Sha256::digest(&file);
        file.extend_from_slice(&sum);
        write_atomic(&self.slot(generation), &file)?;
        *next = Some(generation + 1);
        Ok(())
    }

    /// Reads the newest checkpoint that is whole; none when nothing was ever saved.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when there are checkpoints and none is whole, [`StoreError::Io`].
    pub fn load(&self) -> Result<Option<Checkpoint>, StoreError> {
        let mut newest: Option<Checkpoint> = None;
        let mut damaged = Vec::new();
        for (slot, name) in SLOTS.iter().enumerate() {
            let path = self.folder.join(name);
            let file = match std::fs::read(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(source) => return Err(StoreError::io("reading", &path, source)),
            };
            match parse(file).filter(|found| found.generation % 2 == slot as u64) {
                Some(found) if newest.as_ref().is_none_or(|best| best.generation < found.generation) => {
                    newest = Some(found);
                }
                Some(_) => {}
                None => damaged.push(path),
            }
        }
        match (newest, damaged.first()) {
            (None, Some(path)) => Err(StoreError::damaged(path, "a checkpoint as it was saved", "other bytes")),
            (newest, None) => Ok(newest),
            (Some(newest), Some(path)) => {
                let note = format!(
                    "checkpoint `{}` is damaged; going on from the other one (save number {})",
                    path_tail(path),
                    newest.generation
                );
                Ok(Some(Checkpoint { note: Some(note), ..newest }))
            }
        }
    }

    fn slot(&self, generation: u64) -> PathBuf {
        self.folder.join(SLOTS[usize::from(generation % 2 == 1)])
    }
}

fn parse(mut file: Vec<u8>) -> Option<Checkpoint> {
    if file.len() < HEAD + DIGEST || !file.starts_with(MAGIC) {
        return None;
    }
    let sum = file.split_off(file.len() - DIGEST);
    if Sha256::digest(&file).as_slice() != sum {
        return None;
    }
    let generation = u64::from_le_bytes(*file[MAGIC.len()..].first_chunk()?);
    // A generation that cannot be counted on was never saved by this store.
    (generation < u64::MAX).then(|| Checkpoint { bytes: file.split_off(HEAD), generation, note: None })
}
