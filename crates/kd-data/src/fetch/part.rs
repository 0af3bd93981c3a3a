//! A file under way: `NAME.part`, its running checksum, and the server's tag for the bytes in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{FetchError, FetchProgress};
use crate::digest::RunningChecksum;
use crate::error::FileError;
use crate::manifest::SourceFile;

/// Why bytes stopped coming.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The source gave up.
    Read(io::Error),
    /// The disk did.
    Write(FileError),
}

/// A file under way. Locked while it lives, so that two processes cannot interleave their bytes.
#[derive(Debug)]
pub(super) struct Part<'a> {
    source: &'a SourceFile,
    folder: &'a Path,
    path: PathBuf,
    file: File,
    running: RunningChecksum,
    len: u64,
}

impl<'a> Part<'a> {
    /// Starts from nothing.
    pub(super) fn empty(folder: &'a Path, source: &'a SourceFile) -> Result<Self, FetchError> {
        let mut part = Self::open(folder, source)?;
        part.restart()?;
        Ok(part)
    }

    /// Goes on from what an earlier call left; its bytes are read into the checksum.
    #[cfg(feature = "fetch")]
    pub(super) fn resume(folder: &'a Path, source: &'a SourceFile) -> Result<Self, FetchError> {
        let mut part = Self::open(folder, source)?;
        part.len = part.running.read_all(&mut part.file).map_err(|e| part.failed("read", e))?;
        Ok(part)
    }

    fn open(folder: &'a Path, source: &'a SourceFile) -> Result<Self, FetchError> {
        let path = folder.join(format!("{}.part", source.name));
        let failed = |e| FileError::new("write", &path, folder, e);
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(failed)?;
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        // A file system without locks still downloads; only the guard against a second process is lost there.
        if matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
            return Err(FetchError::Busy { file: source.name.clone() });
        }
        Ok(Self { source, folder, path, file, running: source.checksum.running(), len: 0 })
    }

    fn failed(&self, action: &'static str, source: io::Error) -> FileError {
        FileError::new(action, &self.path, self.folder, source)
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Throws the bytes away.
    pub(super) fn restart(&mut self) -> Result<(), FetchError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|e| self.failed("write", e))?;
        self.running = self.source.checksum.running();
        self.len = 0;
        self.forget_tag();
        Ok(())
    }

    /// Adds all that the reader gives. What came before an error stays.
    pub(super) fn append(
        &mut self,
        reader: &mut impl Read,
        total: Option<u64>,
        progress: &mut dyn FnMut(FetchProgress<'_>),
    ) -> Result<(), Stopped> {
        let mut buffer = vec![0u8; 1 << 16];
        loop {
            progress(FetchProgress { file: &self.source.name, done: self.len, total });
            let n = match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Stopped::Read(error)),
            };
            self.file.write_all(&buffer[..n]).map_err(|e| Stopped::Write(self.failed("write", e)))?;
            self.running.update(&buffer[..n]);
            self.len += n as u64;
        }
    }

    /// Whether the bytes so far are the whole file.
    #[cfg(feature = "fetch")]
    pub(super) fn is_whole(&self) -> bool {
        self.running.clone().finish() == self.source.checksum
    }

    /// Checks, flushes and renames. Bytes with a wrong checksum are thrown away.
    pub(super) fn finish(self) -> Result<(), FetchError> {
        let found = self.running.clone().finish();
        if found != self.source.checksum {
            self.forget_tag();
            // The error to report is the checksum's; a file that stays is not accepted by anybody.
            let _ = fs::remove_file(&self.path);
            return Err(FetchError::Checksum {
                file: self.source.name.clone(),
                expected: self.source.checksum,
                found,
                hint: "the publisher replaced the file, or something on the way changed it; try again, then compare with the homepage in the manifest",
            });
        }
        let last = self.folder.join(&self.source.name);
        self.file.sync_all().map_err(|e| self.failed("write", e))?;
        fs::rename(&self.path, &last).map_err(|e| self.failed("rename", e))?;
        self.forget_tag();
        #[cfg(unix)]
        File::open(last.parent().unwrap_or(self.folder))
            .and_then(|folder| folder.sync_all())
            .map_err(|e| self.failed("write", e))?;
        Ok(())
    }

    fn tag_path(&self) -> PathBuf {
        self.path.with_added_extension("tag")
    }

    /// The server's name for the version that the bytes belong to.
    #[cfg(feature = "fetch")]
    pub(super) fn tag(&self) -> Option<String> {
        fs::read_to_string(self.tag_path()).ok().filter(|tag| !tag.is_empty())
    }

    /// Keeps the server's name for the version. Losing it costs a fresh start and no wrong byte, so failing to write
    /// it is no error.
    #[cfg(feature = "fetch")]
    pub(super) fn keep_tag(&self, tag: Option<&str>) {
        match tag {
            Some(tag) => drop(fs::write(self.tag_path(), tag)),
            None => self.forget_tag(),
        }
    }

    fn forget_tag(&self) {
        let _ = fs::remove_file(self.tag_path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Checksum, sha256_hex};

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_stops_the_download_with_a_hint_and_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let checksum = Checksum::sha256(&sha256_hex(b"abc")).unwrap();
        let source = SourceFile { name: "x.npz".into(), url: None, checksum, bytes: None };
        // The kernel's device that is always full stands in for the disk.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let path = folder.path().join("x.npz.part");
        let running = checksum.running();
        let mut part = Part { source: &source, folder: folder.path(), path, file: full, running, len: 0 };
        let stopped = part.append(&mut b"abc".as_slice(), None, &mut |_| {}).unwrap_err();
        let Stopped::Write(refused) = stopped else { panic!("{stopped:?}") };
        assert!(refused.is_disk_full());
        assert!(refused.to_string().contains("`x.npz.part`: no space left on the disk\nhint: "));
        assert!(!folder.path().join("x.npz").exists());
    }

    #[test]
    fn two_writers_of_one_file_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let checksum = Checksum::sha256(&sha256_hex(b"abc")).unwrap();
        let source = SourceFile { name: "x.npz".into(), url: None, checksum, bytes: None };
        let first = Part::empty(folder.path(), &source).unwrap();
        assert!(matches!(Part::empty(folder.path(), &source), Err(FetchError::Busy { .. })));
        drop(first);
        Part::empty(folder.path(), &source).unwrap();
    }
}
