//! Noise of single pixels.

use kd_image::Image;

use super::draw::Draw;
use super::{DegradeError, same_grid};

pub(super) fn gaussian(clean: &Image<2>, sigma: f64, draw: &mut Draw) -> Result<Image<2>, DegradeError> {
    let noisy = clean.values().iter().map(|&value| (f64::from(value) + sigma * draw.normal()) as f32);
    same_grid(clean, noisy.collect())
}

pub(super) fn rician(clean: &Image<2>, sigma: f64, draw: &mut Draw) -> Result<Image<2>, DegradeError> {
    let noisy = clean.values().iter().map(|&value| {
        let (real, imaginary) = (f64::from(value) + sigma * draw.normal(), sigma * draw.normal());
        real.hypot(imaginary) as f32
    });
    same_grid(clean, noisy.collect())
}
