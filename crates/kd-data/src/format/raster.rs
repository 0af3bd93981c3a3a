//! PNG and JPEG: pixels as they were stored, with their bit depth; no colour management, no gamma.
//!
//! A stored 8-bit grey stays 0 to 255 here. What a number means is decided by the preparation, not by a reader.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, Limits};
use kd_image::{Geometry, Image, Intensity};

use super::error::Problem;
use super::{FileFormat, FormatError, read_bytes, sniff};
use crate::store::StoreError;

/// Pixels along one axis; no radiograph or slide thumbnail is larger.
const LARGEST_SIDE: u32 = 16_384;
/// Bytes of decoded pixels.
const LARGEST_IMAGE: u64 = 512 << 20;
/// Deflate cannot shrink by more than about 1032 to 1.
const DEFLATE_LIMIT: u64 = 1100;
/// Each block of 8 × 8 pixels of a JPEG takes one bit at least, that of its mean.
const JPEG_PIXELS_PER_BYTE: u64 = 8 * 8 * 8;

/// Reads a PNG or JPEG, told apart by content.
///
/// # Shapes
/// Grey gives one channel, colour three (red, green, blue); `[channel, height, width]`, spacing unknown.
///
/// # Policy
/// Values are the stored ones as `f32`, [`Intensity::Stored`] with 8 or 16 bits; 1-, 2- and 4-bit grey is spread to 8
/// bits, a palette becomes its colours. An alpha channel is dropped when every pixel is opaque and refused otherwise. A
/// four-colour JPEG becomes RGB. An Exif orientation is applied. An animation is refused.
///
/// # Errors
/// [`FormatError`] for other formats (named), cut-off or damaged files, transparency, and sizes beyond 16384 on a side
/// or 512 MiB.
pub fn read_raster(path: &Path) -> Result<Image<2>, FormatError> {
    const EXPECTED: &str = "a PNG or JPEG image";
    let format = sniff(path)?;
    if !matches!(format, FileFormat::Png | FileFormat::Jpeg) {
        return Err(format.refused(EXPECTED).at(path, None));
    }
    let bytes = read_bytes(path, EXPECTED)?;
    let pixels = match format {
        FileFormat::Png => png(&bytes),
        _ => jpeg(&bytes),
    };
    pixels.and_then(to_image).map_err(|problem| problem.at(path, None))
}

fn broken(error: &ImageError) -> Problem {
    Problem::truncated("a whole image", error.to_string())
}

fn png(bytes: &[u8]) -> Result<DynamicImage, Problem> {
    check_palette(bytes)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST_IMAGE);
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits).map_err(|error| broken(&error))?;
    if decoder.is_apng().map_err(|error| broken(&error))? {
        return Err(Problem::new("one picture", "an animation").hint("save its frames as files of their own"));
    }
    check_size(&decoder)?;
    if decoder.total_bytes() > (bytes.len() as u64).saturating_mul(DEFLATE_LIMIT) {
        let expected = format!("pixels that {} bytes can hold", bytes.len());
        return Err(Problem::truncated(expected, format!("{} bytes of pixels promised", decoder.total_bytes())));
    }
    decode(decoder)
}

/// A palette holds whole colours of three bytes: the decoder takes that for granted, and goes past the end of others.
fn check_palette(bytes: &[u8]) -> Result<(), Problem> {
    let mut at = 8;
    while let Some(&[a, b, c, d, ref kind @ ..]) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        match kind {
            b"IDAT" => break,
            b"PLTE" if !length.is_multiple_of(3) || length > 3 * 256 => {
                return Err(Problem::new("a palette of at most 256 colours of three bytes", format!("{length} bytes")));
            }
            // Length and name in front, a checksum behind.
            _ => at = at.saturating_add(length).saturating_add(12),
        }
    }
    Ok(())
}

fn jpeg(bytes: &[u8]) -> Result<DynamicImage, Problem> {
    check_segments(bytes)?;
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    check_size(&decoder)?;
    // It fills what the last scan lacks, too.
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > bytes.len() as u64 * JPEG_PIXELS_PER_BYTE {
        let expected = format!("pixels that {} bytes can hold", bytes.len());
        return Err(Problem::truncated(expected, format!("{width} × {height} pixels promised")));
    }
    decode(decoder)
}

fn check_size(decoder: &impl ImageDecoder) -> Result<(), Problem> {
    let (width, height) = decoder.dimensions();
    if width > LARGEST_SIDE || height > LARGEST_SIDE || decoder.total_bytes() > LARGEST_IMAGE {
        let expected = format!("at most {LARGEST_SIDE} pixels on a side and {LARGEST_IMAGE} bytes");
        return Err(Problem::new(expected, format!("{width} × {height} pixels")));
    }
    Ok(())
}

fn decode(mut decoder: impl ImageDecoder) -> Result<DynamicImage, Problem> {
    let orientation = decoder.orientation().map_err(|error| broken(&error))?;
    let mut pixels = DynamicImage::from_decoder(decoder).map_err(|error| broken(&error))?;
    pixels.apply_orientation(orientation);
    Ok(pixels)
}

/// Walks the segments of a JPEG and the entropy-coded data up to the end marker: the decoder fills what is missing with
/// grey and says nothing.
fn check_segments(bytes: &[u8]) -> Result<(), Problem> {
    let cut = || Problem::truncated("a whole JPEG image", format!("no end marker within {} bytes", bytes.len()));
    let mut at = 2;
    loop {
        let Some(&[0xff, marker]) = bytes.get(at..at + 2) else { return Err(cut()) };
        match marker {
            0xff => at += 1,
            0xd9 => return Ok(()),
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return Err(cut()) };
                let end = at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
                if matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) {
                    check_sampling(bytes.get(at + 4..end).ok_or_else(cut)?)?;
                }
                at = end;
                if marker == 0xda {
                    // A data byte 0xff is followed by 0; restart markers stand inside of the data.
                    let data = bytes.get(at..).unwrap_or_default();
                    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
                    at += data.windows(2).position(is_marker).ok_or_else(cut)?;
                }
            }
        }
    }
}

/// The decoder takes for granted that the first component of a frame is sampled most finely, and that the others divide
/// it: it panics at others.
fn check_sampling(frame: &[u8]) -> Result<(), Problem> {
    // Bits, height, width and the number of components in front; then three bytes of each.
    let components = frame.get(6..).unwrap_or_default().chunks_exact(3);
    let factors: Vec<[u8; 2]> = components.map(|component| [component[1] >> 4, component[1] & 15]).collect();
    let Some((finest, others)) = factors.split_first() else { return Ok(()) };
    if others.iter().all(|other| other.iter().zip(finest).all(|(other, finest)| finest.is_multiple_of(*other))) {
        return Ok(());
    }
    let expected = "a JPEG whose first component is sampled most finely, by a multiple of the others";
    let shown: Vec<String> = factors.iter().map(|[across, down]| format!("{across} × {down}")).collect();
    Err(Problem::new(expected, format!("factors {}", shown.join(", "))).hint("save it as PNG with another program"))
}

fn to_image(pixels: DynamicImage) -> Result<Image<2>, Problem> {
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let (values, stored, bits): (Vec<f32>, usize, u8) = match pixels {
        DynamicImage::ImageLuma8(p) => (p.into_raw().into_iter().map(f32::from).collect(), 1, 8),
        DynamicImage::ImageLumaA8(p) => (p.into_raw().into_iter().map(f32::from).collect(), 2, 8),
        DynamicImage::ImageRgb8(p) => (p.into_raw().into_iter().map(f32::from).collect(), 3, 8),
        DynamicImage::ImageRgba8(p) => (p.into_raw().into_iter().map(f32::from).collect(), 4, 8),
        DynamicImage::ImageLuma16(p) => (p.into_raw().into_iter().map(f32::from).collect(), 1, 16),
        DynamicImage::ImageLumaA16(p) => (p.into_raw().into_iter().map(f32::from).collect(), 2, 16),
        DynamicImage::ImageRgb16(p) => (p.into_raw().into_iter().map(f32::from).collect(), 3, 16),
        DynamicImage::ImageRgba16(p) => (p.into_raw().into_iter().map(f32::from).collect(), 4, 16),
        other => return Err(Problem::new("8 or 16 bits a channel", format!("{:?}", other.color()))),
    };
    let channels = if stored > 2 { 3 } else { 1 };
    if stored != channels {
        let opaque = if bits == 8 { 255.0 } else { 65_535.0 };
        if let Some(pixel) = values.chunks_exact(stored).position(|pixel| pixel[stored - 1] < opaque) {
            let place = format!("alpha below opaque at row {}, column {}", pixel / width, pixel % width);
            return Err(Problem::new("an image without transparency", place)
                .hint("flatten it on a background of your choice first; what lies behind it is unknown here"));
        }
    }
    // From one pixel after the other to one channel after the other.
    let planes = (0..channels).flat_map(|channel| values.iter().skip(channel).step_by(stored).copied()).collect();
    let geometry = Geometry::without_spacing([height, width])
        .map_err(|error| Problem::new("at least one pixel", error.to_string()))?;
    Image::new(channels, geometry, Intensity::Stored { bits }, planes)
        .map_err(|error| Problem::new("pixels", error.to_string()))
}

/// The bytes of an 8-bit grey PNG of `[height, width]` pixels.
///
/// # Errors
/// [`StoreError::Request`] when the number of pixels is not height × width or a side is 0.
pub fn gray8_png(shape: [usize; 2], pixels: &[u8]) -> Result<Vec<u8>, StoreError> {
    encode(shape, 1, pixels.len(), pixels, ExtendedColorType::L8)
}

/// The bytes of an 8-bit RGB PNG; `pixels` holds red, green, blue of each pixel in turn.
///
/// # Errors
/// As [`gray8_png`].
pub fn rgb8_png(shape: [usize; 2], pixels: &[u8]) -> Result<Vec<u8>, StoreError> {
    encode(shape, 3, pixels.len(), pixels, ExtendedColorType::Rgb8)
}

/// The bytes of a 16-bit grey PNG of `[height, width]` pixels; equal pixels give equal bytes.
///
/// # Errors
/// As [`gray8_png`].
///
/// # Example
/// ```
/// use kd_data::format::{gray16_png, read_raster};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.png");
/// std::fs::write(&path, gray16_png([1, 2], &[7, 65_535])?)?;
/// assert_eq!(read_raster(&path)?.values(), [7.0, 65_535.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn gray16_png(shape: [usize; 2], pixels: &[u16]) -> Result<Vec<u8>, StoreError> {
    // The encoder takes 16-bit samples in the machine's order and swaps them itself.
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
    encode(shape, 1, pixels.len(), &bytes, ExtendedColorType::L16)
}

/// The bytes of a 16-bit RGB PNG; `pixels` holds red, green, blue of each pixel in turn.
///
/// # Errors
/// As [`gray8_png`].
pub fn rgb16_png(shape: [usize; 2], pixels: &[u16]) -> Result<Vec<u8>, StoreError> {
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
    encode(shape, 3, pixels.len(), &bytes, ExtendedColorType::Rgb16)
}

fn encode(
    shape: [usize; 2],
    channels: usize,
    found: usize,
    bytes: &[u8],
    color: ExtendedColorType,
) -> Result<Vec<u8>, StoreError> {
    let refused = |expected: String| StoreError::Request {
        what: format!("pixels of an image of {} × {}", shape[0], shape[1]),
        expected,
        found: found.to_string(),
    };
    let side = |points: usize| u32::try_from(points).ok().filter(|&side| (1..=LARGEST_SIDE).contains(&side));
    let (Some(height), Some(width)) = (side(shape[0]), side(shape[1])) else {
        return Err(refused(format!("sides of 1 to {LARGEST_SIDE}")));
    };
    let expected = shape[0] * shape[1] * channels;
    if found != expected {
        return Err(refused(expected.to_string()));
    }
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive)
        .write_image(bytes, width, height, color)
        .map_err(|error| refused(format!("pixels that can be packed ({error})")))?;
    Ok(png)
}
