//! The blended logits of as many planes as a window is thick, and the planes that are done.
//!
//! Windows come in the order of the first axis. A plane that no later window reaches is turned into labels and its room
//! is used again, so memory grows with the classes times one slab, not with the classes times the volume.

use kd_core::Head;
use rayon::prelude::*;

use super::plan::Axis;
use crate::task::named_classes;

/// A ring of planes, each `[output, …rest]`.
pub(super) struct Slab<'a> {
    first: &'a Axis,
    /// The axes behind the first.
    rest: &'a [Axis],
    head: Head,
    probability_of: Option<usize>,
    planes: Vec<Vec<f32>>,
    /// First plane that is not done.
    done: usize,
    /// One label for each point of the image.
    pub(super) labels: Vec<u16>,
    /// One probability for each point of the image, where one was asked for.
    pub(super) probabilities: Vec<f32>,
}

impl<'a> Slab<'a> {
    pub(super) fn new(axes: &'a [Axis], head: Head, probability_of: Option<usize>) -> Self {
        let (first, rest) = (&axes[0], &axes[1..]);
        let plane = head.n_outputs() * rest.iter().map(|axis| axis.padded).product::<usize>();
        let points: usize = axes.iter().map(|axis| axis.points).product();
        Self {
            first,
            rest,
            head,
            probability_of,
            planes: vec![vec![0.0; plane]; first.window],
            done: 0,
            labels: Vec::with_capacity(points),
            probabilities: Vec::with_capacity(if probability_of.is_some() { points } else { 0 }),
        }
    }

    /// Adds one window's logits, `[output, …window]`; `place` counts windows along each axis. Windows of one start on the
    /// first axis come together, in rising order of starts.
    pub(super) fn add(&mut self, place: &[usize], logits: &[f32]) {
        let start = self.first.starts[place[0]];
        self.finish(start);
        let (first, rest, outputs) = (self.first, self.rest, self.head.n_outputs());
        let thick = self.planes.len();
        let inner: usize = rest.iter().map(|axis| axis.window).product();
        let padded: usize = rest.iter().map(|axis| axis.padded).product();
        let last = &rest[rest.len() - 1];
        let last_weights = &last.weights[place[place.len() - 1]];
        // Rows of the window in one plane: where each goes, and what it weighs by the axes between.
        let rows: Vec<(usize, f32)> = match rest {
            [_] => vec![(last.starts[place[1]], 1.0)],
            [middle, _] => (0..middle.window)
                .map(|row| {
                    let at = (middle.starts[place[1]] + row) * last.padded + last.starts[place[2]];
                    (at, middle.weights[place[1]][row])
                })
                .collect(),
            _ => unreachable!("images have two or three axes"),
        };
        self.planes.par_iter_mut().enumerate().for_each(|(slot, plane)| {
            // The only plane of this window that lives in this slot.
            let layer = (slot + thick - start % thick) % thick;
            let weight = first.weights[place[0]][layer];
            for output in 0..outputs {
                let from = &logits[(output * thick + layer) * inner..][..inner];
                let to = &mut plane[output * padded..][..padded];
                for (from, (at, row_weight)) in from.chunks_exact(last.window).zip(&rows) {
                    let weight = weight * row_weight;
                    for ((to, from), along) in to[*at..].iter_mut().zip(from).zip(last_weights) {
                        *to += weight * along * from;
                    }
                }
            }
        });
    }

    /// Turns planes before padded plane `until` into labels.
    pub(super) fn finish(&mut self, until: usize) {
        let thick = self.planes.len();
        for plane in self.done..until {
            let room = &mut self.planes[plane % thick];
            if (self.first.before..self.first.before + self.first.points).contains(&plane) {
                let logits = cropped(room, self.rest, self.head.n_outputs());
                self.labels.extend(named_classes(&logits, self.head.n_outputs()));
                if let Some(class) = self.probability_of {
                    self.probabilities.extend(probabilities(&logits, self.head.n_outputs(), class));
                }
            }
            room.fill(0.0);
        }
        self.done = self.done.max(until);
    }
}

/// `[output, …padded]` without what was padded.
fn cropped(plane: &[f32], rest: &[Axis], outputs: usize) -> Vec<f32> {
    let last = &rest[rest.len() - 1];
    let (rows, before) = match rest {
        [middle, _] => (middle.points, middle.before),
        _ => (1, 0),
    };
    let padded_rows = plane.len() / (outputs * last.padded);
    let mut kept = Vec::with_capacity(outputs * rows * last.points);
    for output in 0..outputs {
        for row in 0..rows {
            let at = (output * padded_rows + before + row) * last.padded + last.before;
            kept.extend_from_slice(&plane[at..at + last.points]);
        }
    }
    kept
}

/// Probability of a class at each point.
fn probabilities(logits: &[f32], outputs: usize, class: usize) -> Vec<f32> {
    if outputs == 1 {
        let sign = if class == 1 { 1.0 } else { -1.0 };
        return logits.iter().map(|&logit| 1.0 / (1.0 + (-sign * logit).exp())).collect();
    }
    let points = logits.len() / outputs;
    (0..points)
        .map(|point| {
            let of = |output: usize| logits[output * points + point];
            // Every other class relative to this one: no exponential of a large number is divided by another.
            1.0 / (0..outputs).map(|output| (of(output) - of(class)).exp()).sum::<f32>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_all_classes_add_up_to_one_even_for_sure_answers() {
        let logits = [0.5, 200.0, -3.0, 1.0, 0.0, 2.0];
        let sums: Vec<f32> = (0..2).map(|n| (0..3).map(|class| probabilities(&logits, 3, class)[n]).sum()).collect();
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{sums:?}");
        let one = probabilities(&[3f32.ln(), -300.0], 1, 1);
        assert!((one[0] - 0.75).abs() < 1e-6 && one[1] == 0.0, "{one:?}");
        assert_eq!(probabilities(&[-300.0], 1, 0), [1.0]);
    }
}
