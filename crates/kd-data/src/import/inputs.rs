//! What was measured, and the clean volumes that it belongs to: by patient and place, not by file name.

use std::path::PathBuf;

use kd_image::Geometry;

use super::ImportError;
use super::volumes::{Volume, VolumeFormat};
use crate::format::{Nifti, belonging_of, find_dicom_stacks};

/// Two grids that differ by less are one.
const SAME_MM: f64 = 0.01;

/// What says where a volume belongs.
struct Place {
    grid: Geometry<3>,
    /// The Patient ID of a DICOM file.
    patient: Option<String>,
}

impl Place {
    fn of(volume: &Volume, format: VolumeFormat) -> Result<Self, ImportError> {
        let first = &volume.files[0].path;
        Ok(match format {
            VolumeFormat::Nifti => Self { grid: Nifti::open(first)?.header().geometry.clone(), patient: None },
            VolumeFormat::Raw { shape, spacing_mm, .. } => {
                Self { grid: Geometry::<3>::with_spacing(shape, spacing_mm)?, patient: None }
            }
            VolumeFormat::Dicom => {
                let paths: Vec<PathBuf> = volume.files.iter().map(|file| file.path.clone()).collect();
                let mut found = find_dicom_stacks(&paths);
                if !found.refused.is_empty() {
                    return Err(found.refused.swap_remove(0).into());
                }
                let [stack] = found.stacks.as_slice() else {
                    let found = format!("{} of them", found.stacks.len());
                    return Err(ImportError::Inputs {
                        case: volume.given.clone(),
                        expected: "one volume".into(),
                        found,
                    });
                };
                Self { grid: stack.geometry().clone(), patient: belonging_of(first)?.patient }
            }
        })
    }

    fn is_that_of(&self, other: &Self) -> bool {
        self.patient == other.patient && self.grid.same_grid(&other.grid, SAME_MM)
    }
}

/// For each clean volume what was measured of it.
pub(super) fn paired(clean: &[Volume], inputs: Vec<Volume>, format: VolumeFormat) -> Result<Vec<Volume>, ImportError> {
    let places = inputs.iter().map(|input| Place::of(input, format)).collect::<Result<Vec<_>, _>>()?;
    let mut inputs: Vec<Option<Volume>> = inputs.into_iter().map(Some).collect();
    let names = |found: &[usize], inputs: &[Option<Volume>]| {
        let named = found.iter().filter_map(|&n| inputs[n].as_ref()).map(|input| format!("`{}`", input.given));
        named.collect::<Vec<_>>().join(", ")
    };
    let mut pairs = Vec::with_capacity(clean.len());
    for volume in clean {
        let place = Place::of(volume, format)?;
        let free = |n: &usize| inputs[*n].is_some() && places[*n].is_that_of(&place);
        let mut found: Vec<usize> = (0..inputs.len()).filter(free).collect();
        if found.len() > 1 {
            let is_named = |n: &usize| inputs[*n].as_ref().is_some_and(|input| input.given == volume.given);
            match found.iter().copied().find(is_named) {
                Some(named) => found = vec![named],
                None => {
                    let expected = format!("one input of its patient on its grid, or one called `{}`", volume.given);
                    let found = names(&found, &inputs);
                    return Err(ImportError::Inputs { case: volume.given.clone(), expected, found });
                }
            }
        }
        let input = found.first().and_then(|&n| inputs[n].take());
        pairs.push(input.ok_or_else(|| ImportError::Inputs {
            case: volume.given.clone(),
            expected: format!("an input of its patient on its grid, {}", place.grid),
            found: "none".into(),
        })?);
    }
    let left: Vec<usize> = (0..inputs.len()).filter(|&n| inputs[n].is_some()).collect();
    match left.first().and_then(|&n| inputs[n].as_ref()) {
        Some(first) => Err(ImportError::Inputs {
            case: first.given.clone(),
            expected: "a clean volume of its patient on its grid".into(),
            found: format!("none for {}", names(&left, &inputs)),
        }),
        None => Ok(pairs),
    }
}
