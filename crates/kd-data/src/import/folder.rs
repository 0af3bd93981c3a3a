//! Importing a folder of images: classes from folder names, facts from every file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kd_image::{Image, Intensity, Split};
use rayon::prelude::*;

use super::{Found, ImportError, ImportRequest, place};
use crate::decode::{FileLabel, split_of};
use crate::error::{FileError, relative_name};
use crate::format::{FileFormat, files_below, read_raster, sniff};
use crate::manifest::{Counts, ImageFacts, ImageSize, Layout, Task};

pub(super) fn import(folder: &Path, request: &ImportRequest, staging: &Path) -> Result<Found, ImportError> {
    let tops = folders_in(folder)?;
    if tops.is_empty() {
        return Err(ImportError::Empty { folder: relative_name(folder, folder) });
    }
    let has_splits = tops.iter().all(|name| split_of(name).is_some());
    let mut class_folders: BTreeSet<String> = BTreeSet::new();
    if has_splits {
        let splits: BTreeSet<Split> = tops.iter().filter_map(|name| split_of(name)).collect();
        if splits.len() != 3 || tops.len() != 3 {
            return Err(ImportError::Splits { found: tops.join(" and ") });
        }
        for top in &tops {
            let inside = folders_in(&folder.join(top))?;
            if inside.is_empty() {
                return Err(ImportError::Empty { folder: top.clone() });
            }
            class_folders.extend(inside);
        }
    } else {
        class_folders.extend(tops.iter().cloned());
    }
    let mut labels: BTreeMap<String, FileLabel> = BTreeMap::new();
    for top in &tops {
        for file in files_below(&folder.join(top))? {
            let name = format!("{top}/{}", file.name);
            let format = sniff(&file.path)?;
            if !matches!(format, FileFormat::Png | FileFormat::Jpeg) {
                return Err(ImportError::Foreign { file: name, found: format.name() });
            }
            let label = FileLabel::of(&name, has_splits);
            let label =
                label.ok_or_else(|| ImportError::Foreign { file: name.clone(), found: "in no class folder" })?;
            labels.insert(name, label);
        }
    }
    for class in &class_folders {
        if !labels.values().any(|label| label.class == *class) {
            return Err(ImportError::Empty { folder: class.clone() });
        }
    }
    let (task, classes) = task_and_classes(&class_folders, request)?;
    let image = image_facts(&labels.keys().map(String::as_str).collect::<Vec<_>>(), folder)?;
    let placed = labels.keys().map(|name| place::file(&folder.join(name), folder, staging, name, request.copy));
    let files = placed.collect::<Result<Vec<_>, _>>()?;
    let count = |split| labels.values().filter(|label| label.split == Some(split)).count();
    let counts = Counts { train: count(Split::Train), val: count(Split::Val), test: count(Split::Test) };
    Ok(Found {
        layout: Layout::ImageFolder,
        task,
        classes,
        image,
        mask: None,
        counts: has_splits.then_some(counts),
        files,
        has_splits,
    })
}

/// Names of the folders in a folder, links to folders among them, sorted; hidden ones are left out.
pub(super) fn folders_in(folder: &Path) -> Result<Vec<String>, ImportError> {
    let failed = |source| FileError::new("list", folder, folder, source);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn task_and_classes(folders: &BTreeSet<String>, request: &ImportRequest) -> Result<(Task, Vec<String>), ImportError> {
    let classes = match &request.classes {
        None => folders.iter().cloned().collect::<Vec<_>>(),
        Some(names) => {
            let given: BTreeSet<&String> = names.iter().collect();
            if given.len() != names.len() || given != folders.iter().collect() {
                let listed: Vec<&str> = folders.iter().map(String::as_str).collect();
                return Err(ImportError::Classes {
                    found: names.join(", "),
                    expected: format!("the folders {} in some order", listed.join(", ")),
                });
            }
            names.clone()
        }
    };
    let deduced = if classes.len() == 2 { Task::Binary } else { Task::MultiClass };
    let task = request.task.unwrap_or(deduced);
    if task == Task::MultiLabel || (task == Task::Binary && classes.len() != 2) || classes.len() < 2 {
        return Err(ImportError::Task { task: task.name(), found: format!("{} class folders", classes.len()) });
    }
    Ok((task, classes))
}

/// What all images have in common; every one is decoded, so a damaged file is found here and not in the middle of a
/// preparation.
pub(super) fn image_facts(names: &[&str], folder: &Path) -> Result<ImageFacts, ImportError> {
    let facts: Vec<Result<ImageFacts, ImportError>> =
        names.par_iter().map(|name| Ok(facts_of(&read_raster(&folder.join(name))?))).collect();
    let mut common: Option<ImageFacts> = None;
    for (name, facts) in names.iter().zip(facts) {
        let facts = facts?;
        let Some(common) = &mut common else {
            common = Some(facts);
            continue;
        };
        if (facts.channels, facts.intensity) != (common.channels, common.intensity) {
            let spelled = |facts: &ImageFacts| format!("{} channels of {:?} values", facts.channels, facts.intensity);
            return Err(ImportError::Mixed {
                file: (*name).to_owned(),
                found: spelled(&facts),
                first: names[0].to_owned(),
                expected: spelled(common),
            });
        }
        if facts.size != common.size {
            common.size = ImageSize::Varies;
        }
    }
    common.ok_or_else(|| ImportError::Empty { folder: relative_name(folder, folder) })
}

fn facts_of(image: &Image<2>) -> ImageFacts {
    let [height, width] = image.geometry().shape();
    let intensity: Intensity = image.intensity();
    ImageFacts { channels: image.channels(), size: ImageSize::Fixed { height, width }, intensity }
}
