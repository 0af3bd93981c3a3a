//! Why an image was not degraded.

use kd_image::{GeometryError, ImageError};

/// Why an image was not degraded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DegradeError {
    /// A parameter outside of its range.
    #[error(
        "degradation `{kind}`: {name} is {found}, expected {expected}\nhint: correct it in the table of the degradation"
    )]
    Parameter {
        /// Which degradation.
        kind: &'static str,
        /// Which parameter.
        name: &'static str,
        /// Its range.
        expected: &'static str,
        /// The value given.
        found: String,
    },
    /// Values of a meaning that the physics does not cover.
    #[error("degradation `{kind}` takes {expected}, found intensity `{found}`\nhint: {hint}")]
    Intensity {
        /// Which degradation.
        kind: &'static str,
        /// Meanings that it takes.
        expected: &'static str,
        /// The image's meaning.
        found: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// Lengths that nobody knows.
    #[error(
        "degradation `{kind}` needs the distance of pixels in mm, found an image without one\nhint: use DICOM or NIfTI files, or import the files with their spacing"
    )]
    Spacing {
        /// Which degradation.
        kind: &'static str,
    },
    /// A grid that does not fit.
    #[error("degradation `{kind}`: expected {expected}, found {found}\nhint: {hint}")]
    Grid {
        /// Which degradation.
        kind: &'static str,
        /// What would do.
        expected: String,
        /// The image's grid.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// A magnitude below zero.
    #[error(
        "degradation `{kind}` takes magnitudes, expected no value below 0, found {found} at position {position}\nhint: degrade the stored values, before anything is subtracted from them"
    )]
    Negative {
        /// Which degradation.
        kind: &'static str,
        /// Where it stands.
        position: usize,
        /// The value.
        found: f32,
    },
    /// Nothing to do.
    #[error(
        "degradation `measured` makes no input, expected those that lie beside the clean volumes\nhint: choose another kind to degrade an image"
    )]
    Measured,
    /// The result holds a value beyond 32-bit floats.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The result has no grid.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
}
