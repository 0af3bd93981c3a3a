//! Samples of a JPEG-LS scan: predicted, corrected by what a context has learnt, run lengths where it is flat
//! (T.87, annex A).

use super::super::super::super::error::Problem;
use super::super::super::pixel_format::PixelFormat;
use super::bits::Bits;

/// How the components of a scan take turns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interleave {
    /// A line of each; a component alone as well.
    Line,
    /// A sample of each.
    Sample,
}

/// The parameters of a scan (C.2.4.1.1).
pub(super) struct Coding {
    highest: i32,
    near: i32,
    thresholds: [i32; 3],
    reset: i32,
    range: i32,
    /// Bits of a mapped error that is written out.
    escape_bits: u32,
    limit: u32,
    interleave: Interleave,
}

/// Bits of a run's length, by how well runs went (A.2.1).
const RUN_BITS: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn bits_for(count: i32) -> u32 {
    (count - 1).max(0).cast_unsigned().checked_ilog2().map_or(0, |log| log + 1)
}

impl Coding {
    pub(super) fn new(precision: u8, presets: [u16; 5], near: u8, interleave: Interleave) -> Result<Self, Problem> {
        let [highest, preset @ .., reset] = presets.map(i32::from);
        let highest = if highest == 0 { (1 << precision) - 1 } else { highest };
        let near = i32::from(near);
        if highest >= 1 << precision || near > highest / 2 {
            let expected = format!("JPEG-LS samples of {precision} bits, and an error of at most half of them");
            return Err(Problem::new(expected, format!("{highest} and {near}")));
        }
        let clamped = |value: i32, low: i32| if value > highest || value < low { low } else { value };
        let bases = [(3, 2, 3), (7, 3, 5), (21, 4, 7)];
        let mut thresholds = [0; 3];
        let mut low = near + 1;
        for (index, (base, least, nears)) in bases.into_iter().enumerate() {
            let default = if highest >= 128 {
                let factor = (highest.min(4095) + 128) / 256;
                factor * (base - least) + least + nears * near
            } else {
                let factor = 256 / (highest + 1);
                (base / factor + nears * near).max(least)
            };
            thresholds[index] = if preset[index] == 0 { clamped(default, low) } else { preset[index] };
            if thresholds[index] < low || thresholds[index] > highest.max(low) {
                return Err(Problem::new("rising JPEG-LS thresholds", format!("{:?}", &thresholds[..=index])));
            }
            low = thresholds[index];
        }
        let reset = if reset == 0 { 64 } else { reset };
        if reset < 3 {
            return Err(Problem::new("a JPEG-LS reset interval from 3", reset.to_string()));
        }
        let range = (highest + 2 * near) / (2 * near + 1) + 1;
        let bits = bits_for(highest + 1).max(2);
        Ok(Self {
            highest,
            near,
            thresholds,
            reset,
            range,
            escape_bits: bits_for(range),
            limit: 2 * (bits + bits.max(8)),
            interleave,
        })
    }

    fn quantised(&self, gradient: i32) -> i32 {
        let size = gradient.abs();
        let level = if size <= self.near {
            0
        } else {
            1 + self.thresholds.iter().filter(|&&threshold| size >= threshold).count()
        };
        i32::try_from(level).unwrap_or_default() * gradient.signum()
    }

    /// The sample that lies an error away from its prediction, brought back into the range (A.4.5).
    fn sample(&self, prediction: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut sample = prediction + error * step;
        if sample < -self.near {
            sample += self.range * step;
        } else if sample > self.highest + self.near {
            sample -= self.range * step;
        }
        sample.clamp(0, self.highest)
    }
}

/// What has been learnt of errors in one surrounding.
#[derive(Clone, Copy)]
struct Context {
    /// Sum of sizes.
    size: i32,
    /// Sum of errors, or how many were negative where a run ended.
    bias: i32,
    correction: i32,
    count: i32,
}

impl Context {
    /// The Golomb parameter for errors whose sizes sum up to `size` (A.5.1).
    fn parameter(&self, size: i32) -> u32 {
        (0..24).find(|&k| self.count << k >= size).unwrap_or(24)
    }

    fn halve_at(&mut self, reset: i32) {
        if self.count == reset {
            self.size >>= 1;
            self.bias >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
    }
}

/// The samples around one, to the left and above.
#[derive(Clone, Copy)]
struct Around {
    left: i32,
    above: i32,
    corner: i32,
    beyond: i32,
}

struct Decoder<'a, 'b> {
    bits: &'a mut Bits<'b>,
    coding: &'a Coding,
    contexts: Vec<Context>,
    /// Where a run ended in front of an edge, and inside of a flat region.
    run_ends: [Context; 2],
}

impl Decoder<'_, '_> {
    /// The context of a sample and the sign of its gradients (A.3).
    fn place(&self, around: &Around) -> (usize, i32) {
        let gradients = [around.beyond - around.above, around.above - around.corner, around.corner - around.left];
        let place = gradients.iter().fold(0, |place, &gradient| place * 9 + self.coding.quantised(gradient));
        (place.unsigned_abs() as usize, if place < 0 { -1 } else { 1 })
    }

    /// A sample that is no part of a run (A.4 to A.6).
    fn regular(&mut self, around: &Around, (place, sign): (usize, i32)) -> Result<i32, Problem> {
        let coding = self.coding;
        let (low, high) = (around.left.min(around.above), around.left.max(around.above));
        let edge = match around.corner {
            corner if corner >= high => low,
            corner if corner <= low => high,
            corner => around.left + around.above - corner,
        };
        let context = &mut self.contexts[place];
        let prediction = (edge + sign * context.correction).clamp(0, coding.highest);
        let k = context.parameter(context.size);
        let mapped = self.bits.golomb(k, coding.limit, coding.escape_bits)?;
        let turned = coding.near == 0 && k == 0 && 2 * context.bias <= -context.count;
        let error = match (mapped & 1 == 1, turned) {
            (false, false) => mapped >> 1,
            (true, false) => -(mapped >> 1) - 1,
            (true, true) => mapped >> 1,
            (false, true) => -(mapped >> 1) - 1,
        };
        if error.abs() > coding.range {
            return Err(Problem::truncated("a JPEG-LS error within the range of samples", "a larger one"));
        }
        context.bias += error * (2 * coding.near + 1);
        context.size += error.abs();
        context.halve_at(coding.reset);
        if context.bias <= -context.count {
            context.bias = (context.bias + context.count).max(1 - context.count);
            context.correction = (context.correction - 1).max(-128);
        } else if context.bias > 0 {
            context.bias = (context.bias - context.count).min(0);
            context.correction = (context.correction + 1).min(127);
        }
        Ok(coding.sample(prediction, sign * error))
    }

    /// How many samples of `left` a run goes on for, and whether it stops before the end of the line (A.7.1).
    fn run(&mut self, left: usize, index: &mut usize) -> Result<usize, Problem> {
        let mut length = 0;
        while self.bits.number(1)? == 1 {
            let piece = (1usize << RUN_BITS[*index]).min(left - length);
            // A piece that the end of the line cuts off teaches nothing.
            if piece == 1 << RUN_BITS[*index] {
                *index = (*index + 1).min(31);
            }
            length += piece;
            if length == left {
                return Ok(left);
            }
        }
        length += self.bits.number(RUN_BITS[*index])? as usize;
        if length >= left {
            return Err(Problem::truncated("a JPEG-LS run within its line", "a longer one"));
        }
        Ok(length)
    }

    /// The sample that ends a run (A.7.2); `flat` where it continues what is to its left.
    fn run_end(&mut self, left: i32, above: i32, flat: bool, index: usize) -> Result<i32, Problem> {
        let coding = self.coding;
        let context = &mut self.run_ends[usize::from(flat)];
        let inside = i32::from(flat);
        let k = context.parameter(context.size + if flat { context.count >> 1 } else { 0 });
        let limit = coding.limit - RUN_BITS[index] - 1;
        let mapped = self.bits.golomb(k, limit, coding.escape_bits)?;
        let doubled = mapped.saturating_add(inside);
        let odd = doubled & 1 == 1;
        let size = (doubled >> 1) + i32::from(odd);
        if size > coding.range {
            return Err(Problem::truncated("a JPEG-LS error within the range of samples", "a larger one"));
        }
        let negative = (k != 0 || 2 * context.bias >= context.count) == odd;
        let error = if negative { -size } else { size };
        context.bias += i32::from(error < 0);
        context.size += (mapped + 1 - inside) >> 1;
        context.halve_at(coding.reset);
        if flat {
            return Ok(coding.sample(left, error));
        }
        Ok(coding.sample(above, if above < left { -error } else { error }))
    }

    /// One line of one component; `line[0]` and `above[0]` lie to the left of the image, a last one to its right.
    fn line(&mut self, line: &mut [i32], above: &[i32], run_index: &mut usize) -> Result<(), Problem> {
        let columns = line.len() - 2;
        let mut column = 1;
        while column <= columns {
            let around = around(line, above, column);
            let place = self.place(&around);
            if place.0 != 0 {
                line[column] = self.regular(&around, place)?;
                column += 1;
                continue;
            }
            let length = self.run(columns - column + 1, run_index)?;
            line[column..column + length].fill(around.left);
            column += length;
            if column <= columns {
                let flat = (around.left - above[column]).abs() <= self.coding.near;
                line[column] = self.run_end(around.left, above[column], flat, *run_index)?;
                *run_index = run_index.saturating_sub(1);
                column += 1;
            }
        }
        Ok(())
    }

    /// One line of all components, sample by sample.
    fn line_by_sample(
        &mut self,
        lines: &mut [Vec<i32>],
        above: &[Vec<i32>],
        run_index: &mut usize,
    ) -> Result<(), Problem> {
        let columns = lines[0].len() - 2;
        let mut column = 1;
        while column <= columns {
            let places: Vec<_> = lines.iter().zip(above).map(|(line, above)| around(line, above, column)).collect();
            let contexts: Vec<_> = places.iter().map(|around| self.place(around)).collect();
            if contexts.iter().any(|context| context.0 != 0) {
                for (component, (around, context)) in places.iter().zip(contexts).enumerate() {
                    lines[component][column] = self.regular(around, context)?;
                }
                column += 1;
                continue;
            }
            let length = self.run(columns - column + 1, run_index)?;
            for (line, around) in lines.iter_mut().zip(&places) {
                line[column..column + length].fill(around.left);
            }
            column += length;
            if column <= columns {
                for (component, around) in places.iter().enumerate() {
                    let above = above[component][column];
                    lines[component][column] = self.run_end(around.left, above, false, *run_index)?;
                }
                *run_index = run_index.saturating_sub(1);
                column += 1;
            }
        }
        Ok(())
    }
}

fn around(line: &[i32], above: &[i32], column: usize) -> Around {
    Around { left: line[column - 1], above: above[column], corner: above[column - 1], beyond: above[column + 1] }
}

/// Decodes one scan into `samples`, those of a pixel together.
pub(super) fn decode(
    bits: &mut Bits<'_>,
    coding: &Coding,
    components: &[usize],
    samples: &mut [u32],
    format: &PixelFormat,
) -> Result<(), Problem> {
    let fresh = Context { size: ((coding.range + 32) / 64).max(2), bias: 0, correction: 0, count: 1 };
    let mut decoder = Decoder { bits, coding, contexts: vec![fresh; 9 * 9 * 9 / 2 + 1], run_ends: [fresh; 2] };
    let columns = format.columns;
    let mut above = vec![vec![0; columns + 2]; components.len()];
    let mut lines = above.clone();
    let mut run_indices = vec![0; components.len()];
    for row in 0..format.rows {
        for (line, above) in lines.iter_mut().zip(&mut above) {
            line[0] = above[1];
            above[columns + 1] = above[columns];
        }
        if coding.interleave == Interleave::Sample {
            decoder.line_by_sample(&mut lines, &above, &mut run_indices[0])?;
        } else {
            for ((line, above), run_index) in lines.iter_mut().zip(&above).zip(&mut run_indices) {
                decoder.line(line, above, run_index)?;
            }
        }
        for (line, &component) in lines.iter().zip(components) {
            let start = row * columns * format.samples + component;
            let into = samples[start..].iter_mut().step_by(format.samples);
            into.zip(&line[1..=columns]).for_each(|(sample, value)| *sample = value.cast_unsigned());
        }
        std::mem::swap(&mut lines, &mut above);
    }
    Ok(())
}
