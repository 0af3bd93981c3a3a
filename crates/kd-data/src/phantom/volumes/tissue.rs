//! What a body is made of, and the numbers that two kinds of scanner give it.

/// One tissue. What is inside of a body is painted tissue over tissue, each over a part of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tissue {
    /// Outside, and in the airways.
    Air,
    /// Air, blood and walls too fine to see.
    Lung,
    /// Under the skin and between organs.
    Fat,
    /// Skin and organs without a tissue of their own.
    Soft,
    /// Muscle.
    Muscle,
    /// Blood without contrast agent.
    Blood,
    /// Blood with contrast agent.
    Contrast,
    /// The dense outside of a bone.
    Cortical,
    /// The spongy inside of a bone.
    Marrow,
    /// Fluid around the brain and in it.
    Fluid,
    /// Cortex and deep nuclei.
    Grey,
    /// White matter.
    White,
}

impl Tissue {
    /// Every tissue.
    pub const ALL: [Self; 12] = [
        Self::Air,
        Self::Lung,
        Self::Fat,
        Self::Soft,
        Self::Muscle,
        Self::Blood,
        Self::Contrast,
        Self::Cortical,
        Self::Marrow,
        Self::Fluid,
        Self::Grey,
        Self::White,
    ];

    /// Lowest and highest value of a CT phantom in Hounsfield units, texture included: 60 keV, about what 120 kV give.
    ///
    /// Lesions lie outside: they are a tissue plus or minus what makes them visible.
    #[must_use]
    pub const fn range_hu(self) -> [f64; 2] {
        match self {
            Self::Air => [-1000.0, -1000.0],
            Self::Lung => [-930.0, -740.0],
            Self::Fat => [-120.0, -80.0],
            Self::Soft => [20.0, 60.0],
            Self::Muscle => [35.0, 75.0],
            Self::Blood => [30.0, 60.0],
            Self::Contrast => [150.0, 350.0],
            Self::Cortical => [600.0, 1500.0],
            Self::Marrow => [50.0, 400.0],
            Self::Fluid => [0.0, 16.0],
            Self::Grey => [32.0, 46.0],
            Self::White => [22.0, 34.0],
        }
    }

    /// How far texture may move a value from the middle, in Hounsfield units.
    pub(super) const fn texture_hu(self) -> f64 {
        match self {
            Self::Air => 0.0,
            Self::Lung => 35.0,
            Self::Cortical => 80.0,
            Self::Marrow => 60.0,
            Self::Fluid => 2.0,
            Self::Grey | Self::White => 3.0,
            Self::Fat | Self::Soft | Self::Muscle | Self::Blood | Self::Contrast => 6.0,
        }
    }

    /// Signal of a T1-weighted image, white matter being 1, and how far texture may move it.
    pub(super) const fn t1(self) -> [f64; 2] {
        match self {
            Self::Air | Self::Lung => [0.0, 0.0],
            Self::Fat => [1.15, 0.05],
            Self::Soft => [0.55, 0.05],
            Self::Muscle => [0.5, 0.05],
            Self::Blood | Self::Contrast => [0.35, 0.05],
            Self::Cortical => [0.06, 0.02],
            Self::Marrow => [0.7, 0.1],
            Self::Fluid => [0.22, 0.02],
            Self::Grey => [0.72, 0.04],
            Self::White => [1.0, 0.04],
        }
    }
}
