//! Segmentation metrics: how well a mask covers the truth, how far its surface is off, and which lesions it finds.

pub(crate) mod calibration;
pub(crate) mod cells;
pub(crate) mod components;
pub(crate) mod distance_transform;
pub(crate) mod lesions;
pub(crate) mod masks;
pub(crate) mod overlap;
pub(crate) mod panoptic;
pub(crate) mod surface;
pub(crate) mod volume;
