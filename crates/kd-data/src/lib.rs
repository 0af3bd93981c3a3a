//! Data sets on disk: where they come from, what they must hold, and how they are read, split and stored.
//!
//! The only library that opens files. Everything above it works on values, so a partial download, a wrong checksum or
//! a label outside of its manifest is met here once and nowhere else. What is read was written by somebody else, so
//! every reader returns errors and none panics; what is written goes to a temporary name first, then is renamed.
//!
//! Without the feature `formats` only manifests, catalogue, downloads and atomic writes are built.

pub mod calendar;
pub mod catalog;
pub mod digest;
pub mod error;
pub mod fetch;
pub mod host;
pub mod manifest;
pub mod root;
pub mod store;
pub mod text;

#[cfg(feature = "formats")]
pub mod decode;
#[cfg(feature = "formats")]
pub mod degrade;
#[cfg(feature = "formats")]
pub mod export;
#[cfg(feature = "formats")]
pub mod fingerprint;
#[cfg(feature = "formats")]
pub mod format;
#[cfg(feature = "formats")]
pub mod import;
#[cfg(feature = "formats")]
pub mod leak;
#[cfg(feature = "formats")]
pub mod mask_facts;
#[cfg(feature = "formats")]
pub mod phantom;
#[cfg(feature = "formats")]
pub mod prepare;
#[cfg(feature = "formats")]
pub mod split;
#[cfg(feature = "formats")]
pub mod verify;

pub use error::FileError;
pub use manifest::Manifest;
pub use root::Root;
