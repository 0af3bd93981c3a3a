//! The MedMNIST layout: one npz with `{train,val,test}_images`, `_labels` and perhaps `_groups`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use kd_image::{Geometry, Image, Intensity, SampleId, Split, SubjectId};

use super::{Column, DecodeError, Groups, RawRecord, read_groups, subjects, target_of};
use crate::format::{NpyArray, Npz};
use crate::manifest::Manifest;

/// Labels and groups of one split.
#[derive(Debug)]
pub(crate) struct SplitArrays {
    pub(crate) split: Split,
    /// `[samples, labels]`.
    pub(crate) labels: NpyArray<i64>,
    pub(crate) groups: Option<Vec<String>>,
}

impl SplitArrays {
    pub(crate) fn len(&self) -> usize {
        self.labels.shape[0]
    }

    /// Labels a sample.
    pub(crate) fn width(&self) -> usize {
        self.labels.shape[1]
    }

    fn row(&self, n: usize) -> &[i64] {
        &self.labels.values[n * self.width()..(n + 1) * self.width()]
    }
}

/// The name of a sample of an npz.
fn sample_id(split: Split, n: usize) -> SampleId {
    SampleId::new(format!("{split}/{n:05}")).expect("a split's name and digits are an id")
}

/// Reads labels and groups of every split that the file holds.
///
/// # Errors
/// [`DecodeError::Labels`] for shapes that do not fit, [`DecodeError::Format`] for damaged or object arrays and when
/// there is no split at all.
pub(crate) fn read_arrays(npz: &Npz) -> Result<Vec<SplitArrays>, DecodeError> {
    let mut all: Vec<SplitArrays> = Vec::new();
    for split in Split::ALL {
        let name = |part: &str| format!("{split}_{part}");
        if ["images", "labels", "groups"].iter().any(|part| npz.contains(&name(part))) {
            all.push(read_split(npz, split)?);
        }
    }
    if all.is_empty() {
        let expected = "arrays `train_images`, `train_labels` and so on".into();
        return Err(DecodeError::Labels { what: "npz".into(), expected, found: npz.names().join(", ") });
    }
    let grouped = all.iter().filter(|arrays| arrays.groups.is_some()).count();
    if grouped != 0 && grouped != all.len() {
        let found = format!("groups for {grouped} of {} splits", all.len());
        return Err(DecodeError::Labels {
            what: "npz".into(),
            expected: "groups for all splits or none".into(),
            found,
        });
    }
    Ok(all)
}

fn read_split(npz: &Npz, split: Split) -> Result<SplitArrays, DecodeError> {
    let labels_name = format!("{split}_labels");
    let mut labels = npz.integers(&labels_name)?;
    if !npz.contains(&format!("{split}_images")) {
        let expected = format!("an array `{split}_images` beside it");
        return Err(DecodeError::Labels { what: labels_name, expected, found: "none".into() });
    }
    if labels.shape.len() == 1 {
        labels.shape.push(1);
    }
    if labels.shape.len() != 2 || labels.shape.contains(&0) {
        let found = format!("shape {:?}", labels.shape);
        let expected = "shape [samples, labels] with at least one of each".into();
        return Err(DecodeError::Labels { what: labels_name, expected, found });
    }
    let groups_name = format!("{split}_groups");
    let groups = if npz.contains(&groups_name) {
        let array = npz.array(&groups_name)?;
        // Numbers or texts; what cannot be read as either is told by the reader of texts.
        let values: Vec<String> = match array.integers() {
            Ok(numbers) => numbers.values.iter().map(i64::to_string).collect(),
            Err(_) => array.texts()?.values,
        };
        if values.len() != labels.shape[0] || values.iter().any(String::is_empty) {
            let expected = format!("{} groups, none empty", labels.shape[0]);
            return Err(DecodeError::Labels { what: groups_name, expected, found: format!("{} groups", values.len()) });
        }
        Some(values)
    } else {
        None
    };
    Ok(SplitArrays { split, labels, groups })
}

pub(super) fn open(folder: &Path, manifest: &Manifest) -> Result<(Vec<RawRecord>, ImageArrays), DecodeError> {
    let groups_file = manifest.source.groups.as_deref();
    let archive = manifest.source.files.iter().find(|file| Some(file.name.as_str()) != groups_file);
    let archive = archive.expect("a checked manifest of this layout has one npz");
    let npz = Npz::open(&folder.join(&archive.name))?;
    let splits = read_arrays(&npz)?;
    let table = groups_file.map(|file| read_groups(&folder.join(file), Column::Group)).transpose()?;
    let subjects = subjects_of(&splits, table.as_ref(), groups_file.unwrap_or_default())?;
    let mut records = Vec::with_capacity(subjects.len());
    let mut places = Vec::with_capacity(subjects.len());
    let mut subjects = subjects.into_iter();
    let mut lens = BTreeMap::new();
    for arrays in &splits {
        lens.insert(arrays.split, arrays.len());
        for n in 0..arrays.len() {
            let sample = sample_id(arrays.split, n);
            let target = target_of(arrays.row(n), manifest.task, manifest.classes.len(), sample.as_str())?;
            let subject = subjects.next().flatten().unwrap_or_else(|| own_subject(&sample));
            records.push(RawRecord { sample, subject, split: Some(arrays.split), target });
            places.push((arrays.split, n));
        }
    }
    Ok((records, ImageArrays { npz, lens, places, loaded: Mutex::default() }))
}

fn own_subject(sample: &SampleId) -> SubjectId {
    SubjectId::new(sample.as_str()).expect("a sample's id is a subject's id")
}

/// One entry a sample, in order; none where the sample is its own subject.
fn subjects_of(
    splits: &[SplitArrays],
    table: Option<&Groups>,
    file: &str,
) -> Result<Vec<Option<SubjectId>>, DecodeError> {
    let mut groups: Vec<Option<&str>> = Vec::new();
    for arrays in splits {
        for n in 0..arrays.len() {
            groups.push(match table {
                Some(table) => {
                    let sample = sample_id(arrays.split, n);
                    Some(table.get(sample.as_str()).ok_or_else(|| {
                        Column::Group.refused(file.into(), "a line for each sample", format!("none for `{sample}`"))
                    })?)
                }
                None => arrays.groups.as_ref().map(|groups| groups[n].as_str()),
            });
        }
    }
    let numbered = subjects::number(groups.iter().flatten().copied().collect::<Vec<_>>());
    Ok(groups.iter().map(|group| group.map(|group| numbered[group].clone())).collect())
}

/// Image arrays, each read when the first sample of its split is asked for, and kept.
#[derive(Debug)]
pub(super) struct ImageArrays {
    npz: Npz,
    lens: BTreeMap<Split, usize>,
    places: Vec<(Split, usize)>,
    loaded: Mutex<BTreeMap<Split, Arc<NpyArray<u8>>>>,
}

impl ImageArrays {
    pub(super) fn read(&self, index: usize) -> Result<Image<2>, DecodeError> {
        let (split, n) = self.places[index];
        let array = self.split(split)?;
        let (size, channels) = ([array.shape[1], array.shape[2]], array.shape.get(3).copied().unwrap_or(1));
        let points = size[0] * size[1];
        let pixels = &array.values[n * points * channels..(n + 1) * points * channels];
        let values = (0..channels).flat_map(|c| (0..points).map(move |p| f32::from(pixels[p * channels + c])));
        let refused = |found: String| DecodeError::Labels {
            what: format!("{split}_images"),
            expected: "images of at least one pixel and channel".into(),
            found,
        };
        let grid = Geometry::without_spacing(size).map_err(|error| refused(error.to_string()))?;
        Image::new(channels, grid, Intensity::Stored { bits: 8 }, values.collect())
            .map_err(|error| refused(error.to_string()))
    }

    fn split(&self, split: Split) -> Result<Arc<NpyArray<u8>>, DecodeError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(array) = loaded.get(&split) {
            return Ok(Arc::clone(array));
        }
        let name = format!("{split}_images");
        let array = self.npz.array_u8(&name)?;
        let samples = self.lens[&split];
        let fits = matches!(array.shape[..], [n, _, _] | [n, _, _, _] if n == samples);
        if !fits {
            let expected = format!("shape [{samples}, rows, columns] or [{samples}, rows, columns, channels]");
            return Err(DecodeError::Labels { what: name, expected, found: format!("shape {:?}", array.shape) });
        }
        let array = Arc::new(array);
        loaded.insert(split, Arc::clone(&array));
        Ok(array)
    }
}
