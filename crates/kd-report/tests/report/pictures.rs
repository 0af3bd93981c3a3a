//! Small drawings in place of radiographs, so that a page with error images can be tested and looked at.

use crate::example::wobble;
use kd_report::{ErrorImage, RunRecord};

/// Ten small drawings in place of radiographs.
pub(crate) fn errors(record: &RunRecord) -> Vec<ErrorImage> {
    let classes = &record.dataset.classes;
    (1..=10_u32)
        .map(|number| {
            let truth = number as usize % classes.len();
            ErrorImage {
                number,
                student: record.students[0].name.clone(),
                arm: "distilled".to_owned(),
                truth: classes[truth].clone(),
                predicted: classes[(truth + 1) % classes.len()].clone(),
                confidence: 1.0 - f64::from(number) * 0.007,
                png_base64: ErrorImage::encode(&drawing(number)),
            }
        })
        .collect()
}

/// A gray PNG of 56 by 56 pixels: two dark lungs and a bright spot, stored without compression.
fn drawing(number: u32) -> Vec<u8> {
    let side = 56_u32;
    let bump =
        |x: f64, y: f64, cx: f64, cy: f64, rx: f64, ry: f64| (-((x - cx) / rx).powi(2) - ((y - cy) / ry).powi(2)).exp();
    let mut rows = Vec::new();
    for y in 0..side {
        rows.push(0);
        for x in 0..side {
            let (u, v) = (f64::from(x) / 56.0, f64::from(y) / 56.0);
            let lungs = bump(u, v, 0.3, 0.48, 0.15, 0.3) + bump(u, v, 0.7, 0.48, 0.15, 0.3);
            let spot = bump(u, v, 0.25 + f64::from(number % 5) * 0.1, 0.35 + f64::from(number % 3) * 0.12, 0.06, 0.06);
            rows.push(
                (190.0 - 130.0 * lungs + 70.0 * spot + 8.0 * wobble(u64::from(x), u64::from(y))).clamp(0.0, 255.0)
                    as u8,
            );
        }
    }
    let length = u16::try_from(rows.len()).unwrap();
    let adler = rows
        .iter()
        .fold((1_u32, 0_u32), |(a, b), byte| ((a + u32::from(*byte)) % 65_521, (b + a + u32::from(*byte)) % 65_521));
    let mut packed = vec![0x78, 0x01, 1];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(rows);
    packed.extend((adler.1 << 16 | adler.0).to_be_bytes());
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&side.to_be_bytes()[..], &side.to_be_bytes()[..], &[8, 0, 0, 0, 0]].concat();
    for (kind, body) in [(b"IHDR", header), (b"IDAT", packed), (b"IEND", Vec::new())] {
        let checked = [&kind[..], &body].concat();
        let crc = checked.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
        });
        png.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        png.extend(checked);
        png.extend((!crc).to_be_bytes());
    }
    png
}
