//! From a name to a header and, when they are asked for, its voxels: one file or two, plain or gzip.
//!
//! What a header declares is compared with the bytes that are there before memory is taken. Of a gzip stream only the
//! packed size is known, and a packed byte cannot give more than about 1032 others, so a header that asks for more is
//! refused; what unpacks beyond the declared voxels is counted, not kept, and not without end.
//!
//! Voxels go from the unpacker to whoever makes numbers of them in blocks, each side on a thread of its own: the bytes of a
//! volume never lie in memory as a whole, and making numbers of them takes no time of its own.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

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
/// Bytes of voxels that are handed on at once: about 1 MiB, whole voxels of every size (1, 2, 3, 4 and 8 divide 24).
const BLOCK: usize = 24 * 43_690;
/// Blocks that wait to be taken.
const BLOCKS_AHEAD: usize = 2;
/// Taken at once for the numbers of a gzip stream; beyond it memory grows with what is really there.
const FIRST_RESERVE: usize = 16 << 20;

/// An open file, unpacked while it is read.
struct Stream {
    reader: Box<dyn Read + Send>,
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
        let reader: Box<dyn Read + Send> =
            if is_gzip { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
        let stream = Self { reader, path: path.to_path_buf(), most, is_gzip };
        if length == 0 {
            let path = crate::store::path_tail(path);
            return Err(FormatError::Empty { path, expected: "a NIfTI file".into() });
        }
        Ok(stream)
    }

    /// Fills `bytes` and tells how many there were: fewer than asked for only at the end of the file.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, FormatError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.reader.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed(source)),
            }
        }
        Ok(filled)
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

/// Reads a header, and tells the file of its voxels, which is there and may be long enough for them.
pub(super) fn open(path: &Path) -> Result<(NiftiHeader, PathBuf), FormatError> {
    let header_path = if is_image_half(path) { other_half(path, "hdr")? } else { path.to_path_buf() };
    let mut stream = Stream::open(&header_path)?;
    let at = |problem: Problem| problem.at(&header_path, None);
    let mut start = [0; SIZE_2];
    let mut length = stream.fill(&mut start[..SIZE_1])?;
    // The rest of a NIfTI-2 header; a shorter start is refused below.
    if start[..length].first_chunk::<4>().is_some_and(|size| kind(*size).is_ok_and(|(version, _)| version.is_two())) {
        length += stream.fill(&mut start[length..])?;
    }
    let header = NiftiHeader::new(&RawHeader::parse(&start[..length]).map_err(at)?).map_err(at)?;
    if header.single {
        check_length(&stream, &header)?;
        return Ok((header, header_path));
    }
    let image = if is_image_half(path) { path.to_path_buf() } else { other_half(path, "img")? };
    check_length(&Stream::open(&image)?, &header)?;
    Ok((header, image))
}

/// All voxels of a file, as the numbers that `numbers` appends for each block of whole voxels.
pub(super) fn read_voxels<T>(
    path: &Path,
    header: &NiftiHeader,
    mut numbers: impl FnMut(&[u8], &mut Vec<T>) -> Result<(), Problem>,
) -> Result<Vec<T>, FormatError> {
    let count = header.n_voxels() * header.datatype.colours().unwrap_or(1);
    let stream = Stream::open(path)?;
    let most = if stream.is_gzip { FIRST_RESERVE / size_of::<T>() } else { count };
    check_length(&stream, header)?;
    let mut values = Vec::with_capacity(count.min(most));
    each_block(stream, header, |block| numbers(block, &mut values))?;
    Ok(values)
}

/// Bytes behind the voxels, once all of them were read.
pub(super) fn bytes_behind(path: &Path, header: &NiftiHeader) -> Result<u64, FormatError> {
    each_block(Stream::open(path)?, header, |_| Ok(()))
}

/// Passes on the voxels in blocks, and reads the file to its end: the bytes behind the voxels are counted.
fn each_block(
    mut stream: Stream,
    header: &NiftiHeader,
    mut take: impl FnMut(&[u8]) -> Result<(), Problem>,
) -> Result<u64, FormatError> {
    let path = stream.path.clone();
    let at = |problem: Problem| problem.at(&path, None);
    if stream.skip(header.first_voxel)? < header.first_voxel {
        return Err(cut(&stream.path, header, "an end before the first of them".into()));
    }
    if header.voxel_bytes <= BLOCK {
        let block = next_block(&mut stream, header, 0, Vec::new())?;
        take(&block).map_err(at)?;
        return tail(&mut stream, header);
    }
    let (full, blocks) = sync_channel(BLOCKS_AHEAD);
    let (used, empty) = channel();
    thread::scope(|scope| {
        let unpack = move || {
            let mut done = 0;
            while done < header.voxel_bytes {
                let block = next_block(&mut stream, header, done, empty.try_recv().unwrap_or_default())?;
                done += block.len();
                if full.send(block).is_err() {
                    // The other side has refused a block and says why.
                    return Ok(0);
                }
            }
            tail(&mut stream, header)
        };
        let started = thread::Builder::new().spawn_scoped(scope, unpack);
        let unpacking = started.map_err(|source| FormatError::read(&path, source))?;
        let taken = blocks.iter().try_for_each(|block| {
            take(&block)?;
            // Nobody waits for the last ones.
            let _ = used.send(block);
            Ok(())
        });
        drop(blocks);
        let behind = unpacking.join().unwrap_or_else(|panic| resume_unwind(panic));
        taken.map_err(at)?;
        behind
    })
}

/// The voxels behind the first `done` bytes of them, in memory that was used before.
fn next_block(
    stream: &mut Stream,
    header: &NiftiHeader,
    done: usize,
    mut block: Vec<u8>,
) -> Result<Vec<u8>, FormatError> {
    block.resize(BLOCK.min(header.voxel_bytes - done), 0);
    let filled = stream.fill(&mut block)?;
    if filled < block.len() {
        return Err(cut(&stream.path, header, (done + filled).to_string()));
    }
    Ok(block)
}

/// Bytes behind the voxels. Reaching the end of a gzip stream compares its checksum.
fn tail(stream: &mut Stream, header: &NiftiHeader) -> Result<u64, FormatError> {
    let tail = stream.skip(LONGEST_TAIL)?;
    if tail == LONGEST_TAIL {
        let expected = format!("the file to end within {LONGEST_TAIL} bytes behind its voxels (dim {:?})", header.dims);
        return Err(Problem::new(expected, "more")
            .hint("the header declares fewer voxels than there are; convert the original images again")
            .at(&stream.path, None));
    }
    Ok(tail)
}

/// Refuses voxels that cannot be in a file of this size.
fn check_length(stream: &Stream, header: &NiftiHeader) -> Result<(), FormatError> {
    if header.first_voxel.saturating_add(header.voxel_bytes as u64) > stream.most {
        let unit = if stream.is_gzip { "bytes at most once unpacked" } else { "bytes in all" };
        return Err(cut(&stream.path, header, format!("{} {unit}", stream.most)));
    }
    Ok(())
}

fn cut(path: &Path, header: &NiftiHeader, found: String) -> FormatError {
    let expected = format!(
        "{} bytes of {} voxels for dim {:?} from byte {}",
        header.voxel_bytes,
        header.datatype.name(),
        header.dims,
        header.first_voxel
    );
    Problem::truncated(expected, found).at(path, None)
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
