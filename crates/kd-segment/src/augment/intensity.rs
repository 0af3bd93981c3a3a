//! What becomes of a view's grey values: coarser sampling, another exponent, contrast and brightness.

use rand_chacha::ChaCha8Rng;

use super::{Augmentation, draw};

/// One draw of all changes.
pub(super) struct Exposure {
    /// Points from one sample to the next, 1 for none lost.
    coarseness: f64,
    exponent: f32,
    contrast: f32,
    brightness: f32,
}

impl Exposure {
    pub(super) fn draw(ranges: &Augmentation, rng: &mut ChaCha8Rng) -> Self {
        let contrast = (1.0 + draw(rng, ranges.contrast)) as f32;
        let brightness = draw(rng, ranges.brightness) as f32;
        // From 0 to the range: there is no finer than the image.
        let coarseness = 1.0 + (draw(rng, ranges.low_resolution) + ranges.low_resolution) / 2.0;
        let exponent = draw(rng, (1.0 + ranges.gamma).ln()).exp() as f32;
        Self { coarseness, exponent, contrast, brightness }
    }

    /// Changes values `[channel, …size]`.
    pub(super) fn apply(&self, values: &mut [f32], size: &[usize]) {
        let [height, width] = [size[size.len() - 2], size[size.len() - 1]];
        if self.coarseness > 1.0 {
            for plane in values.chunks_exact_mut(height * width) {
                coarsen(plane, [height, width], self.coarseness);
            }
        }
        let points: usize = size.iter().product();
        for channel in values.chunks_exact_mut(points) {
            if (self.exponent - 1.0).abs() > f32::EPSILON {
                bend(channel, self.exponent);
            }
            channel.iter_mut().for_each(|value| *value = *value * self.contrast + self.brightness);
        }
    }
}

/// Keeps samples `step` points apart, and what lies linearly between them.
fn coarsen(plane: &mut [f32], [height, width]: [usize; 2], step: f64) {
    let source = plane.to_vec();
    let (rows, columns) = (between(height, step), between(width, step));
    for (row, &(y0, y1, down)) in rows.iter().enumerate() {
        for (column, &(x0, x1, across)) in columns.iter().enumerate() {
            let along = |y: usize| source[y * width + x0] * (1.0 - across) + source[y * width + x1] * across;
            plane[row * width + column] = along(y0) * (1.0 - down) + along(y1) * down;
        }
    }
}

/// For each point of an axis the samples before and behind it, and how far it lies between them.
fn between(points: usize, step: f64) -> Vec<(usize, usize, f32)> {
    let samples = (points as f64 / step).ceil().max(1.0);
    // Samples lie in the middles of stretches of `step` points.
    let of_sample = |sample: f64| (((sample + 0.5) * step - 0.5).round().max(0.0) as usize).min(points - 1);
    (0..points)
        .map(|point| {
            let at = ((point as f64 + 0.5) / step - 0.5).clamp(0.0, samples - 1.0);
            let before = at.floor();
            (of_sample(before), of_sample((before + 1.0).min(samples - 1.0)), (at - before) as f32)
        })
        .collect()
}

/// Raises values, as shares of their range, to a power; the range stays.
fn bend(channel: &mut [f32], exponent: f32) {
    let low = channel.iter().copied().fold(f32::INFINITY, f32::min);
    let range = channel.iter().copied().fold(f32::NEG_INFINITY, f32::max) - low;
    if range > 0.0 {
        channel.iter_mut().for_each(|value| *value = low + range * ((*value - low) / range).powf(exponent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_one_keeps_every_point_and_a_step_of_two_joins_pairs() {
        let source: Vec<f32> = vec![0.0, 4.0, 8.0, 4.0, 1.0, 1.0, 1.0, 1.0];
        let with = |step: f64| {
            let mut plane = source.clone();
            coarsen(&mut plane, [2, 4], step);
            plane
        };
        assert_eq!(with(1.0), source);
        // Samples at points 0.5 and 2.5, rounded away from 0 to 1 and 3, and at row 1.
        assert_eq!(with(2.0), [1.0; 8]);
        let mut ramp: Vec<f32> = (0..12u8).map(f32::from).collect();
        coarsen(&mut ramp, [1, 12], 3.0);
        // Samples 1, 4, 7 and 10 lie on the ramp; only its ends are cut.
        ramp[0] -= 1.0;
        ramp[11] += 1.0;
        assert_eq!(ramp, (0..12u8).map(f32::from).collect::<Vec<_>>());
    }

    #[test]
    fn an_exponent_bends_the_middle_and_leaves_the_ends() {
        let mut values = vec![-1.0, 0.0, 3.0];
        bend(&mut values, 2.0);
        assert_eq!(values, vec![-1.0, -0.75, 3.0]);
        let mut flat = vec![2.0; 3];
        bend(&mut flat, 2.0);
        assert_eq!(flat, vec![2.0; 3]);
    }
}
