//! What a pixel's number means.

/// What the numbers of an image stand for.
///
/// A network is trained on one meaning and must refuse another, so the meaning is a value and no convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intensity {
    /// X-ray attenuation in Hounsfield units: −1000 is air, 0 is water.
    Hounsfield,
    /// Numbers as they were stored, in `0..2^bits`; no physical unit.
    Stored {
        /// Significant bits of a stored value.
        bits: u8,
    },
    /// Stored numbers divided by their largest possible value: 0 to 1.
    Unit,
    /// Mean 0 and standard deviation 1 over a population that the preparation names.
    ZScore,
    /// Numbers with an order but no unit, as in most magnetic resonance images.
    Arbitrary,
}

impl Intensity {
    /// The name used in manifests and packages.
    ///
    /// ```
    /// assert_eq!(kd_image::Intensity::Stored { bits: 12 }.name(), "stored");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hounsfield => "hounsfield",
            Self::Stored { .. } => "stored",
            Self::Unit => "unit",
            Self::ZScore => "z-score",
            Self::Arbitrary => "arbitrary",
        }
    }
}
