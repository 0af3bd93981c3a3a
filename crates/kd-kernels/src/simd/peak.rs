//! The machine's own limit, so that speeds can be given as a share of it.

use std::time::Instant;

use rayon::prelude::*;

use super::{BLOCK, Isa, Offsets, Start, Tile};

/// Multiply-adds per second, times two, that `threads` threads reach when every operand is in a register or the
/// first-level cache; the best of several tries, in GFLOP/s.
///
/// # Policy
/// The loop is the tile of the convolutions with 256 steps on one cache line, so the figure is what a perfect
/// memory would let them reach.
///
/// # Example
/// ```
/// assert!(kd_kernels::peak_gflops(kd_kernels::Isa::best(), 1) > 0.0);
/// ```
#[must_use]
pub fn peak_gflops(isa: Isa, threads: usize) -> f64 {
    const STEPS: usize = 256;
    const RUNS: usize = 2000;
    let vectors = if isa == Isa::Avx512 { 3 } else { 2 };
    let rows = if isa == Isa::Avx512 { 8 } else { 4 };
    let lanes = isa.lanes();
    let offsets = Offsets::new(vec![0; STEPS]);
    let factors = vec![0.5f32; STEPS * BLOCK];
    let source = vec![1.0f32; 8 * lanes];
    let once = || {
        let mut target = vec![0.0f32; BLOCK * vectors * lanes];
        let mut columns = [0; super::PIECES];
        for (vector, column) in columns.iter_mut().enumerate() {
            *column = vector * lanes;
        }
        for _ in 0..RUNS {
            Tile {
                factors: &factors,
                offsets: &offsets,
                source: &source,
                base: 0,
                columns,
                parts: 1,
                rows,
                vectors,
                start: Start::Rows(&[0.0; BLOCK]),
                relu: false,
            }
            .run(isa, &mut target, vectors * lanes);
        }
        std::hint::black_box(target[0])
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of operations far below 2^52")]
    let operations = (2 * STEPS * RUNS * rows * vectors * lanes * threads) as f64;
    (0..5)
        .map(|_| {
            let began = Instant::now();
            (0..threads).into_par_iter().for_each(|_| {
                once();
            });
            operations / began.elapsed().as_secs_f64() / 1e9
        })
        .fold(0.0, f64::max)
}
