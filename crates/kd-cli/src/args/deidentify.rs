//! Arguments of `kd data deidentify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) const HELP: &str = "\
Examples:
  kd data deidentify scans/ copies
  kd data deidentify scans/ copies --retain patient-characteristics --salt secret.bin

Attributes as the Basic Profile of DICOM PS3.15 says; private attributes, overlays and what the standard does not know go,
too. Pixels are not looked at: files that say that text is burned into them are refused, those that may are counted.
copies/deidentified.json lists what was done. Without --salt, identifiers are made with a secret that is then forgotten.";

/// What to copy, and what may stay in the copies.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeidentifyArgs {
    /// A DICOM file, or a folder of them
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// New folder for the copies
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// Keep more than the basic profile does; may be repeated
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) retain: Vec<RetainName>,
    /// A file of 16 bytes or more that only you have: the same patients get the same identifiers again
    #[arg(long, value_name = "FILE")]
    pub(crate) salt: Option<PathBuf>,
}

/// Options of the profile.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RetainName {
    /// Study, series, instance and all other UIDs
    Uids,
    /// Station, serial numbers and names of the scanner
    Device,
    /// Names and addresses of the institution
    Institution,
    /// Sex, age, size, weight and the like
    PatientCharacteristics,
    /// Dates and times as they are
    FullDates,
    /// Dates that are all the same number of days earlier for a patient, drawn from the salt; times as they are
    ShiftedDates,
    /// Private attributes that the standard lists as holding nothing of a person, such as diffusion weighting
    SafePrivate,
}
