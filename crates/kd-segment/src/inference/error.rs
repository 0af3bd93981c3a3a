//! Why an image could not be segmented.

use kd_image::{GeometryError, ImageError, LabelError};
use kd_metrics::Undefined;

/// What stands between an image and its label map.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InferenceError {
    /// A patch without points.
    #[error("patch is {found:?}, expected at least 1 point along each axis")]
    Patch {
        /// The patch.
        found: Vec<usize>,
    },
    /// An overlap that is none.
    #[error("overlap is {found}, expected a share from 0 to 0.95")]
    Overlap {
        /// The overlap.
        found: f64,
    },
    /// An axis that the image does not have, or one twice.
    #[error("mirrored axes are {found:?}, expected different ones of 0 to {highest}, slowest first")]
    Mirror {
        /// The axes.
        found: Vec<usize>,
        /// The fastest axis.
        highest: usize,
    },
    /// A head whose answer is no label map.
    #[error("a {found} head gives no label map, expected one-channel or softmax")]
    Head {
        /// Name of the head.
        found: &'static str,
    },
    /// A class that the head does not have.
    #[error("probability of class {found} asked for, expected 0 to {highest}")]
    Class {
        /// The class.
        found: usize,
        /// The highest class.
        highest: usize,
    },
    /// The network and the head or the patch do not belong together.
    #[error("network answers a patch with {found:?}, expected {expected:?}")]
    Answer {
        /// `[batch, output, …patch]`.
        expected: Vec<usize>,
        /// What came.
        found: Vec<usize>,
    },
    /// A volume was asked of a grid without spacing.
    #[error("components are to be kept by size in mm, and the grid has no spacing\nhint: give the size in points")]
    NoSpacing,
    /// A size that is none.
    #[error("smallest component is {found} mm³ (mm² on a plane), expected 0 or a finite number above")]
    Size {
        /// The size.
        found: f64,
    },
    /// The grid is no grid.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The probabilities make no image: the network answered with a number that is none.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The labels make no map.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// The grid cannot be measured.
    #[error(transparent)]
    Grid(#[from] Undefined),
}
