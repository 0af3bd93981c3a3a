//! Finding images and their masks in folders as people have them: the Medical Segmentation Decathlon's, nnU-Net's, and
//! plain pairs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kd_image::{Intensity, Split};

use super::{DatasetJson, ImportError, MaskFormat};
use crate::decode::{case_of, split_of};
use crate::format::{FileFormat, FoundFile, files_below, sniff};

/// Names that folders of masks go by.
const MASK_FOLDERS: [&str; 5] = ["masks", "labels", "annotations", "segmentations", "mask"];

/// An image and its mask.
pub(super) struct Pair {
    pub(super) split: Option<Split>,
    /// Name below the images, without ending and channel.
    pub(super) case: String,
    /// One file, or one a channel.
    pub(super) images: Vec<FoundFile>,
    pub(super) mask: FoundFile,
}

/// What a folder holds.
pub(super) struct Pairs {
    pub(super) pairs: Vec<Pair>,
    pub(super) description: Option<DatasetJson>,
    /// Images without a mask that lie in a folder of their own and are left out.
    pub(super) left_out: usize,
}

impl Pairs {
    pub(super) fn find(folder: &Path, format: &MaskFormat) -> Result<Self, ImportError> {
        let description = DatasetJson::read(&folder.join("dataset.json"))?;
        if folder.join("imagesTr").is_dir() {
            let pairs = pairs_of(&folder.join("imagesTr"), &folder.join("labelsTr"), None, folder, format)?;
            if let Some(expected) = description.as_ref().and_then(|json| json.n_training)
                && expected != pairs.len()
            {
                return Err(ImportError::Description {
                    expected: format!("numTraining {expected} cases in imagesTr"),
                    found: pairs.len().to_string(),
                    hint: "copy what is missing, or correct numTraining",
                });
            }
            let left_out = ["imagesTs", "imagesVal"].map(|name| folder.join(name));
            let count = |inside: &PathBuf| if inside.is_dir() { files_below(inside).map(|f| f.len()) } else { Ok(0) };
            let left_out = left_out.iter().map(count).sum::<Result<usize, _>>()?;
            return Ok(Self { pairs, description, left_out });
        }
        let mut pairs = Vec::new();
        if folder.join("images").is_dir() {
            pairs = pairs_of(&folder.join("images"), &mask_folder(folder, folder)?, None, folder, format)?;
        } else {
            let mut splits = BTreeSet::new();
            for name in super::folder::folders_in(folder)? {
                let Some(split) = split_of(&name) else { continue };
                let inside = folder.join(&name);
                splits.insert(split);
                let masks = mask_folder(&inside, folder)?;
                pairs.append(&mut pairs_of(&inside.join("images"), &masks, Some(split), folder, format)?);
            }
            if splits.is_empty() {
                return Err(no_pairs(folder, folder));
            }
            if splits.len() != 3 {
                let found = splits.iter().map(|split| split.name()).collect::<Vec<_>>().join(" and ");
                return Err(ImportError::Splits { found });
            }
        }
        Ok(Self { pairs, description, left_out: 0 })
    }

    /// Files of a case: one, or as many as there are channels.
    pub(super) fn files_per_case(&self) -> usize {
        self.pairs.first().map_or(1, |pair| pair.images.len())
    }

    /// What the numbers mean where the description says it: all channels CT, or none of them.
    pub(super) fn intensity(&self) -> Option<Intensity> {
        let channels = &self.description.as_ref()?.channels;
        let is_ct = |name: &String| name.eq_ignore_ascii_case("ct");
        match channels.iter().filter(|name| is_ct(name)).count() {
            0 if channels.is_empty() => None,
            0 => Some(Intensity::Arbitrary),
            n if n == channels.len() => Some(Intensity::Hounsfield),
            _ => None,
        }
    }
}

fn no_pairs(folder: &Path, given: &Path) -> ImportError {
    ImportError::NoPairs { folder: crate::error::relative_name(folder, given) }
}

fn mask_folder(folder: &Path, given: &Path) -> Result<PathBuf, ImportError> {
    let found = MASK_FOLDERS.iter().map(|name| folder.join(name)).find(|path| path.is_dir());
    found.ok_or_else(|| no_pairs(folder, given))
}

/// Files of one folder by their names without ending.
fn cases_in(folder: &Path, given: &Path, format: &MaskFormat) -> Result<BTreeMap<String, FoundFile>, ImportError> {
    if !folder.is_dir() {
        return Err(no_pairs(folder, given));
    }
    let mut cases = BTreeMap::new();
    for file in files_below(folder)? {
        let shown = crate::error::relative_name(&file.path, given);
        check_format(&file, &shown, format)?;
        let case = case_of(&file.name).to_owned();
        if let Some(other) = cases.insert(case, file) {
            let other = crate::error::relative_name(&other.path, given);
            return Err(ImportError::Unpaired { file: shown, expected: "one file of that name".into(), found: other });
        }
    }
    if cases.is_empty() {
        return Err(no_pairs(folder, given));
    }
    Ok(cases)
}

fn check_format(file: &FoundFile, shown: &str, format: &MaskFormat) -> Result<(), ImportError> {
    let refused = |found, expected| Err(ImportError::Kind { file: shown.into(), found, expected });
    match format {
        // Headerless files have nothing to look at, and DICOM is paired by what is inside.
        MaskFormat::Raw(_) | MaskFormat::Dicom => Ok(()),
        MaskFormat::ImageMask => match sniff(&file.path)? {
            FileFormat::Png | FileFormat::Jpeg => Ok(()),
            other => refused(other.name(), "PNG or JPEG"),
        },
        MaskFormat::Nifti => {
            let name = file.name.to_ascii_lowercase();
            if name.ends_with(".hdr") || name.ends_with(".img") {
                return refused("one half of a pair", "NIfTI in one file, .nii or .nii.gz");
            }
            match sniff(&file.path)? {
                FileFormat::Nifti if name.ends_with(".nii") || name.ends_with(".nii.gz") => Ok(()),
                other => refused(other.name(), "NIfTI in one file, .nii or .nii.gz"),
            }
        }
    }
}

/// Splits nnU-Net's `case_0002` into case and channel.
fn channel_of(name: &str) -> Option<(&str, usize)> {
    let (case, channel) = name.rsplit_once('_')?;
    let is_number = channel.len() == 4 && channel.bytes().all(|digit| digit.is_ascii_digit());
    Some((case, channel.parse().ok().filter(|_| is_number)?))
}

fn pairs_of(
    images: &Path,
    masks: &Path,
    split: Option<Split>,
    given: &Path,
    format: &MaskFormat,
) -> Result<Vec<Pair>, ImportError> {
    let images = cases_in(images, given, format)?;
    let mut masks = cases_in(masks, given, format)?;
    // Channels have files of their own when every image's name ends in a number and the masks have the names without.
    let is_by_channel = images.keys().all(|name| channel_of(name).is_some())
        && !images.keys().any(|name| masks.contains_key(name))
        && images.keys().any(|name| channel_of(name).is_some_and(|(case, _)| masks.contains_key(case)));
    let mut by_case: BTreeMap<String, BTreeMap<usize, FoundFile>> = BTreeMap::new();
    for (name, file) in images {
        let (case, channel) = channel_of(&name).filter(|_| is_by_channel).unwrap_or((&name, 0));
        by_case.entry(case.to_owned()).or_default().insert(channel, file);
    }
    let shown = |file: &FoundFile| crate::error::relative_name(&file.path, given);
    let n_channels = by_case.values().map(BTreeMap::len).max().unwrap_or(1);
    let mut pairs = Vec::new();
    for (case, files) in by_case {
        let first = files.values().next().map(&shown).unwrap_or_default();
        let unpaired = |expected: String, found: &str| ImportError::Unpaired {
            file: first.clone(),
            expected,
            found: found.into(),
        };
        let mask = masks.remove(&case).ok_or_else(|| unpaired(format!("a mask named `{case}`"), "none"))?;
        if !files.keys().copied().eq(0..n_channels) {
            let found = format!("channels {:?}", files.keys().collect::<Vec<_>>());
            return Err(unpaired(format!("channels 0 to {} of `{case}`", n_channels - 1), &found));
        }
        pairs.push(Pair { split, case, images: files.into_values().collect(), mask });
    }
    match masks.into_iter().next() {
        Some((case, mask)) => {
            let expected = format!("an image named `{case}`");
            Err(ImportError::Unpaired { file: shown(&mask), expected, found: "none".into() })
        }
        None => Ok(pairs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_four_digits() {
        assert_eq!(channel_of("liver_001_0002"), Some(("liver_001", 2)));
        assert_eq!(channel_of("liver_001"), None);
        assert_eq!(channel_of("liver_+001"), None);
    }
}
