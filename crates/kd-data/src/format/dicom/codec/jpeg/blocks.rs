//! Sequential JPEG of 8 and 12 bits: coefficients of 8 × 8 blocks, their inverse cosine transform, and planes brought to
//! the size of the image (ITU-T T.81, annexes A and F).

use super::super::super::super::error::Problem;
use super::entropy::{Bits, Huffman};

/// Row and column of the coefficients, in the order of the stream (figure A.6).
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// One component's samples, on a grid of whole blocks.
pub(super) struct Plane {
    /// Blocks of an interleaved scan's unit, across and down.
    pub(super) sampling: (usize, usize),
    /// Samples in a row, a multiple of 8.
    stride: usize,
    /// Samples that the image uses.
    used: (usize, usize),
    samples: Vec<u16>,
}

/// What one scan needs of a component.
pub(super) struct Source<'a> {
    pub(super) plane: usize,
    pub(super) quantisation: &'a [u16; 64],
    pub(super) dc: &'a Huffman,
    pub(super) ac: &'a Huffman,
}

/// Planes for components of these sampling factors; `columns` and `rows` are those of the image.
pub(super) fn planes(sampling: &[(usize, usize)], columns: usize, rows: usize) -> Vec<Plane> {
    let (across, down) = largest(sampling.iter().copied());
    let units = (columns.div_ceil(8 * across), rows.div_ceil(8 * down));
    let plane = |&(h, v): &(usize, usize)| {
        let stride = units.0 * h * 8;
        let used = ((columns * h).div_ceil(across), (rows * v).div_ceil(down));
        Plane { sampling: (h, v), stride, used, samples: vec![0; stride * units.1 * v * 8] }
    };
    sampling.iter().map(plane).collect()
}

fn largest(sampling: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    sampling.fold((1, 1), |(across, down), (h, v)| (across.max(h), down.max(v)))
}

/// Decodes one scan into its planes.
pub(super) fn scan(
    bits: &mut Bits<'_>,
    sources: &[Source<'_>],
    planes: &mut [Plane],
    precision: u8,
    restart_every: usize,
) -> Result<(), Problem> {
    let alone = sources.len() == 1;
    // A component alone in its scan comes block by block, without those that only fill up a unit.
    let (units_across, units_down) = match sources {
        [only] => {
            let (width, height) = planes[only.plane].used;
            (width.div_ceil(8), height.div_ceil(8))
        }
        _ => {
            let plane = &planes[sources[0].plane];
            let height = plane.samples.len() / plane.stride.max(1);
            (plane.stride / 8 / plane.sampling.0, height / 8 / plane.sampling.1)
        }
    };
    let mut predictions = vec![0i32; sources.len()];
    for unit in 0..units_across * units_down {
        if restart_every > 0 && unit > 0 && unit.is_multiple_of(restart_every) {
            bits.restart()?;
            predictions.fill(0);
        }
        for (source, prediction) in sources.iter().zip(&mut predictions) {
            let plane = &mut planes[source.plane];
            let (h, v) = if alone { (1, 1) } else { plane.sampling };
            for part in 0..h * v {
                let column = (unit % units_across * h + part % h) * 8;
                let row = (unit / units_across * v + part / h) * 8;
                let mut block = coefficients(bits, source, prediction)?;
                inverse_transform(&mut block);
                store(&block, precision, &mut plane.samples[row * plane.stride + column..], plane.stride);
            }
        }
    }
    Ok(())
}

fn coefficients(bits: &mut Bits<'_>, source: &Source<'_>, prediction: &mut i32) -> Result<[f32; 64], Problem> {
    let mut block = [0.0; 64];
    #[allow(clippy::cast_precision_loss)] // at most 15 bits times 16
    let scaled = |value: i32, index: usize| value as f32 * f32::from(source.quantisation[index]);
    let category = bits.symbol(source.dc)?;
    if category > 15 {
        return Err(Problem::truncated("JPEG differences of at most 15 bits", category.to_string()));
    }
    *prediction = prediction.wrapping_add(bits.signed(category)?);
    block[0] = scaled(*prediction, 0);
    let mut index = 1;
    while index < 64 {
        let symbol = bits.symbol(source.ac)?;
        let (run, size) = (usize::from(symbol >> 4), symbol & 15);
        match (run, size) {
            (15, 0) => index += 16,
            (_, 0) => break,
            _ => {
                index += run;
                let value = bits.signed(size)?;
                let place =
                    ZIGZAG.get(index).ok_or_else(|| Problem::truncated("64 coefficients in a JPEG block", "more"))?;
                block[usize::from(*place)] = scaled(value, index);
                index += 1;
            }
        }
    }
    Ok(block)
}

/// The inverse cosine transform, times 8: rows, then columns.
///
/// # Source
/// Loeffler, Ligtenberg, Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP 1989.
fn inverse_transform(block: &mut [f32; 64]) {
    for row in block.as_chunks_mut::<8>().0 {
        *row = eight(*row);
    }
    for column in 0..8 {
        let values = eight(std::array::from_fn(|row| block[row * 8 + column]));
        for (row, value) in values.into_iter().enumerate() {
            block[row * 8 + column] = value;
        }
    }
}

/// One dimension, times √8.
fn eight(s: [f32; 8]) -> [f32; 8] {
    let turned = (s[2] + s[6]) * 0.541_196_1;
    let (low, high) = (turned - s[6] * 1.847_759_1, turned + s[2] * 0.765_366_86);
    let (sum, difference) = (s[0] + s[4], s[0] - s[4]);
    let even = [sum + high, difference + low, difference - low, sum - high];

    let (z1, z2) = ((s[7] + s[1]) * -0.899_976_2, (s[5] + s[3]) * -2.562_915_5);
    let (z3, z4) = (s[7] + s[3], s[5] + s[1]);
    let z5 = (z3 + z4) * 1.175_875_6;
    let (z3, z4) = (z3 * -1.961_570_5 + z5, z4 * -0.390_180_65 + z5);
    let odd = [
        s[1] * 1.501_321_1 + z1 + z4,
        s[3] * 3.072_711 + z2 + z3,
        s[5] * 2.053_12 + z2 + z4,
        s[7] * 0.298_631_34 + z1 + z3,
    ];
    std::array::from_fn(|i| if i < 4 { even[i] + odd[i] } else { even[7 - i] - odd[7 - i] })
}

fn store(block: &[f32; 64], precision: u8, into: &mut [u16], stride: usize) {
    let middle = f32::from(1u16 << (precision - 1));
    let highest = f32::from(u16::MAX >> (16 - precision));
    for (row, values) in block.as_chunks::<8>().0.iter().enumerate() {
        for (sample, value) in into[row * stride..row * stride + 8].iter_mut().zip(values) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
            let rounded = (value / 8.0 + middle + 0.5).floor().clamp(0.0, highest) as u16;
            *sample = rounded;
        }
    }
}

/// The planes at the size of the image, samples of a pixel together. Smaller planes are spread linearly between the
/// centres of their samples, as JFIF places them.
pub(super) fn interleaved(planes: &[Plane], columns: usize, rows: usize) -> Vec<u32> {
    let (across, down) = largest(planes.iter().map(|plane| plane.sampling));
    let mut pixels = vec![0; columns * rows * planes.len()];
    for (index, plane) in planes.iter().enumerate() {
        let horizontal = Places::of(plane.sampling.0, across, plane.used.0);
        let vertical = Places::of(plane.sampling.1, down, plane.used.1);
        for row in 0..rows {
            let into = pixels[row * columns * planes.len()..].iter_mut().skip(index).step_by(planes.len());
            if plane.sampling == (across, down) {
                let from = &plane.samples[row * plane.stride..];
                into.zip(from).take(columns).for_each(|(pixel, &sample)| *pixel = u32::from(sample));
                continue;
            }
            let (above, below, weight_below) = vertical.at(row);
            for (column, pixel) in into.take(columns).enumerate() {
                let (left, right, weight_right) = horizontal.at(column);
                let line = |row: usize| {
                    let sample = |column: usize| u32::from(plane.samples[row * plane.stride + column]);
                    sample(left) * (horizontal.parts - weight_right) + sample(right) * weight_right
                };
                let parts = horizontal.parts * vertical.parts;
                let sum = line(above) * (vertical.parts - weight_below) + line(below) * weight_below;
                *pixel = (sum + parts / 2) / parts;
            }
        }
    }
    pixels
}

/// Which two samples of a smaller plane lie around a pixel, along one axis.
struct Places {
    /// Sampling factor of the plane, and the largest one.
    own: usize,
    largest: usize,
    last: usize,
    /// What weights are parts of.
    parts: u32,
}

impl Places {
    fn of(own: usize, largest: usize, used: usize) -> Self {
        let parts = u32::try_from(2 * largest).unwrap_or(8);
        Self { own, largest, last: used.saturating_sub(1), parts }
    }

    /// The sample before, the one behind, and the weight of the latter.
    fn at(&self, pixel: usize) -> (usize, usize, u32) {
        // (pixel + ½) · own / largest − ½, in parts of 1 / (2 · largest)
        let place = ((2 * pixel + 1) * self.own).saturating_sub(self.largest);
        let before = (place / (2 * self.largest)).min(self.last);
        let weight = u32::try_from(place % (2 * self.largest)).unwrap_or_default();
        (before, (before + 1).min(self.last), weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_the_sum_of_cosines() {
        // A.3.3, summed as it stands there.
        let coefficients: [f32; 64] = std::array::from_fn(|i| ((i * 37 + 11) % 64) as f32 - 30.0);
        let mut fast = coefficients;
        inverse_transform(&mut fast);
        for (at, value) in fast.iter().enumerate() {
            let (y, x) = ((at / 8) as f64, (at % 8) as f64);
            let term = |k: usize| {
                let (v, u) = ((k / 8) as f64, (k % 8) as f64);
                let scale = |k: f64| if k == 0.0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
                let wave = |place: f64, k: f64| ((2.0 * place + 1.0) * k * std::f64::consts::PI / 16.0).cos();
                scale(u) * scale(v) * f64::from(coefficients[k]) * wave(x, u) * wave(y, v)
            };
            let expected = (0..64).map(term).sum::<f64>() / 4.0;
            assert!((f64::from(*value) / 8.0 - expected).abs() < 1e-4, "{at}: {value} {expected}");
        }
    }

    #[test]
    fn a_half_plane_is_spread_three_quarters_to_one() {
        let places = Places::of(1, 2, 3);
        assert_eq!((0..6).map(|x| places.at(x)).collect::<Vec<_>>()[..4], [(0, 1, 0), (0, 1, 1), (0, 1, 3), (1, 2, 1)]);
        assert_eq!(places.at(5), (2, 2, 1));
    }
}
