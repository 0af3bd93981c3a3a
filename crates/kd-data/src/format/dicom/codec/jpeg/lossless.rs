//! Lossless JPEG: each sample by its difference from a prediction (ITU-T T.81, annex H).

use super::super::super::super::error::Problem;
use super::entropy::{Bits, Huffman};

/// What a lossless scan's header says.
pub(super) struct Scan<'a> {
    /// Which component of the image, and its codes.
    pub(super) components: Vec<(usize, &'a Huffman)>,
    /// 1 to 7.
    pub(super) predictor: u8,
    /// Bits by which samples were shifted down.
    pub(super) point_transform: u8,
    /// Samples of a component between two restart markers, 0 for none.
    pub(super) restart_every: usize,
}

/// Decodes one scan into `pixels`, whose `n_components` samples of a pixel lie together.
pub(super) fn scan(
    bits: &mut Bits<'_>,
    scan: &Scan<'_>,
    pixels: &mut [u32],
    (columns, n_components): (usize, usize),
    precision: u8,
) -> Result<(), Problem> {
    if !(1..=7).contains(&scan.predictor) || scan.point_transform >= precision {
        let expected = format!("a JPEG predictor from 1 to 7 and a shift below {precision}");
        return Err(Problem::new(expected, format!("{} and {}", scan.predictor, scan.point_transform)));
    }
    let shift = u32::from(scan.point_transform);
    let start = 1i32 << (precision - scan.point_transform - 1);
    // A restart begins a line like the first one: only the sample to the left predicts.
    let mut first_line_ends = columns;
    for pixel in 0..pixels.len() / n_components {
        let mut fresh = pixel == 0;
        if scan.restart_every > 0 && pixel > 0 && pixel.is_multiple_of(scan.restart_every) {
            bits.restart()?;
            fresh = true;
            first_line_ends = pixel + columns;
        }
        for &(component, table) in &scan.components {
            let at = |pixel: usize| (pixels[pixel * n_components + component] >> shift).cast_signed();
            let begins_line = pixel.is_multiple_of(columns);
            let prediction = if fresh {
                start
            } else if pixel < first_line_ends {
                at(pixel - 1)
            } else if begins_line {
                at(pixel - columns)
            } else {
                let (left, above, corner) = (at(pixel - 1), at(pixel - columns), at(pixel - columns - 1));
                match scan.predictor {
                    1 => left,
                    2 => above,
                    3 => corner,
                    4 => left + above - corner,
                    5 => left + ((above - corner) >> 1),
                    6 => above + ((left - corner) >> 1),
                    _ => (left + above) >> 1,
                }
            };
            let difference = match bits.symbol(table)? {
                16 => 32768,
                category @ 0..=15 => bits.signed(category)?,
                category => {
                    return Err(Problem::truncated("JPEG differences of at most 16 bits", category.to_string()));
                }
            };
            // H.1.2.1: modulo 2^16.
            let value = (prediction + difference).cast_unsigned() & 0xFFFF;
            pixels[pixel * n_components + component] = (value << shift) & 0xFFFF;
        }
    }
    Ok(())
}
