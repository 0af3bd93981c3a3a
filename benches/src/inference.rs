//! Students on whole images, as `kd predict` runs them: a volume by sliding window, a slice at once, a large one in tiles.
//!
//! `benches/peers/work.py` gives the same networks, exported by PyTorch, to ONNX Runtime. Weights are random: they change
//! no time.

use burn::tensor::Device;
use kd_core::{Head, initialize};
use kd_enhance::Tiling;
use kd_image::{Geometry, Image, Intensity};
use kd_segment::{Block, NetworkDesign, Norm, SlidingWindow, Weighting};

use crate::numbers;

const VOLUME: [usize; 3] = [128, 256, 256];
const PATCH: [usize; 3] = [64; 3];

/// A denoiser of 3 × 3 convolutions, and how many numbers it learns; the peer's has as many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Denoiser {
    width: usize,
    layers: usize,
    norm: kd_enhance::Norm,
    parameters: u64,
}

/// The student of the recipe `head-ct_dncnn-32-to-8-10`.
pub(crate) const STUDENT: Denoiser = Denoiser { width: 10, layers: 8, norm: kd_enhance::Norm::None, parameters: 5_651 };
/// The teacher of the same recipe.
pub(crate) const TEACHER: Denoiser =
    Denoiser { width: 32, layers: 10, norm: kd_enhance::Norm::Batch, parameters: 74_849 };

/// The student of the recipe `hippocampus_u-net-16-to-5` on a volume of 256 × 256 × 128, three classes.
pub(crate) fn sliding_window() -> Box<dyn FnMut()> {
    let device = Device::flex();
    let spec = NetworkDesign::new(5, 3, Block::Plain, Norm::Instance).spec::<3>(1, 3).expect("a sound design");
    assert_eq!(spec.cost(PATCH).expect("a size that can be halved").parameters, 143_018);
    let network = initialize(spec.init(&device), 0);
    let grid = Geometry::<3>::without_spacing(VOLUME).expect("a grid");
    let values = numbers(VOLUME.iter().product(), 6);
    let image = Image::new(1, grid, Intensity::ZScore, values).expect("as many values as points");
    let window = SlidingWindow { patch: PATCH, overlap: 0.5, weighting: Weighting::Gaussian, mirror: vec![] };
    let head = Head::softmax(3).expect("three classes");
    Box::new(move || {
        let found = window.segment(&network, &image, head, None, &device).expect("a volume that can be cut");
        assert_eq!(found.labels.geometry().shape(), VOLUME);
    })
}

/// A denoiser on a slice of so many rows and columns.
pub(crate) fn restore(denoiser: Denoiser, side: usize) -> Box<dyn FnMut()> {
    let device = Device::flex();
    let mut design = kd_enhance::NetworkDesign::new(kd_enhance::Architecture::DnCnn, denoiser.width);
    (design.layers, design.norm) = (Some(denoiser.layers), Some(denoiser.norm));
    let spec = design.spec(1).expect("a sound design");
    let cost = kd_enhance::cost(&spec, [side; 2]).expect("a size that can be restored");
    assert_eq!(cost.parameters, denoiser.parameters);
    let network = initialize(spec.init(&device), 0);
    let grid = Geometry::<2>::without_spacing([side; 2]).expect("a grid");
    let image = Image::new(1, grid, Intensity::Unit, numbers(side * side, 7)).expect("as many values as points");
    Box::new(move || {
        let tiling = Tiling::exact(&spec, Tiling::SLICE_CORE);
        let restored = tiling.restore(&network, &spec, &image, &device).expect("a slice");
        assert_eq!(restored.geometry().shape(), [side; 2]);
    })
}
