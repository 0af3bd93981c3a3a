//! Importing an npz: what its labels say about task and classes.

use std::path::Path;

use kd_image::{Intensity, Split};

use super::{Found, ImportError, ImportRequest, place};
use crate::decode::{DecodeError, SplitArrays, read_arrays};
use crate::format::Npz;
use crate::manifest::{Counts, ImageFacts, ImageSize, Layout, Task};

pub(super) fn import(path: &Path, request: &ImportRequest, staging: &Path) -> Result<Found, ImportError> {
    let folder = path.parent().unwrap_or(path);
    let name = crate::error::relative_name(path, folder);
    let file = place::file(path, folder, staging, &name, request.copy)?;
    let npz = Npz::open(&staging.join(&name))?;
    let splits = read_arrays(&npz)?;
    let has_splits = match splits.len() {
        1 => false,
        3 => true,
        _ => {
            let names: Vec<_> = splits.iter().map(|arrays| arrays.split.name()).collect();
            return Err(ImportError::Splits { found: names.join(" and ") });
        }
    };
    let (task, classes) = task_and_classes(&splits, request)?;
    let image = image_facts(&npz, splits[0].split)?;
    let count = |split| splits.iter().find(|arrays| arrays.split == split).map_or(0, SplitArrays::len);
    let counts = Counts { train: count(Split::Train), val: count(Split::Val), test: count(Split::Test) };
    let (layout, counts, files) = (Layout::MedmnistNpz, Some(counts), vec![file]);
    Ok(Found { layout, task, classes, image, mask: None, counts, files, has_splits })
}

fn task_and_classes(splits: &[SplitArrays], request: &ImportRequest) -> Result<(Task, Vec<String>), ImportError> {
    let width = splits[0].width();
    if let Some(other) = splits.iter().find(|arrays| arrays.width() != width) {
        return Err(ImportError::from(DecodeError::Labels {
            what: format!("{}_labels", other.split),
            expected: format!("{width} labels an image, as in {}_labels", splits[0].split),
            found: other.width().to_string(),
        }));
    }
    let highest = splits.iter().flat_map(|arrays| &arrays.labels.values).copied().max().unwrap_or_default();
    // Class numbers are kept in 16 bits; beyond that the labels are no classes.
    let in_labels = usize::try_from(highest.clamp(0, i64::from(u16::MAX) + 1)).unwrap_or_default() + 1;
    let multi_label = width > 1 || request.task == Some(Task::MultiLabel);
    let n = if multi_label { width } else { request.classes.as_ref().map_or(in_labels.max(2), Vec::len) };
    if n > usize::from(u16::MAX) {
        return Err(ImportError::Classes {
            found: "missing".into(),
            expected: format!("labels below 65536, found {highest}"),
        });
    }
    let deduced = match (multi_label, n) {
        (true, _) => Task::MultiLabel,
        (false, 2) => Task::Binary,
        (false, _) => Task::MultiClass,
    };
    let task = request.task.unwrap_or(deduced);
    if (task == Task::MultiLabel) != multi_label || (task == Task::Binary && n != 2) {
        let found = if multi_label { format!("{width} labels an image") } else { format!("{n} classes") };
        return Err(ImportError::Task { task: task.name(), found });
    }
    let classes = match &request.classes {
        Some(names) if multi_label && names.len() != width => {
            let expected = format!("{width} names, one a label");
            return Err(ImportError::Classes { found: format!("{} names", names.len()), expected });
        }
        Some(names) => names.clone(),
        None => (0..n).map(|class| format!("class_{class}")).collect(),
    };
    Ok((task, classes))
}

fn image_facts(npz: &Npz, split: Split) -> Result<ImageFacts, ImportError> {
    let name = format!("{split}_images");
    let array = npz.array_u8(&name)?;
    let refused = |found: String| {
        let expected = "shape [samples, rows, columns] for grey or [samples, rows, columns, 3] for color".into();
        Err(ImportError::from(DecodeError::Labels { what: name.clone(), expected, found }))
    };
    let (height, width, channels) = match array.shape[..] {
        [_, height, width] => (height, width, 1),
        [_, height, width, channels @ (1 | 3)] => (height, width, channels),
        _ => return refused(format!("shape {:?}", array.shape)),
    };
    if height == 0 || width == 0 {
        return refused(format!("shape {:?}", array.shape));
    }
    Ok(ImageFacts { channels, size: ImageSize::Fixed { height, width }, intensity: Intensity::Stored { bits: 8 } })
}
