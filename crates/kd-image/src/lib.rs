//! Values of one medical image: pixels with their geometry and meaning, labels, and the names that keep them apart.
//!
//! A leaf: it opens no file, knows no tensor and prints nothing. Geometry travels with the pixels, because a mask has
//! to be written back on the grid that its image came from; the meaning of an intensity travels too, because 1000 is
//! bone in Hounsfield units and grey in a stored 12-bit radiograph.
//!
//! Axes are always `[channel, depth, height, width]`, or the two-dimensional `[channel, height, width]`.

mod geometry;
mod grid;
mod id;
mod image;
mod intensity;
mod label;
mod reorient;
mod resample;
mod sample;
mod window;

pub use geometry::{Affine, Geometry, GeometryError, Orientation};
pub use grid::GridMismatch;
pub use id::{DatasetId, IdError, SampleId, Split, SubjectId};
pub use image::{Image, ImageError};
pub use intensity::Intensity;
pub use label::{IGNORED, LabelError, LabelMap, Target};
pub use reorient::{ReorientError, Reorientation};
pub use resample::{Interpolation, Outside, ResampleError, Resampling, Shrinking, resample_labels};
pub use sample::{Sample, SampleSource, SoftTargetSource, SourceError};
pub use window::{Window, WindowError};
