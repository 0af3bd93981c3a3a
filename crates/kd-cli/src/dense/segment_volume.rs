//! Volumes of any size through a network of segmentation, and back on their own grid.

use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};
use kd_core::{Committee, Head, Network};
use kd_data::prepare::{DenseRequest, Placement};
use kd_image::{Geometry, Image, LabelMap};
use kd_segment::{SlidingWindow, UNet, Weighting, grow_objects, named_classes};

/// Slices that a network sees at once where slices are the samples.
const SLICES_AT_ONCE: usize = 16;
/// Share of a patch that its neighbour covers too, where an image is larger than what the network learned on.
const OVERLAP: f64 = 0.5;

/// An answer on the grid of its image.
pub(crate) struct Answered {
    /// The class of each point.
    pub(crate) labels: LabelMap<3>,
    /// The object of each point, 0 for none, where objects are told apart.
    pub(crate) objects: Option<LabelMap<3>>,
}

impl Answered {
    /// The answer that numbered objects are.
    pub(crate) fn of_objects(objects: LabelMap<3>) -> Result<Self> {
        let labels = objects.labels().iter().map(|&object| u16::from(object > 0)).collect();
        Ok(Self { labels: LabelMap::new(objects.geometry().clone(), labels, 2)?, objects: Some(objects) })
    }
}

/// Classes that a network answers with: those of the data set, or insides and borders of their objects.
pub(crate) fn network_classes(classes: &[String], request: &DenseRequest) -> usize {
    request.objects.map_or(classes.len(), |objects| objects.n_classes())
}

/// Answers a volume of any size.
pub(crate) fn answer(
    network: &dyn SegmentVolume,
    image: &Image<3>,
    request: &DenseRequest,
    head: Head,
    device: &Device,
) -> Result<Answered> {
    let labels = network.segment_volume(image, request, head, device)?;
    match request.objects {
        Some(objects) => Answered::of_objects(grow_objects(&labels, objects.min_points)?),
        None => Ok(Answered { labels, objects: None }),
    }
}

/// A network that segments volumes of any size.
pub(crate) trait SegmentVolume {
    /// A volume through a network: prepared, answered slice by slice or as a whole, and back on its own grid.
    ///
    /// What is larger than the prepared size is answered by a sliding window, so nothing is left out.
    fn segment_volume(
        &self,
        image: &Image<3>,
        request: &DenseRequest,
        head: Head,
        device: &Device,
    ) -> Result<LabelMap<3>>;
}

impl SegmentVolume for Committee<UNet<4>> {
    fn segment_volume(
        &self,
        image: &Image<3>,
        request: &DenseRequest,
        head: Head,
        device: &Device,
    ) -> Result<LabelMap<3>> {
        let placement = Placement::covering(image.geometry(), request)?;
        let prepared = request.image(&placement, image)?;
        let [depth, height, width] = prepared.geometry().shape();
        let (channels, outputs, points) = (prepared.channels(), head.n_outputs(), height * width);
        let slice = |n: usize| -> Vec<f32> {
            let part = |channel| &prepared.channel(channel)[n * points..(n + 1) * points];
            (0..channels).flat_map(|channel| part(channel).iter().copied()).collect()
        };
        let mut labels = Vec::with_capacity(depth * points);
        if request.size == [height, width] {
            for start in (0..depth).step_by(SLICES_AT_ONCE) {
                let end = depth.min(start + SLICES_AT_ONCE);
                let values: Vec<f32> = (start..end).flat_map(slice).collect();
                let input = TensorData::new(values, [end - start, channels, height, width]);
                let logits = host(self.forward(Tensor::from_data(input, device)));
                labels.extend(logits.chunks_exact(outputs * points).flat_map(|one| named_classes(one, outputs)));
            }
        } else {
            let window = window([request.size[0], request.size[1]]);
            let grid = Geometry::<2>::without_spacing([height, width])?;
            for n in 0..depth {
                let plane = Image::new(channels, grid.clone(), prepared.intensity(), slice(n))?;
                labels.extend_from_slice(window.segment(self, &plane, head, None, device)?.labels.labels());
            }
        }
        Ok(placement.labels_back(&LabelMap::new(prepared.geometry().clone(), labels, n_classes(head))?)?)
    }
}

impl SegmentVolume for Committee<UNet<5>> {
    fn segment_volume(
        &self,
        image: &Image<3>,
        request: &DenseRequest,
        head: Head,
        device: &Device,
    ) -> Result<LabelMap<3>> {
        let placement = Placement::covering(image.geometry(), request)?;
        let prepared = request.image(&placement, image)?;
        let [depth, height, width] = prepared.geometry().shape();
        let answer = if request.size == [depth, height, width] {
            let shape = [1, prepared.channels(), depth, height, width];
            let input = Tensor::from_data(TensorData::new(prepared.values().to_vec(), shape), device);
            let labels = named_classes(&host(self.forward(input)), head.n_outputs());
            LabelMap::new(prepared.geometry().clone(), labels, n_classes(head))?
        } else {
            let window = window([request.size[0], request.size[1], request.size[2]]);
            window.segment(self, &prepared, head, None, device)?.labels
        };
        Ok(placement.labels_back(&answer)?)
    }
}

fn window<const D: usize>(patch: [usize; D]) -> SlidingWindow<D> {
    SlidingWindow { patch, overlap: OVERLAP, weighting: Weighting::Gaussian, mirror: Vec::new() }
}

fn n_classes(head: Head) -> usize {
    if head.is_bernoulli() { 2 } else { head.n_outputs() }
}

fn host<const I: usize>(tensor: Tensor<I>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("converted to f32 just before")
}
