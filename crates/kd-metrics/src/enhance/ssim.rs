//! Structural similarity, in the two variants that papers mean by the name.

use super::filter::{Images, Window, sum_of_local};
use super::images::{ImagePair, check_range, within_numbers};
use crate::undefined::{Score, Undefined};

/// Which SSIM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SsimVariant {
    /// Wang et al. 2004: Gaussian window of 11 points and σ 1.5 along each axis, population (co)variance.
    Reference,
    /// scikit-image's default: uniform window of 7 points along each axis, sample (co)variance with `n − 1`.
    Skimage,
}

impl SsimVariant {
    pub(crate) fn window(self) -> Window {
        match self {
            Self::Reference => Window::gaussian(11, 1.5),
            Self::Skimage => Window::uniform(7),
        }
    }

    /// What the population covariance is multiplied by.
    fn covariance_factor(self, axes: usize) -> f64 {
        match self {
            Self::Reference => 1.0,
            Self::Skimage => {
                let points = if axes == 3 { 343.0 } else { 49.0 };
                points / (points - 1.0)
            }
        }
    }
}

/// Structural similarity, mean over all places of
/// `(2 μ_p μ_t + C₁)(2 σ_pt + C₂) / ((μ_p² + μ_t² + C₁)(σ_p² + σ_t² + C₂))`, at most 1, higher is better.
///
/// # Policy
/// `C₁ = (0.01 range)²`, `C₂ = (0.03 range)²`; `range` is what intensities can take, never read off the image. Only places
/// where the whole window fits count (5 points of border are trimmed for the reference, 3 for scikit-image). A plane has a
/// square window, a volume a cubic one: a volume's SSIM is not the mean of its slices'. One channel. Constant images have a
/// value, by C₁ and C₂. Identical images give 1.
///
/// # Errors
/// A range that is not finite and above zero; an axis shorter than the window.
///
/// # Source
/// Wang et al. 2004, equation 13, and their program; scikit-image `structural_similarity` with `data_range=range`.
///
/// # Deviations
/// Variances are taken about the mean of the reference image, which is subtracted first: the same in exact arithmetic, and
/// more digits for images far from zero. No down-sampling of large images before, which Wang's later script suggests.
///
/// # Example
/// ```
/// # use kd_metrics::{ImagePair, SsimVariant, ssim};
/// // Constant images: (2 · 1 · 2 + C₁) / (1 + 4 + C₁) with C₁ = 0.01².
/// let pair = ImagePair::plane([11, 11], &[1.0; 121], &[2.0; 121])?;
/// let expected = (4.0 + 1e-4) / (5.0 + 1e-4);
/// assert!((ssim(&pair, 1.0, SsimVariant::Reference)? - expected).abs() < 1e-14);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn ssim(pair: &ImagePair<'_>, range: f64, variant: SsimVariant) -> Score {
    check_range(range)?;
    let constants = Constants::new(pair, range, variant);
    let found = sum_of_local(
        constants.images(pair),
        &variant.window(),
        |x, y| constants.products(x, y),
        |means| {
            let (luminance, structure) = constants.parts(means);
            [luminance.0 * structure.0 / (luminance.1 * structure.1)]
        },
    );
    let ([sum], places) = found.ok_or_else(|| too_small(pair.shape(), variant.window().length()))?;
    within_numbers(sum / places as f64)
}

/// The mean of SSIM, and the mean of its contrast and structure part alone.
pub(super) fn ssim_and_structure(pair: &ImagePair<'_>, range: f64) -> Result<[f64; 2], Undefined> {
    let variant = SsimVariant::Reference;
    let constants = Constants::new(pair, range, variant);
    let found = sum_of_local(
        constants.images(pair),
        &variant.window(),
        |x, y| constants.products(x, y),
        |means| {
            let (luminance, structure) = constants.parts(means);
            let part = structure.0 / structure.1;
            [luminance.0 / luminance.1 * part, part]
        },
    );
    let (sums, places) = found.ok_or_else(|| too_small(pair.shape(), variant.window().length()))?;
    Ok(sums.map(|sum| sum / places as f64))
}

/// What the formula needs besides the windowed means.
struct Constants {
    c1: f64,
    c2: f64,
    offset: f64,
    factor: f64,
}

impl Constants {
    fn new(pair: &ImagePair<'_>, range: f64, variant: SsimVariant) -> Self {
        Self {
            c1: (0.01 * range).powi(2),
            c2: (0.03 * range).powi(2),
            offset: pair.true_mean(),
            factor: variant.covariance_factor(pair.axes()),
        }
    }

    fn images<'a>(&self, pair: &'a ImagePair<'_>) -> Images<'a> {
        Images { shape: pair.shape3(), axes: pair.axes(), x: pair.prediction(), y: pair.truth() }
    }

    /// Both values about the offset, the sum of their squares (the formula needs no more) and their product.
    fn products(&self, x: f64, y: f64) -> [f64; 4] {
        let (x, y) = (x - self.offset, y - self.offset);
        [x, y, x * x + y * y, x * y]
    }

    /// Numerator and denominator of the luminance part, and of the contrast and structure part.
    fn parts(&self, [x, y, squares, product]: [f64; 4]) -> ((f64, f64), (f64, f64)) {
        let variances = self.factor * (squares - x * x - y * y);
        let covariance = self.factor * (product - x * y);
        let (x, y) = (x + self.offset, y + self.offset);
        let luminance = (2.0 * x * y + self.c1, x * x + y * y + self.c1);
        (luminance, (2.0 * covariance + self.c2, variances + self.c2))
    }
}

/// The shortest axis of an image that a window does not fit into.
pub(super) fn too_small(shape: &[usize], expected: usize) -> Undefined {
    let found = shape.iter().copied().min().unwrap_or(0);
    Undefined::NotEnough { what: "points along the shortest axis", expected, found }
}
