//! Why a file could not be fetched, with the way out.

use crate::digest::Checksum;
use crate::error::FileError;

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The bytes are not the published ones; they were thrown away.
    #[error("`{file}` has checksum {found}, expected {expected}; it was thrown away\nhint: {hint}")]
    Checksum {
        /// The file's name in the manifest.
        file: String,
        /// What the manifest says.
        expected: Checksum,
        /// What the bytes add up to.
        found: Checksum,
        /// What to do.
        hint: &'static str,
    },
    /// A file that lies there is not the published one; it was left alone.
    #[error(
        "`{file}` lies in the raw folder with checksum {found}, expected {expected}\nhint: move it away and run the same command again"
    )]
    Present {
        /// The file's name in the manifest.
        file: String,
        /// What the manifest says.
        expected: Checksum,
        /// What the bytes add up to.
        found: Checksum,
    },
    /// The connection ended early.
    #[error("download of `{file}` was interrupted after {done} of {} bytes\nhint: run the same command again, it goes on from there", total.map_or("unknown".into(), |n| n.to_string()))]
    Interrupted {
        /// The file's name in the manifest.
        file: String,
        /// Bytes that are kept for the next call.
        done: u64,
        /// Bytes in all.
        total: Option<u64>,
    },
    /// The server has no such file, or refuses it.
    #[error("`{url}` answered with status {status}, expected 200\nhint: {}", status_hint(*status))]
    Status {
        /// The address.
        url: String,
        /// The answer.
        status: u16,
    },
    /// No connection.
    #[error(
        "`{url}` cannot be reached: {reason}\nhint: check network and proxy (HTTPS_PROXY), or copy the file from another machine and use `--mirror DIR`"
    )]
    Network {
        /// The address.
        url: String,
        /// What the connection says.
        reason: String,
        /// Bytes of an earlier call that are kept.
        kept: u64,
    },
    /// Somebody else is at it.
    #[error("`{file}` is being fetched by another process, expected to be the only one\nhint: wait for it to finish")]
    Busy {
        /// The file's name in the manifest.
        file: String,
    },
    /// The mirror does not hold the file.
    #[error(
        "the mirror folder holds no `{file}`, expected the publisher's file under that name\nhint: `kd data list --json` shows names and addresses of all files"
    )]
    NotInMirror {
        /// The file's name in the manifest.
        file: String,
    },
    /// A manifest without an address.
    #[error(
        "`{file}` has no address in its manifest and is not there\nhint: use `--mirror DIR` with a folder that holds it, or import it again"
    )]
    NoAddress {
        /// The file's name in the manifest.
        file: String,
    },
    /// A set that is got by hand.
    #[error(
        "data set `{name}` is got by hand: {obtain}\nhint: `kd data import {name}-local --like {name} FOLDER` takes it in"
    )]
    ByHand {
        /// The data set.
        name: String,
        /// Where it is got.
        obtain: String,
    },
    /// A generated set has no files to fetch.
    #[error("data set `{name}` is generated and has no files to fetch, expected a set with files")]
    Generated {
        /// The data set.
        name: String,
    },
    /// No name of a data set.
    #[error("`{name}` is no name of a data set, expected lower-case letters, digits, `-`, `_` or `.`")]
    NotADataSet {
        /// What was given.
        name: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

fn status_hint(status: u16) -> &'static str {
    match status {
        404 | 410 => "the publisher moved or removed it; look at the homepage in the manifest, or use `--mirror DIR`",
        401 | 403 | 407 => "the server or a proxy asks for a login; download by hand and use `--mirror DIR`",
        429 | 500..=599 => "the server is busy; try again in some minutes",
        _ => "download by hand and use `--mirror DIR`",
    }
}
