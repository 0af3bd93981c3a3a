//! Noise-power spectrum over frequency: how strong the noise is, and how coarse.
//!
//! Networks that restore images lower noise and change its texture; a standard deviation shows the first alone. Regions are
//! small, so the Fourier transform is written as the sums that define it: no library, and exact for every size.

use rayon::prelude::*;

use super::images::{check_intensities, varies, within_numbers};
use crate::grid::Grid;
use crate::undefined::{Score, Undefined, check_length};

/// A box of an image that holds noise and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoiseRegion {
    /// First point along depth, height and width; the depth of a plane is 0.
    pub start: [usize; 3],
    /// Points along depth, height and width; the depth of a plane is 1. Every slice is a sample of its own.
    pub size: [usize; 3],
}

/// What is taken away from a slice of a region before its spectrum, so that shading does not count as noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detrend {
    /// The mean.
    Mean,
    /// The plane of least squares.
    Plane,
}

impl Detrend {
    /// Its name in a protocol string.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Plane => "plane",
        }
    }
}

/// The radial noise-power spectrum of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisePower {
    bins: Vec<NoiseBin>,
    variance: f64,
    slices: usize,
    detrend: Detrend,
}

/// One ring of frequencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseBin {
    /// Mean frequency of the ring in cycles per mm.
    pub frequency_per_mm: f64,
    /// Mean power in it, in squared units of the image times mm² (HU² mm²).
    pub power: f64,
}

impl NoisePower {
    /// The rings by rising frequency, up to the smaller of the two Nyquist frequencies, without frequency 0.
    #[must_use]
    pub fn bins(&self) -> &[NoiseBin] {
        &self.bins
    }

    /// Variance of the noise: the integral of the power over all frequencies, corners beyond the rings too.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// Frequency in cycles per mm, averaged over the rings by their power: lower means coarser, blotchier noise.
    ///
    /// # Errors
    /// [`Undefined::ZeroVariance`] without noise.
    pub fn mean_frequency_per_mm(&self) -> Score {
        let power: f64 = self.bins.iter().map(|bin| bin.power).sum();
        if power == 0.0 {
            return Err(Undefined::ZeroVariance { what: "noise" });
        }
        Ok(self.bins.iter().map(|bin| bin.frequency_per_mm * bin.power).sum::<f64>() / power)
    }

    /// How it was measured.
    #[must_use]
    pub fn protocol(&self) -> String {
        let (slices, detrend) = (self.slices, self.detrend.name());
        format!(
            "noise power, 2D, mean of {slices} region slices, {detrend} subtracted, no taper, rings of one frequency step"
        )
    }
}

/// Noise-power spectrum `Δy Δx / (N_y N_x) · |DFT|²` of boxes, averaged over boxes and slices, then over rings of equal
/// frequency.
///
/// # Shapes
/// `image` as the grid, last axis fastest. All regions have the same height and width.
///
/// # Policy
/// `detrend` is taken away from every slice, and where that leaves rounding only there is no noise; no taper. Rings are one step wide, the larger of the two axes' steps
/// `1 / (N Δ)`, centred on its multiples, the lower edge included; frequency 0 and what lies beyond the smaller Nyquist
/// frequency belong to no ring.
///
/// # Errors
/// Another length than the grid has points, an intensity that is NaN or infinite, no region, regions that leave the image or
/// differ in size, a side of fewer than 4 points.
///
/// # Source
/// Siewerdsen et al. 2002; ICRU Report 87.
///
/// # Example
/// ```
/// use kd_metrics::{Detrend, Grid, NoiseRegion, noise_power};
/// // Columns that alternate: all power stands at the highest frequency, 1 / (2 · 0.5 mm), in the last ring.
/// let image: Vec<f64> = (0..64).map(|i| if i % 2 == 0 { 3.0 } else { -3.0 }).collect();
/// let region = NoiseRegion { start: [0, 0, 0], size: [1, 8, 8] };
/// let noise = noise_power(&image, &Grid::plane([8, 8], [0.5, 0.5])?, &[region], Detrend::Mean)?;
/// assert!((noise.variance() - 9.0).abs() < 1e-12);
/// let last = noise.bins().last().expect("four rings");
/// assert!((noise.mean_frequency_per_mm()? - last.frequency_per_mm).abs() < 1e-12);
/// # Ok::<(), kd_metrics::Undefined>(())
/// ```
pub fn noise_power(
    image: &[f64],
    grid: &Grid,
    regions: &[NoiseRegion],
    detrend: Detrend,
) -> Result<NoisePower, Undefined> {
    check_length("image", grid.points(), image.len())?;
    check_intensities("intensity", image)?;
    let slices = slices(grid, regions)?;
    let [_, height, width] = regions[0].size;
    let spectra: Vec<Vec<f64>> = slices
        .par_iter()
        .map(|&start| {
            let row = |y: usize| image[start + y * grid.shape3()[2]..][..width].iter().copied();
            let mut values: Vec<f64> = (0..height).flat_map(row).collect();
            let before = values.clone();
            subtract_trend(&mut values, height, width, detrend);
            if !varies(&values, &before) {
                values.fill(0.0);
            }
            squared_spectrum(&values, height, width)
        })
        .collect();
    let mut squared = vec![0.0; height * width];
    for spectrum in &spectra {
        squared.iter_mut().zip(spectrum).for_each(|(sum, value)| *sum += value);
    }
    let points = (height * width) as f64;
    let [_, y_mm, x_mm] = grid.spacing3_mm();
    let power: Vec<f64> = squared.iter().map(|sum| sum / slices.len() as f64 * y_mm * x_mm / points).collect();
    let variance = within_numbers(power.iter().sum::<f64>() / (points * y_mm * x_mm))?;
    let bins = rings(&power, [height, width], [y_mm, x_mm]);
    Ok(NoisePower { bins, variance, slices: slices.len(), detrend })
}

/// Where in memory each slice of each region starts.
fn slices(grid: &Grid, regions: &[NoiseRegion]) -> Result<Vec<usize>, Undefined> {
    let shape = grid.shape3();
    let Some(first) = regions.first() else {
        return Err(Undefined::NotEnough { what: "noise regions", expected: 1, found: 0 });
    };
    let side = first.size[1].min(first.size[2]);
    if side < 4 {
        return Err(Undefined::NotEnough { what: "points along a side of a noise region", expected: 4, found: side });
    }
    let mut starts = Vec::new();
    for region in regions {
        check_length("height of a noise region", first.size[1], region.size[1])?;
        check_length("width of a noise region", first.size[2], region.size[2])?;
        for ((&start, &size), &points) in region.start.iter().zip(&region.size).zip(&shape) {
            if size == 0 || start.checked_add(size).is_none_or(|end| end > points) {
                return Err(Undefined::OutOfRange {
                    what: "end of a noise region",
                    expected: "inside the image, and after its start",
                    found: start as f64 + size as f64,
                });
            }
        }
        let [depth, row, column] = region.start;
        starts.extend((depth..depth + region.size[0]).map(|z| (z * shape[1] + row) * shape[2] + column));
    }
    Ok(starts)
}

fn subtract_trend(values: &mut [f64], height: usize, width: usize, detrend: Detrend) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    // Places about their middle are orthogonal to each other and to a constant, so each slope is a sum of its own.
    let place = |index: usize| {
        let middle = |points: usize| (points - 1) as f64 / 2.0;
        [(index / width) as f64 - middle(height), (index % width) as f64 - middle(width)]
    };
    let mut slopes = [0.0; 2];
    if detrend == Detrend::Plane {
        for (axis, slope) in slopes.iter_mut().enumerate() {
            let (mut product, mut square) = (0.0, 0.0);
            for (index, value) in values.iter().enumerate() {
                product += place(index)[axis] * (value - mean);
                square += place(index)[axis].powi(2);
            }
            *slope = product / square;
        }
    }
    for (index, value) in values.iter_mut().enumerate() {
        let [y, x] = place(index);
        *value -= mean + slopes[0] * y + slopes[1] * x;
    }
}

/// `|Σ v exp(−2πi (k_y y / N_y + k_x x / N_x))|²` for all frequencies, first along the width, then along the height.
fn squared_spectrum(values: &[f64], height: usize, width: usize) -> Vec<f64> {
    let turn = |points: usize| -> Vec<(f64, f64)> {
        (0..points).map(|i| (-std::f64::consts::TAU * i as f64 / points as f64).sin_cos()).collect()
    };
    let (x_turn, y_turn) = (turn(width), turn(height));
    let mut lines = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        for frequency in 0..width {
            lines.push(row.iter().enumerate().fold((0.0, 0.0), |(re, im), (x, value)| {
                let (sin, cos) = x_turn[frequency * x % width];
                (re + value * cos, im + value * sin)
            }));
        }
    }
    let mut squared = Vec::with_capacity(values.len());
    for frequency in 0..height {
        for column in 0..width {
            let (re, im) = (0..height).fold((0.0, 0.0), |(re, im), y| {
                let ((sin, cos), (a, b)) = (y_turn[frequency * y % height], lines[y * width + column]);
                (re + a * cos - b * sin, im + a * sin + b * cos)
            });
            squared.push(re * re + im * im);
        }
    }
    squared
}

fn rings(power: &[f64], size: [usize; 2], spacing_mm: [f64; 2]) -> Vec<NoiseBin> {
    let step = |axis: usize| 1.0 / (size[axis] as f64 * spacing_mm[axis]);
    let ring_width = step(0).max(step(1));
    let nyquist = 0.5 / spacing_mm[0].max(spacing_mm[1]);
    let signed = |index: usize, points: usize| if 2 * index > points { points - index } else { index } as f64;
    let count = (nyquist / ring_width + 0.5 + 1e-9).floor() as usize;
    let mut sums = vec![(0.0, 0.0, 0_u64); count + 1];
    for (index, &value) in power.iter().enumerate() {
        let (y, x) = (signed(index / size[1], size[0]) * step(0), signed(index % size[1], size[1]) * step(1));
        let frequency = y.hypot(x);
        // A hair below the edge of a ring is on it, and a hair above Nyquist is Nyquist.
        let ring = (frequency / ring_width + 0.5 + 1e-9).floor() as usize;
        if ring > 0 && ring <= count && frequency <= nyquist * (1.0 + 1e-12) {
            let sum = &mut sums[ring];
            *sum = (sum.0 + frequency, sum.1 + value, sum.2 + 1);
        }
    }
    let filled = sums.into_iter().filter(|sum| sum.2 > 0);
    filled.map(|(f, p, n)| NoiseBin { frequency_per_mm: f / n as f64, power: p / n as f64 }).collect()
}
