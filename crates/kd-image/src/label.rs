//! What a sample's answer is: a class, a set of labels, or a map of classes on the image's grid.

use crate::Geometry;

/// Why labels were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The map and its grid disagree.
    #[error("label map holds {found} labels, expected {expected} for its grid")]
    Length {
        /// Points of the grid.
        expected: usize,
        /// Labels given.
        found: usize,
    },
    /// A label that no class stands for.
    #[error("label {found} at position {position}, expected 0 to {highest}")]
    Class {
        /// The label.
        found: u16,
        /// Where it stands, in the order of the values.
        position: usize,
        /// The highest class index.
        highest: usize,
    },
}

/// The answer that belongs to one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One class of several, counted from 0; ordered classes (grades) too.
    Class(u16),
    /// Any number of labels, each present or absent.
    Labels(Vec<bool>),
    /// The answer is unknown, or hidden on purpose: only soft labels can teach here.
    Unlabelled,
}

/// The label of a point whose class nobody knows: no loss and no metric looks at it.
pub const IGNORED: u16 = u16::MAX;

/// One class index per point of a grid; 0 is background, [`IGNORED`] is no class.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelMap<const D: usize> {
    geometry: Geometry<D>,
    labels: Vec<u16>,
    n_classes: usize,
}

impl<const D: usize> LabelMap<D> {
    /// Checks labels against their grid and their class count (background included).
    ///
    /// # Errors
    /// [`LabelError::Length`] when the grid has another number of points, [`LabelError::Class`] for a label that is
    /// neither below `n_classes` nor [`IGNORED`].
    pub fn new(geometry: Geometry<D>, labels: Vec<u16>, n_classes: usize) -> Result<Self, LabelError> {
        let expected = geometry.n_points();
        if labels.len() != expected {
            return Err(LabelError::Length { expected, found: labels.len() });
        }
        let unknown = |&label: &u16| usize::from(label) >= n_classes && label != IGNORED;
        if let Some(position) = labels.iter().position(unknown) {
            return Err(LabelError::Class { found: labels[position], position, highest: n_classes.saturating_sub(1) });
        }
        Ok(Self { geometry, labels, n_classes })
    }

    /// The grid.
    #[must_use]
    pub fn geometry(&self) -> &Geometry<D> {
        &self.geometry
    }

    /// Class indices, last axis fastest.
    #[must_use]
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Classes, background included.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_outside_its_classes_is_refused_with_its_position() {
        let geometry = Geometry::<2>::without_spacing([1, 3]).unwrap();
        let refused = LabelMap::new(geometry, vec![0, 2, 1], 2).unwrap_err();
        assert_eq!(refused, LabelError::Class { found: 2, position: 1, highest: 1 });
    }

    #[test]
    fn an_ignored_point_needs_no_class() {
        let geometry = Geometry::<2>::without_spacing([1, 3]).unwrap();
        assert!(LabelMap::new(geometry, vec![0, IGNORED, 1], 2).is_ok());
    }

    #[test]
    fn a_map_of_another_size_than_its_grid_is_refused() {
        let geometry = Geometry::<2>::without_spacing([2, 2]).unwrap();
        assert_eq!(LabelMap::new(geometry, vec![0; 3], 2).unwrap_err(), LabelError::Length { expected: 4, found: 3 });
    }
}
