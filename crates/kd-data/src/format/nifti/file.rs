//! From a name to a header and the bytes of its voxels: one file or two, plain or gzip.
//!
//! What a header declares is compared with the bytes that are there before memory is taken. Of a gzip stream only the
//! packed size is known, and a packed byte cannot give more than about 1032 others, so a header that asks for more is
//! refused; what unpacks beyond the declared voxels is counted, not kept, and not without end.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::header::NiftiHeader;
use super::raw::{RawHeader, SIZE_1, SIZE_2, kind};
use crate::format::FormatError;
use crate::format::error::Problem;

/// Deflate cannot shrink by more than about 1032 to 1.
const DEFLATE_LIMIT: u64 = 1100;
/// Bytes behind the voxels of a gzip stream that are unpacked to reach its checksum.
const LONGEST_TAIL: u64 = 1 << 20;
/// Bytes taken from the disk at once: the unpacker works on them in one go and keeps its window between two such goes.
const READ_AHEAD: usize = 1 << 18;
/// Taken at once for unpacked voxels; beyond it memory grows with what is really there.
const FIRST_RESERVE: usize = 16 << 20;

/// An open file, unpacked while it is read.
struct Stream {
    reader: Box<dyn Read>,
    path: PathBuf,
    /// The most bytes that can come out.
    most: u64,
    is_gzip: bool,
}

impl Stream {
    fn open(path: &Path) -> Result<Self, FormatError> {
        let failed = |source| FormatError::read(path, source);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut reader = BufReader::with_capacity(READ_AHEAD, file);
        let is_gzip = io::BufRead::fill_buf(&mut reader).map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let most = if is_gzip { length.saturating_mul(DEFLATE_LIMIT) } else { length };
        let reader: Box<dyn Read> = if is_gzip { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
        let stream = Self { reader, path: path.to_path_buf(), most, is_gzip };
        if length == 0 {
            let path = crate::store::path_tail(path);
            return Err(FormatError::Empty { path, expected: "a NIfTI file".into() });
        }
        Ok(stream)
    }

    /// Reads up to `count` bytes: fewer only at the end of the file.
    fn read(&mut self, count: usize) -> Result<Vec<u8>, FormatError> {
        let mut bytes = Vec::with_capacity(if self.is_gzip { count.min(FIRST_RESERVE) } else { count });
        let outcome = (&mut self.reader).take(count as u64).read_to_end(&mut bytes);
        outcome.map_err(|source| self.failed(source))?;
        Ok(bytes)
    }

    /// Passes over up to `count` bytes and tells how many there were.
    fn skip(&mut self, count: u64) -> Result<u64, FormatError> {
        let skipped = io::copy(&mut (&mut self.reader).take(count), &mut io::sink());
        skipped.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> FormatError {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        if self.is_gzip && matches!(source.kind(), InvalidData | InvalidInput | UnexpectedEof) {
            return Problem::truncated("a whole gzip stream", source.to_string()).at(&self.path, None);
        }
        FormatError::read(&self.path, source)
    }
}

/// Reads a header and the bytes of its voxels.
pub(super) fn load(path: &Path) -> Result<(NiftiHeader, Vec<u8>), FormatError> {
    let header_path = if is_image_half(path) { other_half(path, "hdr")? } else { path.to_path_buf() };
    let mut stream = Stream::open(&header_path)?;
    let at = |problem: Problem| problem.at(&header_path, None);
    let mut start = stream.read(SIZE_1)?;
    // The rest of a NIfTI-2 header; a shorter start is refused below.
    if start.first_chunk::<4>().is_some_and(|size| kind(*size).is_ok_and(|(version, _)| version.is_two())) {
        start.extend(stream.read(SIZE_2 - SIZE_1)?);
    }
    let mut header = NiftiHeader::new(&RawHeader::parse(&start).map_err(at)?).map_err(at)?;
    let already = start.len() as u64;
    let (mut stream, already) = if header.single {
        (stream, already)
    } else {
        drop(stream);
        let image = if is_image_half(path) { path.to_path_buf() } else { other_half(path, "img")? };
        (Stream::open(&image)?, 0)
    };
    let voxels = read_voxels(&mut stream, &mut header, already)?;
    Ok((header, voxels))
}

fn read_voxels(stream: &mut Stream, header: &mut NiftiHeader, already: u64) -> Result<Vec<u8>, FormatError> {
    let path = stream.path.clone();
    let wanted = header.voxel_bytes as u64;
    let cut = |found: String| {
        let expected = format!(
            "{wanted} bytes of {} voxels for dim {:?} from byte {}",
            header.datatype.name(),
            header.dims,
            header.first_voxel
        );
        Problem::truncated(expected, found).at(&path, None)
    };
    if header.first_voxel.saturating_add(wanted) > stream.most {
        let unit = if stream.is_gzip { "bytes at most once unpacked" } else { "bytes in all" };
        return Err(cut(format!("{} {unit}", stream.most)));
    }
    let gap = header.first_voxel.saturating_sub(already);
    if stream.skip(gap)? < gap {
        return Err(cut("an end before the first of them".into()));
    }
    let voxels = stream.read(header.voxel_bytes)?;
    if voxels.len() < header.voxel_bytes {
        return Err(cut(format!("{}", voxels.len())));
    }
    // Reaching the end of a gzip stream compares its checksum.
    let tail = stream.skip(LONGEST_TAIL)?;
    if tail == LONGEST_TAIL {
        let expected = format!("the file to end within {LONGEST_TAIL} bytes behind its voxels (dim {:?})", header.dims);
        return Err(Problem::new(expected, "more")
            .hint("the header declares fewer voxels than there are; convert the original images again")
            .at(&path, None));
    }
    if tail > 0 {
        header.warnings.push(format!("{tail} bytes behind the voxels are ignored"));
    }
    Ok(voxels)
}

/// Whether a name is that of the voxels of a pair.
fn is_image_half(path: &Path) -> bool {
    let name = lower_name(path);
    name.ends_with(".img") || name.ends_with(".img.gz")
}

fn lower_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The file that belongs to one half of a pair: the same name with the other ending, packed or not.
fn other_half(path: &Path, ending: &str) -> Result<PathBuf, FormatError> {
    let is_packed = lower_name(path).ends_with(".gz");
    let stem = if is_packed { path.with_extension("") } else { path.to_path_buf() };
    let plain = stem.with_extension(ending);
    let upper = stem.with_extension(ending.to_uppercase());
    let packed = stem.with_extension(format!("{ending}.gz"));
    let order = if is_packed { [packed, plain, upper] } else { [plain.clone(), upper, packed] };
    let refused = || {
        let shown = crate::store::path_tail(&order[0]);
        Problem::new(format!("the other half of the pair beside it (`{shown}`)"), "no such file")
            .hint("keep the .hdr and the .img in one folder under one name")
            .at(path, None)
    };
    order.iter().find(|candidate| candidate.is_file()).cloned().ok_or_else(refused)
}
