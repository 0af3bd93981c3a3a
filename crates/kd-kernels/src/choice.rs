//! Own operators or Burn's: the one place where that is decided.

use std::sync::atomic::{AtomicU8, Ordering};

/// Whose operators run on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// This crate's.
    Own,
    /// Burn's.
    Stock,
}

/// The environment variable that chooses.
pub const VARIABLE: &str = "KD_KERNELS";

/// A value of [`VARIABLE`] that names no operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE} is `{found}`, expected `own` or `stock`\nhint: leave it unset for `own`")]
pub struct UnknownKernels {
    /// The value.
    pub found: String,
}

const UNREAD: u8 = 0;
const OWN: u8 = 1;
const STOCK: u8 = 2;
static CHOSEN: AtomicU8 = AtomicU8::new(UNREAD);

impl Kernels {
    /// What [`VARIABLE`] asks for; own operators where it is not set.
    ///
    /// # Errors
    /// [`UnknownKernels`] for any other value than `own` and `stock`.
    pub fn from_environment() -> Result<Self, UnknownKernels> {
        match std::env::var(VARIABLE) {
            Err(std::env::VarError::NotPresent) => Ok(Self::Own),
            Ok(value) if value.is_empty() || value == "own" => Ok(Self::Own),
            Ok(value) if value == "stock" => Ok(Self::Stock),
            Ok(found) => Err(UnknownKernels { found }),
            Err(std::env::VarError::NotUnicode(found)) => {
                Err(UnknownKernels { found: found.to_string_lossy().into_owned() })
            }
        }
    }

    /// Whose operators run now. Programs check [`Kernels::from_environment`] first; a value that it refuses means own
    /// operators here.
    #[must_use]
    pub fn chosen() -> Self {
        match CHOSEN.load(Ordering::Relaxed) {
            OWN => Self::Own,
            STOCK => Self::Stock,
            _ => {
                let kernels = Self::from_environment().unwrap_or(Self::Own);
                kernels.choose();
                kernels
            }
        }
    }

    /// Chooses for the whole process, whatever the environment says: for comparisons.
    pub fn choose(self) {
        CHOSEN.store(if self == Self::Own { OWN } else { STOCK }, Ordering::Relaxed);
    }

    /// The name that [`VARIABLE`] takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Stock => "stock",
        }
    }
}
