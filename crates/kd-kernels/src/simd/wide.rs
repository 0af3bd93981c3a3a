//! Loops that the compiler vectorises by itself, compiled once for each instruction set.
//!
//! For work that waits on memory: there, what the compiler makes of a plain loop is as fast as anything by hand.

use super::Isa;

/// Numbers that a loop takes at once; the order of sums is made of as many strands on every instruction set.
pub(crate) const STRANDS: usize = 16;

/// A loop to be compiled for each instruction set: `run` has to be `#[inline(always)]`.
pub(crate) trait Work {
    type Output;
    fn run(self) -> Self::Output;
}

/// Runs a loop as it was compiled for an instruction set.
pub(crate) fn on<W: Work>(isa: Isa, work: W) -> W::Output {
    // SAFETY: `Isa::available` hands out what the machine has; the functions contain nothing else that is unsafe.
    #[expect(unsafe_code, reason = "functions for an instruction set")]
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { on_avx512(work) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { on_avx2(work) },
        _ => work.run(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn on_avx512<W: Work>(work: W) -> W::Output {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn on_avx2<W: Work>(work: W) -> W::Output {
    work.run()
}
