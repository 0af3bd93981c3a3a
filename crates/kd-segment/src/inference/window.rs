//! A sliding window over an image: patches through the network, logits blended, labels slab by slab.

use burn::tensor::{Device, Tensor, TensorData};
use kd_core::{Head, Network};
use kd_image::{Image, Intensity, LabelMap};

use super::InferenceError;
use super::plan::{Axis, Weighting};
use super::slab::Slab;

/// How an image is cut into patches, and how their answers are joined.
///
/// # Policy
/// - Along each axis as few windows as lie at most `1 − overlap` of a patch apart, evenly spread from end to end.
/// - Where the image is smaller than the patch it lies in the patch's middle, its border points repeated.
/// - *Logits* are blended, not probabilities: of a window over the whole image that is the network's own answer, and a
///   softmax before the blend would cost an exponential for each class and point without changing which class is highest
///   where windows agree.
/// - A point is given the class of the highest blended logit, the first of equal ones; one channel is foreground above 0.
/// - `mirror` averages the logits over all combinations of reflections along these axes: `2^n` times the work. It asks
///   the network about organs on the wrong side, so it is right only where training flipped them too.
/// - Windows are taken one after the other in a fixed order, so the blend does not depend on threads.
///
/// # Memory
/// The label map, and `outputs × patch[0] × (points of one plane)` numbers of 4 bytes: for 100 classes on 384³ and a patch
/// of 96³, 113 MB of labels and 5.7 GB of slab instead of 22.6 GB for all logits. The network's own memory comes on top.
///
/// # Source
/// Isensee et al. 2021, "nnU-Net", doi 10.1038/s41592-020-01008-z: half overlap, Gaussian of an eighth of the patch.
///
/// # Example
/// ```
/// use burn::tensor::Device;
/// use kd_core::{Head, initialize};
/// use kd_image::{Geometry, Image, Intensity};
/// use kd_segment::{Block, NetworkDesign, Norm, SlidingWindow, Weighting};
/// let device = Device::flex();
/// let spec = NetworkDesign::new(2, 1, Block::Plain, Norm::Batch).spec::<2>(1, 3)?;
/// let network = initialize(spec.init(&device), 0);
/// let grid = Geometry::<2>::without_spacing([7, 9])?;
/// let image = Image::new(1, grid, Intensity::ZScore, (0..63u8).map(f32::from).collect())?;
/// let window = SlidingWindow { patch: [4, 4], overlap: 0.5, weighting: Weighting::Gaussian, mirror: vec![] };
/// let segmented = window.segment(&network, &image, Head::softmax(3)?, Some(1), &device)?;
/// assert_eq!(segmented.labels.geometry().shape(), [7, 9]);
/// assert!(segmented.probability.is_some_and(|image| image.values().iter().all(|p| (0.0..=1.0).contains(p))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SlidingWindow<const D: usize> {
    /// Points of a patch along each axis; what the network takes.
    pub patch: [usize; D],
    /// Share of a patch that its neighbour covers too, 0 to 0.95.
    pub overlap: f64,
    /// How much a point counts by its place in the patch.
    pub weighting: Weighting,
    /// Axes that are mirrored, slowest first counted from 0; empty for none.
    pub mirror: Vec<usize>,
}

/// The answer to one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmented<const D: usize> {
    /// On the image's grid.
    pub labels: LabelMap<D>,
    /// Probability of the class that was asked for, on the same grid.
    pub probability: Option<Image<D>>,
}

impl<const D: usize> SlidingWindow<D> {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`InferenceError::Patch`], [`InferenceError::Overlap`], [`InferenceError::Mirror`].
    pub fn check(&self) -> Result<(), InferenceError> {
        if self.patch.contains(&0) {
            return Err(InferenceError::Patch { found: self.patch.to_vec() });
        }
        if !(0.0..=0.95).contains(&self.overlap) {
            return Err(InferenceError::Overlap { found: self.overlap });
        }
        let is_twice = |place: usize| self.mirror[..place].contains(&self.mirror[place]);
        if (0..self.mirror.len()).any(|place| self.mirror[place] >= D || is_twice(place)) {
            return Err(InferenceError::Mirror { found: self.mirror.clone(), highest: D - 1 });
        }
        Ok(())
    }

    /// Passes through the network that an image of this size takes.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn n_passes(&self, shape: [usize; D]) -> Result<usize, InferenceError> {
        self.check()?;
        let windows: usize = self.axes(shape).iter().map(|axis| axis.starts.len()).product();
        Ok(windows << self.mirror.len())
    }

    fn axes(&self, shape: [usize; D]) -> Vec<Axis> {
        (0..D).map(|axis| Axis::new(shape[axis], self.patch[axis], self.overlap, self.weighting)).collect()
    }

    fn run<N: Network<R, R>, const R: usize>(
        &self,
        network: &N,
        image: &Image<D>,
        head: Head,
        probability_of: Option<usize>,
        device: &Device,
    ) -> Result<Segmented<D>, InferenceError> {
        self.check()?;
        if !matches!(head, Head::OneChannel | Head::TwoClassSoftmax | Head::Softmax { .. }) {
            return Err(InferenceError::Head { found: head.name() });
        }
        let n_classes = head.n_outputs().max(2);
        if let Some(found) = probability_of.filter(|&class| class >= n_classes) {
            return Err(InferenceError::Class { found, highest: n_classes - 1 });
        }
        let axes = self.axes(image.geometry().shape());
        let mut slab = Slab::new(&axes, head, probability_of);
        let counts: Vec<usize> = axes.iter().map(|axis| axis.starts.len()).collect();
        for window in 0..counts.iter().product() {
            let mut place = [0; D];
            let mut rest = window;
            for axis in (0..D).rev() {
                place[axis] = rest % counts[axis];
                rest /= counts[axis];
            }
            let logits = self.answer::<N, R>(network, patch_values(image, &axes, place), head, device)?;
            slab.add(&place, &logits);
        }
        slab.finish(axes[0].padded);
        let Slab { labels, probabilities, .. } = slab;
        let grid = image.geometry().clone();
        let probability = match probability_of {
            None => None,
            Some(_) => Some(Image::new(1, grid.clone(), Intensity::Unit, probabilities)?),
        };
        Ok(Segmented { labels: LabelMap::new(grid, labels, n_classes)?, probability })
    }

    /// The logits of one patch, averaged over reflections.
    fn answer<N: Network<R, R>, const R: usize>(
        &self,
        network: &N,
        values: Vec<f32>,
        head: Head,
        device: &Device,
    ) -> Result<Vec<f32>, InferenceError> {
        let points: usize = self.patch.iter().product();
        let dims = |channels: usize| -> [usize; R] {
            std::array::from_fn(|axis| match axis {
                0 => 1,
                1 => channels,
                _ => self.patch[axis - 2],
            })
        };
        let input = Tensor::<R>::from_data(TensorData::new(values.clone(), dims(values.len() / points)), device);
        let expected = dims(head.n_outputs());
        let mut sum: Option<Tensor<R>> = None;
        for reflection in 0..1usize << self.mirror.len() {
            let chosen = || self.mirror.iter().enumerate().filter(|(place, _)| reflection >> place & 1 == 1);
            let flip = |tensor: Tensor<R>| chosen().fold(tensor, |tensor, (_, axis)| tensor.flip([axis + 2]));
            let logits = network.forward(flip(input.clone()));
            if logits.dims() != expected {
                let found = logits.dims().to_vec();
                return Err(InferenceError::Answer { expected: expected.to_vec(), found });
            }
            let logits = flip(logits);
            sum = Some(match sum {
                None => logits,
                Some(sum) => sum + logits,
            });
        }
        let sum = sum.unwrap_or(input);
        let mean = if self.mirror.is_empty() { sum } else { sum.div_scalar((1u64 << self.mirror.len()) as f64) };
        Ok(mean.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before"))
    }
}

/// The values of a window, `[channel, …patch]`; beyond the image its border points are repeated.
fn patch_values<const D: usize>(image: &Image<D>, axes: &[Axis], place: [usize; D]) -> Vec<f32> {
    let shape = image.geometry().shape();
    let sources: Vec<Vec<usize>> = axes
        .iter()
        .zip(place)
        .map(|(axis, place)| (0..axis.window).map(|n| axis.source(axis.starts[place] + n)).collect())
        .collect();
    let rows: usize = axes[..D - 1].iter().map(|axis| axis.window).product();
    let mut values = Vec::with_capacity(image.channels() * rows * axes[D - 1].window);
    for channel in 0..image.channels() {
        let plane = image.channel(channel);
        for row in 0..rows {
            let (mut rest, mut start, mut step) = (row, 0, shape[D - 1]);
            for axis in (0..D - 1).rev() {
                start += sources[axis][rest % axes[axis].window] * step;
                rest /= axes[axis].window;
                step *= shape[axis];
            }
            values.extend(sources[D - 1].iter().map(|column| plane[start + column]));
        }
    }
    values
}

macro_rules! segment {
    ($axes:literal, $rank:literal) => {
        impl SlidingWindow<$axes> {
            /// Segments an image; `probability_of` asks for the probability of one class beside the labels.
            ///
            /// # Errors
            /// Those of [`check`](Self::check); [`InferenceError::Head`] for heads whose classes do not exclude each other,
            /// [`InferenceError::Class`], and [`InferenceError::Answer`] when the network's answer has not the head's
            /// outputs at the patch's size.
            ///
            /// # Panics
            /// When the network does not take such patches: [`check_input`](crate::NetworkSpec::check_input) says so before.
            pub fn segment<N: Network<$rank, $rank>>(
                &self,
                network: &N,
                image: &Image<$axes>,
                head: Head,
                probability_of: Option<usize>,
                device: &Device,
            ) -> Result<Segmented<$axes>, InferenceError> {
                self.run::<N, $rank>(network, image, head, probability_of, device)
            }
        }
    };
}

segment!(2, 4);
segment!(3, 5);
