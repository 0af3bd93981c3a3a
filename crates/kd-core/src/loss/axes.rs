//! A matrix applied along one spatial axis: pooling, windows and transforms are all this, in two and three dimensions.
//!
//! Burn pools and convolves in fixed ranks; a product with a small matrix needs no rank and has a gradient everywhere.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// Multiplies `[out, length]` into axis `axis` of `[batch, channel, position]`, whose positions have shape `spatial`.
pub(super) fn along(values: Tensor<3>, spatial: &mut [usize], axis: usize, matrix: Tensor<2>) -> Tensor<3> {
    let [batch, channels, _] = values.dims();
    let before = batch * channels * spatial[..axis].iter().product::<usize>();
    let after = spatial[axis + 1..].iter().product::<usize>();
    let [out, length] = matrix.dims();
    let matrix = matrix.unsqueeze::<3>().expand([before, out, length]);
    let product = matrix.matmul(values.reshape([before, length, after]));
    spatial[axis] = out;
    product.reshape([batch, channels, spatial.iter().product()])
}

/// A matrix `[rows, columns]` by its entries.
pub(super) fn matrix(
    [rows, columns]: [usize; 2],
    (device, dtype): (&Device, DType),
    entry: impl Fn(usize, usize) -> f64,
) -> Tensor<2> {
    let entries: Vec<f64> =
        (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).map(|(i, j)| entry(i, j)).collect();
    Tensor::from_data(TensorData::new(entries, [rows, columns]), (device, dtype))
}

/// Averages over at most `per_axis` bins along each axis, of valid positions only; bins as PyTorch's adaptive pooling.
///
/// Gives nodes `[batch, channel, node]` and 1 or 0 for nodes with and without a valid position, `[batch, 1, node]`.
pub(super) fn nodes(
    values: Tensor<3>,
    weight: &Tensor<3>,
    spatial: &[usize],
    per_axis: usize,
) -> (Tensor<3>, Tensor<3>) {
    let (mut sums, mut counts) = (values * weight.clone(), weight.clone());
    let options = (&weight.device(), weight.dtype());
    let (mut of_sums, mut of_counts) = (spatial.to_vec(), spatial.to_vec());
    for (axis, &length) in spatial.iter().enumerate() {
        let bins = per_axis.min(length);
        let pool = matrix([bins, length], options, |bin, at| {
            let (start, end) = (bin * length / bins, ((bin + 1) * length).div_ceil(bins));
            f64::from(u8::from((start..end).contains(&at)))
        });
        sums = along(sums, &mut of_sums, axis, pool.clone());
        counts = along(counts, &mut of_counts, axis, pool);
    }
    let empty = counts.clone().equal_elem(0.0);
    let present = counts.ones_like().mask_fill(empty.clone(), 0.0);
    (sums / counts.mask_fill(empty, 1.0), present)
}
