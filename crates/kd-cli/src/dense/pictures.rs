//! Slices as pictures: grey, and grey with classes in colour.

use anyhow::Result;
use kd_data::format::{gray8_png, rgb8_png};
use kd_image::{Image, LabelMap};
use kd_report::{ErrorImage, Panel};

/// Colours of the first classes, for people who see them differently too (Okabe and Ito 2008); later ones begin anew.
const COLOURS: [[f64; 3]; 7] = [
    [230.0, 159.0, 0.0],
    [86.0, 180.0, 233.0],
    [0.0, 158.0, 115.0],
    [240.0, 228.0, 66.0],
    [213.0, 94.0, 0.0],
    [204.0, 121.0, 167.0],
    [0.0, 114.0, 178.0],
];
/// How much of a coloured pixel is its colour.
const OPAQUE: f64 = 0.45;

/// The values of one slice of an image's first channel.
pub(crate) fn slice(image: &Image<3>, n: usize) -> &[f32] {
    let [_, height, width] = image.geometry().shape();
    &image.channel(0)[n * height * width..(n + 1) * height * width]
}

/// The labels of one slice.
pub(crate) fn slice_of_labels(labels: &LabelMap<3>, n: usize) -> &[u16] {
    let [_, height, width] = labels.geometry().shape();
    &labels.labels()[n * height * width..(n + 1) * height * width]
}

/// Half a percent of the values lies below the first number, and half a percent above the second.
pub(crate) fn range(values: &[f32]) -> [f32; 2] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    [at(0.005), at(0.995)]
}

fn byte(value: f32, [low, high]: [f32; 2]) -> f64 {
    let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
    f64::from(((value - low) * scale).clamp(0.0, 255.0))
}

/// A grey picture of values within a range.
pub(crate) fn grey(label: &str, values: &[f32], shape: [usize; 2], range: [f32; 2]) -> Result<Panel> {
    let pixels: Vec<u8> = values.iter().map(|&value| byte(value, range).round() as u8).collect();
    Ok(panel(label, &gray8_png(shape, &pixels)?))
}

/// The same with classes in colour over it.
pub(crate) fn coloured(
    label: &str,
    (values, labels): (&[f32], &[u16]),
    shape: [usize; 2],
    range: [f32; 2],
) -> Result<Panel> {
    let pixel = |(&value, &class): (&f32, &u16)| {
        let grey = byte(value, range);
        let colour = COLOURS[usize::from(class.max(1) - 1) % COLOURS.len()];
        let part = if class == 0 || class == kd_image::IGNORED { 0.0 } else { OPAQUE };
        colour.map(|colour| (grey * (1.0 - part) + colour * part).round() as u8)
    };
    let pixels: Vec<u8> = values.iter().zip(labels).flat_map(pixel).collect();
    Ok(panel(label, &rgb8_png(shape, &pixels)?))
}

fn panel(label: &str, png: &[u8]) -> Panel {
    Panel { label: label.to_owned(), png_base64: ErrorImage::encode(png) }
}
