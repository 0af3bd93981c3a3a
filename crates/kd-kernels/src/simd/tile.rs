//! The inner loop of every convolution: a block of sums, kept in registers over a whole reduction.
//!
//! `sum[row][column] += factor[step][row] · source[base + offset[step] + column]`. With one offset per (channel, tap) and
//! columns along pixels this is a convolution; with one offset per pixel and columns along channels it is the gradient
//! of the weights. A matrix product is the case where the offsets grow evenly. The order of a sum is that of the steps,
//! whatever the block, so that neither the instruction set's width nor the number of threads changes it.

use super::Isa;
use super::lanes::Lanes;

/// Rows for which factors are packed together: `factor[step * BLOCK + row]`.
pub(crate) const BLOCK: usize = 8;

/// Most vectors of a tile.
pub(crate) const WIDEST: usize = 6;

/// Most pieces of a tile's vectors.
pub(crate) const PIECES: usize = 12;

/// Offsets of a reduction's steps into a source, with the largest of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offsets {
    steps: Vec<u32>,
    reach: usize,
}

impl Offsets {
    /// Keeps offsets; a source that 32 bits cannot address is never laid out.
    pub(crate) fn new(steps: Vec<u32>) -> Self {
        let reach = steps.iter().copied().max().unwrap_or(0) as usize;
        Self { steps, reach }
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        &self.steps
    }
}

/// What the sums begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    /// One number per row.
    Rows(&'a [f32; BLOCK]),
    /// What is there.
    Keep,
}

/// One tile: operands and where the sums go.
#[derive(Debug)]
pub(crate) struct Tile<'a> {
    /// `BLOCK` factors a step.
    pub(crate) factors: &'a [f32],
    /// Where each step's columns begin.
    pub(crate) offsets: &'a Offsets,
    /// What the offsets point into.
    pub(crate) source: &'a [f32],
    /// Added to every offset.
    pub(crate) base: usize,
    /// First column of each piece of each vector, relative to a step's offset.
    pub(crate) columns: [usize; PIECES],
    /// Pieces that a vector is read in, each of as many lanes: 1, or with full blocks of rows 2 or (16 lanes) 4.
    pub(crate) parts: usize,
    /// Rows that count, at most `BLOCK`.
    pub(crate) rows: usize,
    /// Vectors that count, at most `WIDEST`; above 3 only for at most 4 rows.
    pub(crate) vectors: usize,
    /// What the sums begin with.
    pub(crate) start: Start<'a>,
    /// Whether negative results become 0.
    pub(crate) relu: bool,
}

/// What the loops see.
pub(super) struct RawTile {
    steps: usize,
    factors: *const f32,
    offsets: *const u32,
    source: *const f32,
    columns: [usize; PIECES],
    start: *const f32,
    relu: bool,
    target: *mut f32,
    target_stride: usize,
}

impl RawTile {
    /// The same tile from row `rows` on.
    ///
    /// # Safety
    /// The tile has more than `rows` rows.
    #[inline(always)]
    #[expect(unsafe_code, reason = "pointers into a checked tile")]
    unsafe fn below(&self, rows: usize) -> Self {
        // SAFETY: factors, start and target reach beyond `rows` rows, by the caller's word.
        unsafe {
            Self {
                factors: self.factors.add(rows),
                start: if self.start.is_null() { self.start } else { self.start.add(rows) },
                target: self.target.add(rows * self.target_stride),
                ..*self
            }
        }
    }
}

impl Tile<'_> {
    /// Runs the tile and writes its rows, each `vectors` vectors long, `target_stride` apart.
    ///
    /// # Panics
    /// When an operand is shorter than the tile reaches: a mistake of this crate, never of a caller.
    pub(crate) fn run(&self, isa: Isa, target: &mut [f32], target_stride: usize) {
        let rows = self.row_count();
        let lanes = isa.lanes();
        assert!(
            self.rows >= 1 && rows <= BLOCK && target.len() >= (rows - 1) * target_stride + self.vectors * lanes,
            "tile of {rows} rows and {} vectors, {target_stride} apart, in {} numbers",
            self.vectors,
            target.len()
        );
        // SAFETY: `target` is exclusive and was just found long enough for all rows.
        #[expect(unsafe_code, reason = "the checked way to the loops")]
        unsafe {
            self.run_at(isa, target.as_mut_ptr(), target_stride);
        }
    }

    /// Rows that are computed: the block sizes that exist, a row too many is dropped.
    fn row_count(&self) -> usize {
        if self.parts == 1 { self.rows.next_power_of_two() } else { BLOCK }
    }

    /// As [`run`](Self::run), to a place that other threads may write next to.
    ///
    /// # Safety
    /// `rows` rounded up to a power of two rows of `vectors` vectors, `target_stride` apart, behind `target` are
    /// writable, and nobody else reads or writes them meanwhile.
    #[expect(unsafe_code, reason = "the checked way to the loops")]
    pub(crate) unsafe fn run_at(&self, isa: Isa, target: *mut f32, target_stride: usize) {
        let steps = self.offsets.len();
        let furthest = self.columns[..self.vectors * self.parts].iter().max().copied().unwrap_or(0);
        assert!(
            self.factors.len() >= steps * BLOCK
                && self.base + self.offsets.reach + furthest + isa.lanes() <= self.source.len(),
            "tile reaches {} + {} + {furthest} in {} numbers, with {} factors for {steps} steps",
            self.base,
            self.offsets.reach,
            self.source.len(),
            self.factors.len()
        );
        let raw = RawTile {
            steps,
            factors: self.factors.as_ptr(),
            offsets: self.offsets.steps.as_ptr(),
            // SAFETY: `base` is within `source`, as just asserted.
            source: unsafe { self.source.as_ptr().add(self.base) },
            columns: self.columns,
            start: match self.start {
                Start::Rows(rows) => rows.as_ptr(),
                Start::Keep => std::ptr::null(),
            },
            relu: self.relu,
            target,
            target_stride,
        };
        // SAFETY: factors and source are long enough for all steps, vectors and rows (asserted above; `BLOCK` factors a
        // step cover every block size), `start` is null or has `BLOCK` numbers, the caller answers for `target`, and an
        // `Isa` other than `Plain` is only handed out where its instructions were detected.
        unsafe { pick(isa, self.row_count(), self.vectors, self.parts)(&raw) }
    }
}

type Loop = unsafe fn(&RawTile);

fn pick(isa: Isa, rows: usize, vectors: usize, parts: usize) -> Loop {
    macro_rules! loops {
        ($set:ident) => {
            match (rows, vectors, parts) {
                (8, 1, 1) => $set::tile::<8, 1, 1>,
                (8, 2, 1) => $set::tile::<8, 2, 1>,
                (8, 3, 1) => $set::tile::<8, 3, 1>,
                (4, 1, 1) => $set::tile::<4, 1, 1>,
                (4, 2, 1) => $set::tile::<4, 2, 1>,
                (4, 3, 1) => $set::tile::<4, 3, 1>,
                (4, 6, 1) => $set::tile::<4, 6, 1>,
                (2, 1, 1) => $set::tile::<2, 1, 1>,
                (2, 2, 1) => $set::tile::<2, 2, 1>,
                (2, 3, 1) => $set::tile::<2, 3, 1>,
                (2, 6, 1) => $set::tile::<2, 6, 1>,
                (1, 1, 1) => $set::tile::<1, 1, 1>,
                (1, 2, 1) => $set::tile::<1, 2, 1>,
                (1, 3, 1) => $set::tile::<1, 3, 1>,
                (1, 6, 1) => $set::tile::<1, 6, 1>,
                (8, 1, 2) => $set::tile::<8, 1, 2>,
                (8, 2, 2) => $set::tile::<8, 2, 2>,
                (8, 3, 2) => $set::tile::<8, 3, 2>,
                _ => unreachable!("no loop for {rows} rows and {vectors} vectors in {parts} parts"),
            }
        };
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            use super::avx512;
            match (vectors, parts) {
                (1, 4) => avx512::tile::<8, 1, 4>,
                (2, 4) => avx512::tile::<8, 2, 4>,
                (3, 4) => avx512::tile::<8, 3, 4>,
                _ => loops!(avx512),
            }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            use super::avx2;
            loops!(avx2)
        }
        _ => {
            use super::plain;
            loops!(plain)
        }
    }
}

/// A tile whose rows are halved until they fit into 16 registers.
///
/// # Safety
/// As [`run`].
#[inline(always)]
#[expect(unsafe_code, reason = "the loop's own contract")]
pub(super) unsafe fn run_halved<L: Lanes, const ROWS: usize, const VECTORS: usize, const PARTS: usize>(raw: &RawTile) {
    // SAFETY: the caller's contract; 8 rows are twice 4.
    unsafe {
        if ROWS == 8 {
            run::<L, 4, VECTORS, PARTS>(raw);
            run::<L, 4, VECTORS, PARTS>(&raw.below(4));
        } else {
            run::<L, ROWS, VECTORS, PARTS>(raw);
        }
    }
}

/// The loop itself.
///
/// # Safety
/// Every pointer of `raw` reaches as far as `steps`, `ROWS` and `VECTORS` say, and the instructions of `L` are there.
#[expect(clippy::needless_range_loop, reason = "registers, all indices known to the compiler")]
#[inline(always)]
#[expect(unsafe_code, reason = "vector loads at offsets that the caller has checked as a whole")]
pub(super) unsafe fn run<L: Lanes, const ROWS: usize, const VECTORS: usize, const PARTS: usize>(raw: &RawTile) {
    // SAFETY: by the contract above; indices stay below `steps`, `ROWS` and `VECTORS`.
    unsafe {
        let mut sums = [[L::splat(0.0); VECTORS]; ROWS];
        if raw.start.is_null() {
            for row in 0..ROWS {
                for vector in 0..VECTORS {
                    sums[row][vector] = L::load(raw.target.add(row * raw.target_stride + vector * L::LANES));
                }
            }
        } else {
            for row in 0..ROWS {
                sums[row] = [L::splat(*raw.start.add(row)); VECTORS];
            }
        }
        let mut factors = raw.factors;
        let places = raw.columns.as_ptr();
        for step in 0..raw.steps {
            let from = raw.source.add(*raw.offsets.add(step) as usize);
            let mut columns = [L::splat(0.0); VECTORS];
            for vector in 0..VECTORS {
                columns[vector] = L::load_parts::<PARTS>(from, places.add(vector * PARTS));
            }
            for row in 0..ROWS {
                let factor = L::splat(*factors.add(row));
                for vector in 0..VECTORS {
                    sums[row][vector] = factor.mul_add(columns[vector], sums[row][vector]);
                }
            }
            factors = factors.add(BLOCK);
        }
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                let sum = if raw.relu { sums[row][vector].or_zero() } else { sums[row][vector] };
                sum.store(raw.target.add(row * raw.target_stride + vector * L::LANES));
            }
        }
    }
}
