//! The facts about machine and program that stand beside every number in a record.

use std::time::{SystemTime, UNIX_EPOCH};

use kd_data::calendar::Date;
use kd_kernels::{Isa, Kernels};

/// The version of Burn that the workspace pins; a test compares it with the root manifest.
pub(crate) const BURN: &str = "0.22.1";

/// The machine. Nothing here names a person, a path or an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The processor's name, or `unknown`.
    pub(crate) cpu: String,
    /// Cores that this process may use.
    pub(crate) cores: u32,
    /// Main memory.
    pub(crate) memory_bytes: Option<u64>,
    /// Operating system and architecture.
    pub(crate) os: String,
}

/// This machine.
pub(crate) fn facts() -> Facts {
    Facts {
        cpu: kd_data::host::cpu_model().unwrap_or_else(|| "unknown".into()),
        cores: std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory_bytes: kd_data::host::memory_bytes(),
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

/// The most memory that this process has held so far; none where the system does not tell.
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    kd_data::host::peak_memory_bytes()
}

/// The revision that the program was built from, or `unknown`.
pub(crate) fn revision() -> &'static str {
    env!("KD_REVISION")
}

/// Whether files differed from that revision.
pub(crate) fn dirty() -> bool {
    matches!(env!("KD_DIRTY"), "true" | "1")
}

/// The compiler that built the program.
pub(crate) fn rustc() -> &'static str {
    env!("KD_RUSTC")
}

/// Whose operators compute on a device, with their instruction set.
pub(crate) fn operators(device: &str) -> String {
    match Kernels::chosen() {
        Kernels::Own if device == "cpu" => format!("own {}", Isa::best().name()),
        _ => "stock".to_owned(),
    }
}

/// The program with its version.
pub(crate) fn program() -> &'static str {
    concat!("kd ", env!("CARGO_PKG_VERSION"))
}

/// Today in UTC as `2026-11-23`.
pub(crate) fn today() -> String {
    date(seconds()).to_string()
}

/// Date and time in UTC as DICOM writes them: `20261123` and `101500`.
pub(crate) fn now() -> [String; 2] {
    let seconds = seconds();
    let of_day = seconds % 86_400;
    let time = format!("{:02}{:02}{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60);
    [date(seconds).to_string().replace('-', ""), time]
}

/// The date in UTC, so many seconds after 1970 began.
fn date(seconds: u64) -> Date {
    Date::of_day(i64::try_from(seconds / 86_400).unwrap_or(0))
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_burn_is_the_one_that_the_workspace_pins() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&format!("burn = {{ version = \"={BURN}\"")), "{BURN}");
    }

    #[test]
    fn every_fact_has_a_value() {
        let facts = facts();
        for text in [&facts.cpu, &facts.os, rustc(), revision(), program()] {
            assert!(!text.trim().is_empty(), "{facts:?}");
        }
        assert!(facts.cores > 0);
    }
}
