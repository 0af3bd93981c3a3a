//! Inputs of the benches: seeded, so that two runs time the same work.

pub mod family;
mod inference;
pub mod kernels;
pub mod work;

use burn::tensor::{Device, Tensor, TensorData};
use kd_core::{Purpose, stream};
use kd_image::{Geometry, Image, Intensity, Sample, SampleId, SubjectId, Target};
use rand_chacha::rand_core::Rng;

/// `n` numbers in −1 to 1.
#[must_use]
pub fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = stream(seed, Purpose::Order, 0, "bench");
    #[expect(clippy::cast_precision_loss, reason = "24 random bits fit an f32")]
    let unit = |bits: u32| (bits >> 8) as f32 / 16_777_216.0;
    (0..n).map(|_| 2.0 * unit(rng.next_u32()) - 1.0).collect()
}

/// A tensor of numbers in −4 to 4, as logits are.
#[must_use]
pub fn logits<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    Tensor::<D>::from_data(TensorData::new(numbers(shape.iter().product(), seed), shape), device).mul_scalar(4.0)
}

/// Samples of one grey image each, half of them positive.
///
/// # Panics
/// Never for a size above 0.
#[must_use]
pub fn samples(n: usize, size: usize) -> Vec<Sample<2>> {
    let geometry = Geometry::without_spacing([size, size]).expect("a size above 0");
    (0..n)
        .map(|index| Sample {
            id: SampleId::new(format!("s{index}")).expect("a plain name"),
            subject: SubjectId::new(format!("p{index}")).expect("a plain name"),
            image: Image::new(1, geometry.clone(), Intensity::ZScore, numbers(size * size, index as u64))
                .expect("as many values as points"),
            target: Target::Class(u16::from(index % 2 == 1)),
        })
        .collect()
}

/// The most memory that this process has had, in bytes; 0 where the system does not tell.
#[must_use]
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
