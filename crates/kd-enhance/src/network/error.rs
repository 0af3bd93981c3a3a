//! Why a network could not be built from what a recipe says.

/// A design that names no network, or a network that the input does not fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// A key is given that this architecture does not have.
    #[error(
        "network key `{key}` does not apply to architecture `{architecture}`\nhint: remove it; {architecture} takes {takes}"
    )]
    KeyNotTaken {
        /// The key.
        key: &'static str,
        /// The architecture's recipe name.
        architecture: &'static str,
        /// The keys that it does take.
        takes: String,
    },
    /// A key is missing that this architecture needs.
    #[error(
        "network key `{key}` is missing, architecture `{architecture}` needs it\nhint: add for example `{example}`"
    )]
    KeyMissing {
        /// The key.
        key: &'static str,
        /// The architecture's recipe name.
        architecture: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// A number lies outside its range.
    #[error("network `{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The range in words.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// An image without points, or larger than any network here is meant for at once.
    #[error(
        "input of {height}×{width} pixels cannot be restored at once, expected 1 to {most} along each side\n\
         hint: restore larger images in tiles"
    )]
    InputSize {
        /// Rows of the input.
        height: usize,
        /// Columns of the input.
        width: usize,
        /// The longest side that is taken.
        most: usize,
    },
}
