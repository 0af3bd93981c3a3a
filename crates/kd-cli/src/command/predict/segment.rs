//! Volumes and pictures through a student of segmentation: a mask on the same grid out.

use std::path::Path;

use anyhow::{Result, bail};
use burn::tensor::Device;
use kd_core::{Committee, Head};
use kd_data::format::{SegmentationFacts, dicom_name, gray8_png, gray16_png, write_nifti_labels, write_segmentation};
use kd_data::store::write_atomic;
use kd_image::{Image, LabelMap};
use kd_segment::{NetworkSpec, UNet};
use serde::Serialize;
use serde_json::json;

use super::volumes::{self, PackageFacts, Target, VolumeStudent};
use crate::args::PredictArgs;
use crate::dense::segment::SegmentCard;
use crate::dense::segment_volume::{self, Answered, SegmentVolume, network_classes};
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
    /// Objects, where they are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<u16>,
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
    let head = card.head.head(network_classes(&card.classes, &card.preparation))?;
    let network: Box<dyn SegmentVolume> = match card.preparation.size.len() {
        2 => {
            let spec: NetworkSpec<2> = card.network.clone().spec(card.channels, head.n_outputs())?;
            let network: UNet<4> = package.weights.load_into(spec.init(&choice.device))?;
            Box::new(Committee::of_one(network))
        }
        3 => {
            let spec: NetworkSpec<3> = card.network.clone().spec(card.channels, head.n_outputs())?;
            let network: UNet<5> = package.weights.load_into(spec.init(&choice.device))?;
            Box::new(Committee::of_one(network))
        }
        other => bail!("package prepares images of {other} axes, expected 2 or 3"),
    };
    let student = Segmenter { card: package.card, head, network, device: choice.device };
    volumes::run(args, &student, &choice.name, out)
}

impl Segmenter {
    /// What a DICOM segmentation says about itself.
    fn named(&self) -> SegmentationFacts {
        SegmentationFacts {
            description: "Masks".into(),
            segments: self.card.classes.iter().skip(1).map(|class| dicom_name(class)).collect(),
            algorithm: dicom_name(&self.card.name),
            made: crate::host::now(),
        }
    }
}

impl VolumeStudent for Segmenter {
    type Told = Counted;

    fn channels(&self) -> usize {
        self.card.channels
    }

    fn takes_pictures(&self) -> bool {
        self.card.preparation.size.len() == 2
    }

    fn dicom_ending(&self) -> &'static str {
        "dcm"
    }

    fn answer(&self, image: &Image<3>, target: &Target) -> Result<Counted> {
        let (network, request) = (self.network.as_ref(), &self.card.preparation);
        let answered = segment_volume::answer(network, image, request, self.head, &self.device)?;
        let map = answered.objects.as_ref().unwrap_or(&answered.labels);
        match target {
            Target::Png(path) => write_png_labels(path, map)?,
            Target::Nifti(path) => write_nifti_labels(path, map)?,
            // A segmentation has a name for each segment: classes, not single objects.
            Target::Dicom(path, source) => write_segmentation(path, &answered.labels, &self.named(), source)?,
        }
        Ok(counted(&answered, self.card.classes.len()))
    }

    fn headers(&self) -> [Vec<String>; 2] {
        let classes = self.card.classes.iter().skip(1);
        let objects = || self.card.preparation.objects.map(|_| "objects".to_owned());
        [
            classes.clone().map(|class| format!("{class}, ml")).chain(objects()).collect(),
            classes.map(|class| format!("ml_{}", class.replace(' ', "_"))).chain(objects()).collect(),
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
        let objects = || told.objects.map(|objects| objects.to_string());
        [shown.chain(objects()).collect(), kept.chain(objects()).collect()]
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

/// A picture's mask as a grey PNG, of 16 bits where there are numbers above 255.
fn write_png_labels(path: &Path, labels: &LabelMap<3>) -> Result<()> {
    let [_, rows, columns] = labels.geometry().shape();
    let bytes: Result<Vec<u8>, _> = labels.labels().iter().map(|&label| u8::try_from(label)).collect();
    let png = match bytes {
        Ok(bytes) => gray8_png([rows, columns], &bytes)?,
        Err(_) => gray16_png([rows, columns], labels.labels())?,
    };
    Ok(write_atomic(path, &png)?)
}

#[expect(clippy::cast_precision_loss, reason = "points are far below 2^53")]
fn counted(answered: &Answered, n_classes: usize) -> Counted {
    let labels = &answered.labels;
    let mut points = vec![0u64; n_classes];
    for &label in labels.labels() {
        points[usize::from(label)] += 1;
    }
    let ml = labels.geometry().spacing_mm().map(|mm| mm.iter().product::<f64>() / 1000.0);
    let volumes_ml = ml.map(|ml| points.iter().map(|&points| points as f64 * ml).collect());
    let objects = answered.objects.as_ref().map(|map| map.labels().iter().copied().max().unwrap_or(0));
    Counted { points, volumes_ml, objects }
}
