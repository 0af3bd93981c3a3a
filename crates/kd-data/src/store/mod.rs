//! Stores: folders and files of our own making, content-addressed, written whole or not at all, checked when read.
//!
//! Any byte that changed is found before it can change a result: tables and keys by the checksum list of their folder,
//! numbers by a digest in every record, packages and checkpoints by checksums of their own.

#[cfg(feature = "formats")]
mod archive;
mod atomic;
mod error;

#[cfg(feature = "formats")]
mod checkpoint;
#[cfg(feature = "formats")]
mod checksum;
#[cfg(feature = "formats")]
mod dense;
#[cfg(feature = "formats")]
mod package;
#[cfg(feature = "formats")]
mod prepared;
#[cfg(feature = "formats")]
mod record;
#[cfg(feature = "formats")]
mod soft;

#[cfg(feature = "formats")]
pub(crate) use archive::write_archive;
pub use atomic::{StagedFolder, write_atomic};
pub use error::{StoreError, path_tail};

#[cfg(feature = "formats")]
pub use checkpoint::{Checkpoint, CheckpointStore};
#[cfg(feature = "formats")]
pub use dense::{DenseAnswer, DenseAnswers, DenseEntry, DensePlan, DenseSource, DenseStore, DenseWriter};
#[cfg(feature = "formats")]
pub use package::{read_package, write_package};
#[cfg(feature = "formats")]
pub use prepared::{PreparedEntry, PreparedSource, PreparedStore, PreparedWriter};
#[cfg(feature = "formats")]
pub use record::Element;
#[cfg(feature = "formats")]
pub use soft::{SoftKey, SoftStore, SoftStoreWriter};
