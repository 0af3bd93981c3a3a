//! A coarser image of the same thing: blurred, then averaged over blocks.

use kd_image::Image;

use super::DegradeError;

pub(super) fn downsample(clean: &Image<2>, factor: usize, sigma: f64) -> Result<Image<2>, DegradeError> {
    let [rows, columns] = clean.geometry().shape();
    if rows % factor != 0 || columns % factor != 0 {
        return Err(DegradeError::Grid {
            kind: "downsample",
            expected: format!("rows and columns that {factor} divides"),
            found: format!("{rows} x {columns}"),
            hint: "crop or resize the clean images first",
        });
    }
    let weights = blur_weights(sigma);
    let coarse = clean.geometry().with_shape([rows / factor, columns / factor])?;
    let mut values = Vec::with_capacity(coarse.n_points() * clean.channels());
    for channel in 0..clean.channels() {
        let blurred = blur(clean.channel(channel), [rows, columns], &weights);
        values.extend(block_means(&blurred, columns, factor));
    }
    Ok(Image::new(clean.channels(), coarse, clean.intensity(), values)?)
}

/// Half of a Gaussian, its middle first; both halves together add up to 1.
fn blur_weights(sigma: f64) -> Vec<f64> {
    if sigma <= 0.0 {
        return vec![1.0];
    }
    let reach = (4.0 * sigma + 0.5) as usize;
    let weights: Vec<f64> = (0..=reach).map(|n| (-0.5 * (n as f64 / sigma).powi(2)).exp()).collect();
    let sum = 2.0 * weights.iter().sum::<f64>() - weights[0];
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn blur(values: &[f32], [rows, columns]: [usize; 2], weights: &[f64]) -> Vec<f64> {
    let pass = |values: &[f64], count: usize, stride: usize, along: &dyn Fn(usize) -> usize| -> Vec<f64> {
        let of = |n: usize| {
            let (place, value) = (along(n), |to: usize| values[n - along(n) * stride + to * stride]);
            let side = |(reach, weight): (usize, &f64)| {
                let both = value(place.saturating_sub(reach)) + value((place + reach).min(count - 1));
                if reach == 0 { weight * both / 2.0 } else { weight * both }
            };
            weights.iter().enumerate().map(side).sum::<f64>()
        };
        (0..values.len()).map(of).collect()
    };
    let values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    let along_rows = pass(&values, columns, 1, &|n| n % columns);
    pass(&along_rows, rows, columns, &|n| n / columns)
}

fn block_means(values: &[f64], columns: usize, factor: usize) -> Vec<f32> {
    let mut means = Vec::with_capacity(values.len() / (factor * factor));
    for rows in values.chunks_exact(columns * factor) {
        for block in 0..columns / factor {
            let row = |row: &[f64]| row[block * factor..(block + 1) * factor].iter().sum::<f64>();
            let sum: f64 = rows.chunks_exact(columns).map(row).sum();
            means.push((sum / (factor * factor) as f64) as f32);
        }
    }
    means
}
