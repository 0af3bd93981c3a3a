//! Damage to a file, place by place. The file is changed where it stands: some file systems flush a file that is
//! truncated and written anew, which takes a thousand times as long.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Cuts `path` to every length below its own, from long to short, and puts it back.
pub(crate) fn cut(path: &Path, mut check: impl FnMut(usize)) {
    let whole = std::fs::read(path).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    for length in (0..whole.len()).rev() {
        file.set_len(length as u64).unwrap();
        check(length);
    }
    file.write_all_at(&whole, 0).unwrap();
}

/// Changes every byte of `path` in turn by each of `masks`, and puts it back.
pub(crate) fn change(path: &Path, masks: &[u8], mut check: impl FnMut(usize, u8)) {
    let whole = std::fs::read(path).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    for (at, byte) in whole.iter().enumerate() {
        for mask in masks {
            file.write_all_at(&[byte ^ mask], at as u64).unwrap();
            check(at, *mask);
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
}
