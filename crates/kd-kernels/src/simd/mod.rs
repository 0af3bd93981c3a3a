//! Instruction sets, and the one inner loop that all convolutions run on.
//!
//! `std::arch` and a small trait instead of a SIMD crate: the loop needs six operations, its block sizes differ by
//! instruction set, and the choice is made once at run time (docs/adr/0005-cpu-operators.md).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
mod peak;
mod plain;
mod tile;
mod turn;
mod wide;

use std::sync::OnceLock;

pub use peak::peak_gflops;
pub(crate) use tile::{BLOCK, Offsets, PIECES, Start, Tile, WIDEST};
pub(crate) use turn::turn;
pub(crate) use wide::{STRANDS, Work, on};

/// A set of vector instructions that this crate has loops for.
///
/// # Example
/// ```
/// use kd_kernels::Isa;
/// assert!(Isa::available().contains(&Isa::best()));
/// assert!(Isa::available().contains(&Isa::Plain));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// 16 lanes, 32 registers, fused multiply-add.
    Avx512,
    /// 8 lanes, 16 registers, fused multiply-add.
    Avx2,
    /// Whatever the compiler makes of plain Rust; every machine has it.
    Plain,
}

impl Isa {
    /// All that this machine can run, fastest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
            {
                found.push(Self::Avx512);
            }
            if avx2 {
                found.push(Self::Avx2);
            }
        }
        found.push(Self::Plain);
        found
    }

    /// The fastest that this machine can run, found out once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self::available()[0])
    }

    /// The name used in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx-512",
            Self::Avx2 => "avx2",
            Self::Plain => "plain",
        }
    }

    /// Numbers in one vector.
    #[must_use]
    pub(crate) const fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx2 | Self::Plain => 8,
        }
    }
}
