//! What all fuzz targets share: a file in memory, and the bound on what a reader may take.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Most bytes that a reader may hold at once for an input of at most 64 KiB. Deflate makes at most 1,032 bytes of one, and
/// what it gives is held as stored, as numbers and as an answer.
pub const MOST_BYTES: usize = 512 << 20;

/// Bytes as a file named `case.ENDING`, in memory where the system has a place for that.
pub fn file(bytes: &[u8], ending: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("kd-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the case");
        folder
    });
    let path = folder.join(format!("case.{ending}"));
    std::fs::write(&path, bytes).expect("the case is written");
    path
}

/// A refusal has to say something.
pub fn told<T, E: std::fmt::Display>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(found) => Some(found),
        Err(error) => {
            assert!(error.to_string().len() > 10, "an error without words: {error}");
            None
        }
    }
}

/// The allocator of a target: a reader that takes more than [`MOST_BYTES`] ends the run.
#[macro_export]
macro_rules! bounded {
    () => {
        #[global_allocator]
        static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, $crate::MOST_BYTES);
    };
}
