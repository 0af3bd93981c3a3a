//! The cases of a data set with an answer for each point, split and checked for leaks, whatever files they come from.

use kd_image::{Geometry, Image, LabelMap};

use super::SplitSet;
use crate::decode::{DecodeError, MaskRecord, MaskedDataset, MaskedSample, ReadMasked};
use crate::leak::{self, LeakError, LeakPolicy};
use crate::manifest::{Layout, Manifest};
use crate::root::Root;
use crate::split::{SplitError, split_of_masked};

/// Why a set of cases could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file is missing, damaged or not as the manifest says.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The split cannot be made.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A volume that cannot be turned or cut.
    #[error("volume cannot be laid on the axes of the patient: {reason}")]
    Turn {
        /// Why.
        reason: String,
    },
    /// Subjects or images stand in two splits.
    #[error(transparent)]
    Leak(#[from] LeakError),
}

/// One case: a volume, or a picture as a volume of one slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Pixels with their place.
    pub image: Image<3>,
    /// Classes on the image's grid.
    pub labels: LabelMap<3>,
    /// Objects, where the mask tells them apart.
    pub instances: Option<LabelMap<3>>,
}

/// What cases are read from.
#[derive(Debug)]
pub struct CaseFiles(Files);

#[derive(Debug)]
enum Files {
    Volumes(MaskedDataset<3>),
    Pictures(MaskedDataset<2>),
}

/// A split set of cases, without those that the leak check left out.
pub type CaseSet = SplitSet<CaseFiles>;

impl CaseSet {
    /// Opens the raw folder of a data set with masks, splits it and looks for leaks.
    ///
    /// # Policy
    /// As [`MaskedDataset::open`], [`split_of_masked`] and [`leak::check`].
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn open(root: &Root, manifest: &Manifest, policy: LeakPolicy) -> Result<Self, CaseError> {
        match manifest.source.layout {
            Layout::ImageMasks => {
                let set = MaskedDataset::<2>::open(root, manifest)?;
                let table = split_of_masked(&set, manifest.split)?;
                let hashes = leak::masked_pixel_hashes(&set)?;
                Ok(Self::checked(CaseFiles(Files::Pictures(set)), &table, &hashes, policy)?)
            }
            _ => {
                let set = MaskedDataset::<3>::open(root, manifest)?;
                let table = split_of_masked(&set, manifest.split)?;
                let hashes = leak::masked_pixel_hashes(&set)?;
                Ok(Self::checked(CaseFiles(Files::Volumes(set)), &table, &hashes, policy)?)
            }
        }
    }

    /// What sort of image a case is, where the set tells sorts apart; `index` is below [`len`](Self::len).
    #[must_use]
    pub fn subgroup(&self, index: usize) -> Option<&str> {
        self.record(index).subgroup.as_deref()
    }

    /// Whether a case's subgroup is tested on and never learned from; `index` is below [`len`](Self::len).
    #[must_use]
    pub fn is_held_out(&self, index: usize) -> bool {
        self.record(index).held_out
    }

    fn record(&self, index: usize) -> &MaskRecord {
        let records = match &self.files.0 {
            Files::Volumes(set) => set.records(),
            Files::Pictures(set) => set.records(),
        };
        &records[self.position(index)]
    }

    /// Reads a case; `index` is below [`len`](Self::len).
    ///
    /// # Errors
    /// As [`ReadMasked::read`].
    pub fn read(&self, index: usize) -> Result<Case, DecodeError> {
        let position = self.position(index);
        match &self.files.0 {
            Files::Volumes(set) => {
                let MaskedSample { image, labels, instances } = set.read(position)?;
                Ok(Case { image, labels, instances })
            }
            Files::Pictures(set) => {
                let MaskedSample { image, labels, instances } = set.read(position)?;
                let image = one_slice(image);
                let map = |map: LabelMap<2>| {
                    LabelMap::new(image.geometry().clone(), map.labels().to_vec(), map.n_classes())
                        .expect("as many points as before")
                };
                let (labels, instances) = (map(labels), instances.map(map));
                Ok(Case { image, labels, instances })
            }
        }
    }
}

/// A picture as a volume of one slice, as thick as its rows are apart.
#[must_use]
pub fn one_slice(picture: Image<2>) -> Image<3> {
    let [rows, columns] = picture.geometry().shape();
    let grid = match picture.geometry().spacing_mm() {
        Some([row, column]) => Geometry::with_spacing([1, rows, columns], [row, row, column]),
        None => Geometry::without_spacing([1, rows, columns]),
    };
    let (channels, intensity) = (picture.channels(), picture.intensity());
    let volume = Image::new(channels, grid.expect("a picture's grid was checked"), intensity, picture.into_values());
    volume.expect("as many finite values as before")
}
