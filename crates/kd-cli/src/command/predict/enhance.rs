//! Volumes through a student of enhancement: restored slice by slice, in the unit and on the grid of the source.

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use kd_data::format::{DerivedFacts, NiftiType, dicom_name, write_derived_series, write_nifti_image};
use kd_data::prepare::{DenseIntensity, DenseRequest, Placement};
use kd_enhance::{NetworkSpec, Restorer, Tiling, Unit};
use kd_image::{Geometry, Image};
use serde::Serialize;
use serde_json::json;

use super::volumes::{self, PackageFacts, Target, VolumeStudent};
use crate::args::PredictArgs;
use crate::dense::enhance::EnhanceCard;
use crate::device;
use crate::output::Output;
use crate::package::Package;

/// What is told of a restored volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Restored {
    /// Slices, rows and columns.
    shape: [usize; 3],
    /// Smallest and largest value, in the unit of the source.
    range: [f32; 2],
    /// Mean absolute change, in the unit of the source; none where the answer's grid is finer than the source's.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_change: Option<f64>,
}

struct RestoringStudent {
    card: EnhanceCard,
    spec: NetworkSpec,
    network: Restorer,
    unit: Unit,
    device: Device,
}

/// Answers all inputs; false when one of them could not be answered.
pub(super) fn run(args: &PredictArgs, out: &Output) -> Result<bool> {
    super::free(&args.out)?;
    let package = Package::<EnhanceCard>::read(&args.package)?;
    let choice = device::resolve(&args.device)?;
    let card = package.card;
    let spec = card.network.clone().spec(card.channels)?;
    let network: Restorer = package.weights.load_into(spec.init(&choice.device))?;
    let DenseIntensity::Linear { offset, scale } = card.preparation.intensity else {
        anyhow::bail!("package prepares intensities that cannot be undone, expected \"linear\"");
    };
    let student = RestoringStudent { card, spec, network, unit: Unit { offset, scale }, device: choice.device };
    volumes::run(args, &student, &choice.name, out)
}

impl RestoringStudent {
    /// Prepared, restored slice by slice, and back; a finer answer stays on the axes of the patient.
    fn restore(&self, image: &Image<3>) -> Result<Image<3>> {
        // Networks of enhancement take slices of any size: nothing is cut and nothing padded.
        let request = DenseRequest { size: vec![1, 1], ..self.card.preparation.clone() };
        let placement = Placement::covering(image.geometry(), &request)?;
        let prepared = request.image(&placement, image)?;
        let [depth, rows, columns] = prepared.geometry().shape();
        let (plane, factor) = (rows * columns, self.spec.factor());
        let grid = Geometry::<2>::without_spacing([rows, columns])?;
        let tiling = Tiling::exact(&self.spec, Tiling::SLICE_CORE);
        let mut values = Vec::with_capacity(depth * plane * factor * factor);
        for n in 0..depth {
            let slice = prepared.channel(0)[n * plane..(n + 1) * plane].to_vec();
            let slice = Image::new(1, grid.clone(), prepared.intensity(), slice)?;
            let restored = tiling.restore(&self.network, &self.spec, &slice, &self.device)?;
            values.extend(self.unit.of_source(restored.values()));
        }
        let finer = prepared.geometry().with_shape([depth, rows * factor, columns * factor])?;
        let restored = Image::new(1, finer, image.intensity(), values)?;
        if factor > 1 {
            return Ok(restored);
        }
        let least = image.values().iter().copied().fold(f32::INFINITY, f32::min);
        Ok(placement.image_back(&restored, least)?)
    }

    /// What a restored series says about itself.
    fn derived(&self) -> DerivedFacts {
        let derivation = format!("Restored by a neural network, kd {}: {}", env!("CARGO_PKG_VERSION"), self.card.name);
        DerivedFacts { description: "Restored".into(), derivation: dicom_name(&derivation) }
    }
}

impl VolumeStudent for RestoringStudent {
    type Told = Restored;

    fn channels(&self) -> usize {
        self.card.channels
    }

    fn takes_pictures(&self) -> bool {
        false
    }

    fn dicom_ending(&self) -> &'static str {
        ""
    }

    fn answer(&self, image: &Image<3>, target: &Target) -> Result<Restored> {
        let restored = self.restore(image)?;
        match target {
            // Whole numbers would round what was restored.
            Target::Nifti(path) | Target::Png(path) => write_nifti_image(path, &restored, NiftiType::F32),
            Target::Dicom(folder, source) => write_derived_series(folder, &restored, &self.derived(), source),
        }
        .context("restored volume")?;
        let values = restored.values();
        let ends = |(low, high): (f32, f32), &value: &f32| (low.min(value), high.max(value));
        let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), ends);
        let change = || {
            let pairs = values.iter().zip(image.values());
            let sum: f64 = pairs.map(|(restored, source)| f64::from((restored - source).abs())).sum();
            sum / values.len() as f64
        };
        Ok(Restored {
            shape: restored.geometry().shape(),
            range: [low, high],
            mean_change: (values.len() == image.values().len()).then(change),
        })
    }

    fn headers(&self) -> [Vec<String>; 2] {
        let names = ["slices", "rows", "columns", "lowest", "highest", "mean_change"];
        [names.map(|name| name.replace('_', " ")).to_vec(), names.map(str::to_owned).to_vec()]
    }

    fn cells(&self, told: &Restored) -> [Vec<String>; 2] {
        let cells = |decimals: usize| -> Vec<String> {
            let numbers = told.range.iter().map(|value| format!("{value:.decimals$}"));
            let change = told.mean_change.map_or_else(String::new, |change| format!("{change:.decimals$}"));
            told.shape.iter().map(usize::to_string).chain(numbers).chain([change]).collect()
        };
        [cells(1), cells(4)]
    }

    fn package(&self) -> PackageFacts<'_> {
        PackageFacts {
            name: &self.card.name,
            provenance: &self.card.provenance,
            intended_use: &self.card.intended_use,
            more: json!({ "degradation": self.card.degradation }),
        }
    }
}
