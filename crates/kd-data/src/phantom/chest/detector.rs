//! From line integrals to a stored radiograph: Beer and Lambert, scatter, blur, quantum noise, logarithm, 12 of 16 bits
//! worth of grey in a window of its own.

use crate::phantom::draw::Draw;

/// Settings of one exposure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exposure {
    /// Photons a pixel without anything in the way.
    pub(super) photons: f64,
    /// Scattered light as a share of the primary.
    pub(super) scatter: f64,
    /// Line integral shown as black.
    pub(super) black: f64,
    /// Line integrals from black to white.
    pub(super) window: f64,
    pub(super) gamma: f64,
}

/// Points along each axis for one pixel; a pixel averages over them, which gives every edge its partial volume.
pub(super) const OVERSAMPLING: usize = 3;

/// Turns integrals on the fine grid into `size × size` stored values.
pub(super) fn expose(integrals: &[f64], size: usize, exposure: &Exposure, draw: &mut Draw) -> Vec<u16> {
    let fine = size * OVERSAMPLING;
    let mut primary = vec![0.0; size * size];
    for (row, line) in integrals.chunks_exact(fine).enumerate() {
        for (column, integral) in line.iter().enumerate() {
            primary[row / OVERSAMPLING * size + column / OVERSAMPLING] += (-integral).exp();
        }
    }
    let points = (OVERSAMPLING * OVERSAMPLING) as f64;
    let mean = primary.iter().sum::<f64>() / (points * primary.len() as f64);
    let blurred = blur(&primary, size);
    blurred
        .iter()
        .map(|&sum| {
            // Scatter is smooth; over a chest it is nearly the same everywhere.
            let signal = exposure.photons * (sum / points + exposure.scatter * mean);
            // Poisson noise; at the counts of a detector pixel it is normal.
            let counted = (signal + signal.sqrt() * draw.normal()).max(1.0);
            let integral = -(counted / exposure.photons).ln();
            let shown = ((integral - exposure.black) / exposure.window).clamp(0.0, 1.0).powf(exposure.gamma);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within 0 and 65535
            let stored = (shown * 65_535.0).round() as u16;
            stored
        })
        .collect()
}

/// The detector's point spread: a small symmetric kernel, edges repeated.
fn blur(values: &[f64], size: usize) -> Vec<f64> {
    const SIDE: f64 = 0.12;
    let pass = |values: &[f64], stride: usize, along: fn(usize, usize) -> usize| -> Vec<f64> {
        (0..values.len())
            .map(|at| {
                let place = along(at, size);
                let before = if place == 0 { at } else { at - stride };
                let after = if place + 1 == size { at } else { at + stride };
                (1.0 - 2.0 * SIDE) * values[at] + SIDE * (values[before] + values[after])
            })
            .collect()
    };
    let rows = pass(values, 1, |at, size| at % size);
    pass(&rows, size, |at, size| at / size)
}
