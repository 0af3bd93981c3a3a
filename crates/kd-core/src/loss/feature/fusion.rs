//! ReviewKD's fusion: the student's stages are joined from the deepest up, each weighed by attention.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, activation::sigmoid};

use super::Projection;
use crate::loss::{
    axes::{along, matrix},
    operands::flatten,
};

/// Joins the stages of a student from the deepest to the shallowest, one map of the teacher's channels for each.
///
/// At stage i, `x_i = P_i(F_i)`; with the joined map `u` of the deeper stage, enlarged to the size of `x_i` by repeating
/// pixels, `x_i ← a_1 x_i + a_2 u` with attention maps `a = σ(A_i [x_i, u])`; the output is a 3×3 convolution of `x_i`.
/// Compare each output with the teacher's stage by [`HierarchicalContext`](super::HierarchicalContext).
///
/// # Policy
/// Two spatial axes. Trained with the student and no part of it.
///
/// # Source
/// Chen et al. 2021, "Distilling Knowledge via Knowledge Review", arXiv 2104.09044, section 3.3 and figure 3 (ABF).
///
/// # Deviations
/// No batch normalisation after the convolutions, so the adaptor is the same in training and out of it; they have
/// biases instead.
///
/// # Example
/// ```
/// use burn::tensor::{Device, Tensor};
/// use kd_core::{initialize, loss::feature::ReviewFusion};
///
/// let device = Device::flex();
/// // Two stages, shallow first: 4 and 8 channels of the student, 16 and 32 of the teacher.
/// let fusion = initialize(ReviewFusion::new(&[(4, 16), (8, 32)], 8, &device), 1);
/// let stages = vec![Tensor::<4>::ones([2, 4, 8, 8], &device), Tensor::ones([2, 8, 4, 4], &device)];
/// let outputs: Vec<_> = fusion.forward(stages).iter().map(|map| map.dims()).collect();
/// assert_eq!(outputs, [[2, 16, 8, 8], [2, 32, 4, 4]]);
/// ```
#[derive(Module, Debug)]
pub struct ReviewFusion {
    stages: Vec<Stage>,
}

#[derive(Module, Debug)]
struct Stage {
    project: Projection,
    attention: Projection,
    smooth: Conv2d,
}

impl ReviewFusion {
    /// Makes a fusion for stages from shallow to deep, each with the channels of student and teacher, joined in
    /// `middle` channels.
    #[must_use]
    pub fn new(channels: &[(usize, usize)], middle: usize, device: &Device) -> Self {
        let stage = |&(student, teacher): &(usize, usize)| Stage {
            project: Projection::new(student, middle, device),
            attention: Projection::new(2 * middle, 2, device),
            smooth: Conv2dConfig::new([middle, teacher], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
        };
        Self { stages: channels.iter().map(stage).collect() }
    }

    /// Joins the student's maps, shallow first, into one for each stage of the teacher.
    ///
    /// # Panics
    /// When the number of maps or their channels are others than it was made for.
    #[must_use]
    pub fn forward(&self, maps: Vec<Tensor<4>>) -> Vec<Tensor<4>> {
        assert_eq!(maps.len(), self.stages.len(), "review fusion: one map for each stage");
        let mut outputs = Vec::with_capacity(maps.len());
        let mut deeper: Option<Tensor<4>> = None;
        for (stage, map) in self.stages.iter().zip(maps).rev() {
            let mut joined = stage.project.forward(map);
            if let Some(deeper) = deeper {
                let deeper = enlarged(deeper, joined.dims());
                let weights = sigmoid(stage.attention.forward(Tensor::cat(vec![joined.clone(), deeper.clone()], 1)));
                joined = joined * weights.clone().narrow(1, 0, 1) + deeper * weights.narrow(1, 1, 1);
            }
            outputs.push(stage.smooth.forward(joined.clone()));
            deeper = Some(joined);
        }
        outputs.reverse();
        outputs
    }
}

/// Repeats pixels until a map has the size of another.
fn enlarged(map: Tensor<4>, [batch, channels, height, width]: [usize; 4]) -> Tensor<4> {
    let mut shape = map.dims()[2..].to_vec();
    let options = (&map.device(), map.dtype());
    let mut flat = flatten(map.clone());
    for (axis, out) in [height, width].into_iter().enumerate() {
        let length = shape[axis];
        let nearest = matrix([out, length], options, |row, at| f64::from(u8::from(row * length / out == at)));
        flat = along(flat, &mut shape, axis, nearest);
    }
    flat.reshape([batch, channels, height, width])
}
