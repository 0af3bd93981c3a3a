//! Sliding windows: what they give is what the network gives, whatever the size, the order and the threads.

use std::sync::OnceLock;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use kd_core::{Head, Network, initialize};
use kd_image::{Geometry, Image, Intensity};
use kd_segment::{
    Block, InferenceError, NetworkDesign, Norm, Segmented, SlidingWindow, UNet, Weighting, named_classes,
};

const HEAD: Head = Head::Softmax { classes: 3 };

fn network() -> &'static UNet<5> {
    static NETWORK: OnceLock<UNet<5>> = OnceLock::new();
    NETWORK.get_or_init(|| {
        let spec = NetworkDesign::new(4, 2, Block::Plain, Norm::Instance).spec::<3>(2, 3).unwrap();
        initialize(spec.init(&Device::flex()), 3)
    })
}

fn volume(shape: [usize; 3]) -> Image<3> {
    let grid = Geometry::<3>::with_spacing(shape, [2.0, 1.0, 0.5]).unwrap();
    let points = grid.n_points();
    let value = |n: usize| ((n * 7919 % 1009) as f32 / 504.5 - 1.0) + ((n / 97 % 5) as f32 - 2.0);
    Image::new(2, grid, Intensity::ZScore, (0..2 * points).map(value).collect()).unwrap()
}

fn window(patch: [usize; 3], mirror: Vec<usize>) -> SlidingWindow<3> {
    SlidingWindow { patch, overlap: 0.5, weighting: Weighting::Gaussian, mirror }
}

fn segment(window: &SlidingWindow<3>, image: &Image<3>) -> Segmented<3> {
    window.segment(network(), image, HEAD, Some(1), &Device::flex()).unwrap()
}

/// Answers with its own input: what comes out of the blend is what went in.
#[derive(Module, Debug)]
struct Echo {
    unused: Option<burn::module::Param<Tensor<1>>>,
}

impl Network<5, 5> for Echo {
    fn forward(&self, input: Tensor<5>) -> Tensor<5> {
        input
    }
}

impl Network<4, 4> for Echo {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        input
    }
}

#[test]
fn one_window_over_the_whole_image_is_a_plain_forward_pass() {
    let image = volume([8, 12, 16]);
    let input = Tensor::<5>::from_data(TensorData::new(image.values().to_vec(), [1, 2, 8, 12, 16]), &Device::flex());
    let logits: Vec<f32> = network().forward(input).into_data().try_into_vec().unwrap();
    let segmented = segment(&window([8, 12, 16], vec![]), &image);
    assert_eq!(segmented.labels.labels(), named_classes(&logits, 3));
    let shown: std::collections::BTreeSet<u16> = segmented.labels.labels().iter().copied().collect();
    assert!(shown.len() > 1, "a test of one class alone shows little: {shown:?}");
}

/// Blends the echo of an image whose channels stand for classes; every class's probability shows the blended logits.
fn echoed(shape: [usize; 3], window: &SlidingWindow<3>) {
    let image = volume(shape);
    let points = image.geometry().n_points();
    let head = Head::TwoClassSoftmax;
    let segmented = window.segment(&Echo { unused: None }, &image, head, Some(1), &Device::flex()).unwrap();
    assert_eq!(segmented.labels.geometry(), image.geometry());
    let probability = segmented.probability.unwrap();
    for point in 0..points {
        let difference = image.channel(1)[point] - image.channel(0)[point];
        let expected = 1.0 / (1.0 + (-difference).exp());
        assert!((probability.values()[point] - expected).abs() < 1e-5, "{shape:?} at {point}");
    }
    let named = named_classes(image.values(), 2);
    let wrong = segmented.labels.labels().iter().zip(&named).filter(|(a, b)| a != b).count();
    assert_eq!(wrong, 0, "{shape:?}");
}

#[test]
fn blending_windows_that_agree_changes_nothing() {
    for weighting in [Weighting::Gaussian, Weighting::Flat] {
        for overlap in [0.0, 0.5, 0.7] {
            echoed([13, 9, 11], &SlidingWindow { patch: [4, 4, 6], overlap, weighting, mirror: vec![] });
        }
    }
}

#[test]
fn an_image_smaller_than_its_patch_is_padded_and_cut_back() {
    echoed([3, 9, 2], &window([4, 4, 8], vec![]));
    echoed([1, 1, 1], &window([4, 4, 4], vec![0]));
}

#[test]
fn reflections_are_turned_back() {
    echoed([9, 7, 10], &window([4, 6, 4], vec![0, 2]));
}

#[test]
fn mirrored_answers_are_the_same_for_a_mirrored_image() {
    let image = volume([8, 8, 8]);
    let flipped: Vec<f32> = image.values().chunks_exact(8).flat_map(|row| row.iter().rev().copied()).collect();
    let flipped = Image::new(2, image.geometry().clone(), Intensity::ZScore, flipped).unwrap();
    let mirrored = window([8, 8, 8], vec![2]);
    let (of_image, of_flipped) = (segment(&mirrored, &image), segment(&mirrored, &flipped));
    let back: Vec<f32> =
        of_flipped.probability.unwrap().values().chunks_exact(8).flat_map(|row| row.iter().rev().copied()).collect();
    let differ = |a: &[f32]| a.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
    assert!(differ(of_image.probability.as_ref().unwrap().values()) < 1e-5);
    // Without reflections the network does tell sides apart.
    assert!(differ(segment(&window([8, 8, 8], vec![]), &image).probability.unwrap().values()) > 1e-3);
}

#[test]
fn the_answer_does_not_depend_on_threads() {
    let image = volume([13, 20, 18]);
    let windows = window([8, 8, 8], vec![]);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| segment(&windows, &image))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn planes_take_the_way_of_volumes() {
    let grid = Geometry::<2>::without_spacing([9, 13]).unwrap();
    let values: Vec<f32> = (0..117).map(|n| (n * 31 % 17) as f32 / 4.0 - 2.0).collect();
    let image = Image::new(1, grid, Intensity::ZScore, values.clone()).unwrap();
    let windows = SlidingWindow { patch: [4, 6], overlap: 0.5, weighting: Weighting::Gaussian, mirror: vec![1] };
    let found = windows.segment(&Echo { unused: None }, &image, Head::OneChannel, Some(1), &Device::flex()).unwrap();
    let probability = found.probability.unwrap();
    for (point, value) in values.iter().enumerate() {
        let expected = 1.0 / (1.0 + (-value).exp());
        assert!((probability.values()[point] - expected).abs() < 1e-5, "{point}");
        // Logits of exactly 0 may round to either side.
        assert!(*value == 0.0 || found.labels.labels()[point] == u16::from(*value > 0.0), "{point}");
    }
    assert_eq!(windows.n_passes([9, 13]).unwrap(), 4 * 4 * 2);
}

#[test]
fn what_cannot_be_segmented_is_refused_in_words() {
    let image = volume([4, 4, 4]);
    let with = |window: SlidingWindow<3>, head, class| {
        window.segment(network(), &image, head, class, &Device::flex()).unwrap_err()
    };
    let plain = window([4, 4, 4], vec![]);
    assert!(matches!(with(window([0, 4, 4], vec![]), HEAD, None), InferenceError::Patch { .. }));
    assert!(matches!(with(window([4, 4, 4], vec![1, 1]), HEAD, None), InferenceError::Mirror { .. }));
    assert!(matches!(with(window([4, 4, 4], vec![3]), HEAD, None), InferenceError::Mirror { highest: 2, .. }));
    let wide = SlidingWindow { overlap: 1.0, ..plain.clone() };
    assert_eq!(with(wide, HEAD, None).to_string(), "overlap is 1, expected a share from 0 to 0.95");
    assert!(matches!(with(plain.clone(), Head::MultiLabel { labels: 3 }, None), InferenceError::Head { .. }));
    assert!(matches!(with(plain.clone(), HEAD, Some(3)), InferenceError::Class { highest: 2, .. }));
    let four = with(plain, Head::Softmax { classes: 4 }, None).to_string();
    assert_eq!(four, "network answers a patch with [1, 3, 4, 4, 4], expected [1, 4, 4, 4, 4]");
}
