//! Volumes through a student of segmentation: a mask on the same grid out.

use std::path::Path;

use anyhow::{Result, bail};
use burn::tensor::Device;
use kd_core::Head;
use kd_data::format::write_nifti_labels;
use kd_image::{Image, LabelMap};
use kd_segment::{NetworkSpec, UNet};
use serde::Serialize;
use serde_json::json;

use super::volumes::{self, PackageFacts, VolumeStudent};
use crate::args::PredictArgs;
use crate::dense::segment::{SegmentCard, SegmentVolume};
use crate::device;
use crate::output::Output;
use crate::package::Package;

/// What is told of a mask.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Counted {
    /// Points of each class.
    points: Vec<u64>,
    /// Volume of each class in ml; none where the spacing is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    volumes_ml: Option<Vec<f64>>,
}

struct Segmenter {
    card: SegmentCard,
    head: Head,
    network: Box<dyn SegmentVolume>,
    device: Device,
}

/// Answers all inputs; false when one of them could not be answered.
pub(super) fn run(args: &PredictArgs, out: &Output) -> Result<bool> {
    super::free(&args.out)?;
    let package = Package::<SegmentCard>::read(&args.package)?;
    let choice = device::resolve(&args.device)?;
    let card = &package.card;
    let head = card.head.head(card.classes.len())?;
    let network: Box<dyn SegmentVolume> = match card.preparation.size.len() {
        2 => {
            let spec: NetworkSpec<2> = card.network.clone().spec(card.channels, head.n_outputs())?;
            let network: UNet<4> = package.weights.load_into(spec.init(&choice.device))?;
            Box::new(network)
        }
        3 => {
            let spec: NetworkSpec<3> = card.network.clone().spec(card.channels, head.n_outputs())?;
            let network: UNet<5> = package.weights.load_into(spec.init(&choice.device))?;
            Box::new(network)
        }
        other => bail!("package prepares images of {other} axes, expected 2 or 3"),
    };
    let student = Segmenter { card: package.card, head, network, device: choice.device };
    volumes::run(args, &student, &choice.name, out)
}

impl VolumeStudent for Segmenter {
    type Told = Counted;

    fn channels(&self) -> usize {
        self.card.channels
    }

    fn answer(&self, image: &Image<3>, path: &Path) -> Result<Counted> {
        let labels = self.network.segment_volume(image, &self.card.preparation, self.head, &self.device)?;
        write_nifti_labels(path, &labels)?;
        Ok(counted(&labels, self.card.classes.len()))
    }

    fn headers(&self) -> [Vec<String>; 2] {
        let classes = self.card.classes.iter().skip(1);
        [
            classes.clone().map(|class| format!("{class}, ml")).collect(),
            classes.map(|class| format!("ml_{}", class.replace(' ', "_"))).collect(),
        ]
    }

    fn cells(&self, told: &Counted) -> [Vec<String>; 2] {
        let classes = 1..self.card.classes.len();
        let shown = classes.clone().map(|class| match &told.volumes_ml {
            Some(ml) => format!("{:.1}", ml[class]),
            None => format!("{} points", told.points[class]),
        });
        let kept =
            classes.map(|class| told.volumes_ml.as_ref().map_or_else(String::new, |ml| format!("{:.3}", ml[class])));
        [shown.collect(), kept.collect()]
    }

    fn package(&self) -> PackageFacts<'_> {
        PackageFacts {
            name: &self.card.name,
            provenance: &self.card.provenance,
            intended_use: &self.card.intended_use,
            more: json!({ "classes": self.card.classes }),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "points are far below 2^53")]
fn counted(labels: &LabelMap<3>, n_classes: usize) -> Counted {
    let mut points = vec![0u64; n_classes];
    for &label in labels.labels() {
        points[usize::from(label)] += 1;
    }
    let ml = labels.geometry().spacing_mm().map(|mm| mm.iter().product::<f64>() / 1000.0);
    let volumes_ml = ml.map(|ml| points.iter().map(|&points| points as f64 * ml).collect());
    Counted { points, volumes_ml }
}
