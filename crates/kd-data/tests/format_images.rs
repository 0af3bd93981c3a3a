//! PNG and JPEG against Pillow, and against damage.

#![cfg(feature = "formats")]

mod damage;

use std::path::{Path, PathBuf};

use kd_data::format::{FileFormat, FormatError, gray8_png, gray16_png, read_raster, rgb8_png, rgb16_png, sniff};
use kd_image::Intensity;
use serde_json::Value;

fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(name)
}

#[test]
fn pictures_read_as_pillow_reads_them() {
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(oracle("pictures.json")).unwrap()).unwrap();
    let files = expected["files"].as_object().unwrap();
    assert_eq!(files.len(), 9);
    for (name, file) in files {
        let image = read_raster(&oracle(name)).unwrap();
        let shape: Vec<u64> = file["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
        let [height, width] = image.geometry().shape();
        assert_eq!([image.channels() as u64, height as u64, width as u64], shape[..], "{name}");
        let bits = u8::try_from(file["bits"].as_u64().unwrap()).unwrap();
        assert_eq!(image.intensity(), Intensity::Stored { bits }, "{name}");
        // PNG is exact; two JPEG decoders may round their inverse transform and color conversion differently.
        let tolerance = if name.ends_with("jpg") { 2.0 } else { 0.0 };
        for (found, expected) in image.values().iter().zip(file["values"].as_array().unwrap()) {
            assert!((f64::from(*found) - expected.as_f64().unwrap()).abs() <= tolerance, "{name}: {found} {expected}");
        }
    }
}

#[test]
fn transparency_is_refused_with_its_place() {
    let text = read_raster(&oracle("transparent.png")).unwrap_err().to_string();
    assert!(text.contains("row 1, column 2") && text.contains("hint: flatten"), "{text}");
}

#[test]
fn other_formats_are_named() {
    let text = read_raster(&oracle("weights.safetensors")).unwrap_err().to_string();
    assert!(text.contains("expected a PNG or JPEG image, found safetensors"), "{text}");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(read_raster(file.path()), Err(FormatError::Empty { .. })));
}

/// Found by fuzzing: a decoder that takes whole colours for granted goes past the end of this one.
#[test]
fn a_palette_that_ends_inside_a_colour_is_refused() {
    let whole = std::fs::read(oracle("palette.png")).unwrap();
    let name = whole.windows(4).position(|bytes| bytes == b"PLTE").unwrap();
    let length = u32::from_be_bytes(whole[name - 4..name].try_into().unwrap());
    for shorter in [1, 2] {
        let kept = name + 4 + (length - shorter) as usize;
        let mut sum = flate2::Crc::new();
        sum.update(&whole[name..kept]);
        let mut bytes = whole[..name - 4].to_vec();
        bytes.extend_from_slice(&(length - shorter).to_be_bytes());
        bytes.extend_from_slice(&whole[name..kept]);
        bytes.extend_from_slice(&sum.sum().to_be_bytes());
        bytes.extend_from_slice(&whole[name + 8 + length as usize..]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("palette.png");
        std::fs::write(&path, bytes).unwrap();
        let text = read_raster(&path).unwrap_err().to_string();
        assert!(text.contains("256 colours of three bytes"), "{text}");
    }
}

/// Found by fuzzing: the decoder makes grey pixels of what no scan holds, 12,000 rows of them from a hundred bytes.
#[test]
fn a_jpeg_whose_bytes_cannot_hold_its_pixels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.jpg");
    for name in ["gray.jpg", "progressive.jpg"] {
        let mut bytes = std::fs::read(oracle(name)).unwrap();
        let frame = bytes.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap();
        // Marker, length and precision stand before rows and columns.
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x2f, 0, 0x25, 0]);
        std::fs::write(&path, bytes).unwrap();
        let text = read_raster(&path).unwrap_err().to_string();
        assert!(text.contains("bytes can hold") && text.contains("9472 × 12032 pixels promised"), "{name}: {text}");
    }
}

/// Found by fuzzing: the decoder goes past the end of a row whose colours are sampled more finely than its brightness.
#[test]
fn a_jpeg_whose_colours_are_finer_than_its_brightness_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("colours.jpg");
    let whole = std::fs::read(oracle("color.jpg")).unwrap();
    let frame = whole.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap();
    for (factors, is_refused) in [([0x22, 0x11, 0x11], false), ([0x11, 0x11, 0x24], true), ([0x21, 0x11, 0x12], true)] {
        let mut bytes = whole.clone();
        // Marker, length, precision, rows, columns and number stand before the components; each begins with its name.
        for (component, factor) in factors.into_iter().enumerate() {
            bytes[frame + 10 + 3 * component + 1] = factor;
        }
        std::fs::write(&path, bytes).unwrap();
        let text = read_raster(&path).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(text.contains("sampled most finely"), is_refused, "{factors:x?}: {text}");
    }
}

#[test]
fn pictures_cut_anywhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["gray16.png", "palette.png", "gray.jpg", "progressive.jpg"] {
        let path = folder.path().join(name);
        let whole = std::fs::copy(oracle(name), &path).unwrap();
        let right = read_raster(&path).unwrap();
        damage::cut(&path, |length| {
            // A PNG without its end chunk holds every pixel; it may pass, unchanged.
            if let Ok(image) = read_raster(&path) {
                assert_eq!(image, right, "{name}, {length} bytes");
                assert!(name.ends_with("png") && whole - length as u64 <= 12, "{name}, {length} bytes");
            }
        });
    }
}

#[test]
fn a_changed_byte_never_panics_and_changes_no_png_pixel() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["gray16.png", "rgb8.png", "gray.jpg", "progressive.jpg"] {
        let path = folder.path().join(name);
        std::fs::copy(oracle(name), &path).unwrap();
        let right = read_raster(&path).unwrap();
        damage::change(&path, &[0x01, 0x80, 0xff], |at, mask| {
            if let Ok(image) = read_raster(&path)
                && name.ends_with("png")
            {
                assert_eq!(image, right, "{name}, byte {at} ^ {mask:#x}");
            }
        });
    }
}

#[test]
fn a_header_that_promises_too_many_pixels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.png");
    // A checksum that fits the lie is part of a good lie.
    for (width, height) in [(60_000u32, 60_000u32), (16_000, 16_000), (0, 5)] {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend_from_slice(&width.to_be_bytes());
        chunk.extend_from_slice(&height.to_be_bytes());
        chunk.extend_from_slice(&[8, 0, 0, 0, 0]);
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
        png.extend_from_slice(&chunk);
        png.extend_from_slice(&crc32(&chunk).to_be_bytes());
        png.extend_from_slice(b"\0\0\0\x0aIDATxxxxxxxxxxxxxx");
        std::fs::write(&path, png).unwrap();
        assert!(read_raster(&path).is_err(), "{width} × {height}");
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn written_pictures_read_back_and_are_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let wide: Vec<u16> = (0..6).map(|v| v * 13_000).collect();
    assert_eq!(gray16_png([2, 3], &wide).unwrap(), gray16_png([2, 3], &wide).unwrap());
    std::fs::write(&path, gray16_png([2, 3], &wide).unwrap()).unwrap();
    assert_eq!(sniff(&path).unwrap(), FileFormat::Png);
    let image = read_raster(&path).unwrap();
    assert_eq!(image.geometry().shape(), [2, 3]);
    assert_eq!(image.values(), wide.iter().map(|&v| f32::from(v)).collect::<Vec<_>>());
    std::fs::write(&path, gray8_png([1, 2], &[3, 250]).unwrap()).unwrap();
    assert_eq!(read_raster(&path).unwrap().values(), [3.0, 250.0]);
    std::fs::write(&path, rgb8_png([1, 2], &[1, 2, 3, 4, 5, 6]).unwrap()).unwrap();
    assert_eq!(read_raster(&path).unwrap().values(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert!(gray8_png([2, 2], &[0; 3]).is_err() && gray8_png([0, 2], &[]).is_err());
}

#[test]
fn colours_of_16_bits_come_back_in_their_planes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    std::fs::write(&path, rgb16_png([1, 2], &[1, 256, 65_535, 2, 512, 40_000]).unwrap()).unwrap();
    let image = read_raster(&path).unwrap();
    assert_eq!(image.values(), [1.0, 2.0, 256.0, 512.0, 65_535.0, 40_000.0]);
    assert_eq!(image.intensity(), Intensity::Stored { bits: 16 });
    assert!(rgb16_png([1, 2], &[1; 5]).is_err());
}
