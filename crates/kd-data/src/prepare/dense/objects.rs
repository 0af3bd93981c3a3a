//! What a network learns where objects of one class touch: their insides and their borders.

use kd_image::LabelMap;
use serde::{Deserialize, Serialize};

/// How objects are told apart: a network learns the inside and the border of each, and objects grow from the insides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectTarget {
    /// Width of the border in points of the prepared grid; 0 learns objects without a border, and those that touch become
    /// one.
    pub border: usize,
    /// The fewest points of an inside from which an object grows, and of an object.
    pub min_points: usize,
}

/// The widest border.
const WIDEST: usize = 16;

impl ObjectTarget {
    /// Classes that a network learns: background and inside, and the border where there is one.
    #[must_use]
    pub const fn n_classes(&self) -> usize {
        if self.border > 0 { 3 } else { 2 }
    }

    /// What is wrong with it, if anything: expected and found.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        (self.border > WIDEST).then(|| ("a border of at most 16 points", self.border.to_string()))
    }

    /// Inside (1) and border (2) of numbered objects; 0 is neither.
    ///
    /// # Shapes
    /// `objects` and the answer on one grid.
    ///
    /// # Policy
    /// A point of an object is border when another object or the background lies within `border` points of it along every
    /// axis at once (a box); what lies beyond the image counts as nothing. `in_plane` looks along rows and columns alone.
    /// With a border of 1 this is scikit-image's `find_boundaries(mode="inner")` with diagonal neighbours.
    ///
    /// # Example
    /// ```
    /// use kd_data::prepare::ObjectTarget;
    /// use kd_image::{Geometry, LabelMap};
    /// let grid = Geometry::<3>::without_spacing([1, 1, 8])?;
    /// let objects = LabelMap::new(grid, vec![5, 5, 5, 9, 9, 9, 0, 0], 65_536)?;
    /// let target = ObjectTarget { border: 1, min_points: 1 }.target(&objects, true);
    /// assert_eq!(target.labels(), [1, 1, 2, 2, 1, 2, 0, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn target(&self, objects: &LabelMap<3>, in_plane: bool) -> LabelMap<3> {
        let [depth, height, width] = objects.geometry().shape();
        let numbers = objects.labels();
        let near = |at: usize, length: usize, reach: usize| at.saturating_sub(reach)..(at + reach + 1).min(length);
        let is_border = |z: usize, y: usize, x: usize, number: u16| {
            let planes = near(z, depth, if in_plane { 0 } else { self.border });
            planes.flat_map(|z| near(y, height, self.border).map(move |y| (z * height + y) * width)).any(|row| {
                let columns = near(x, width, self.border);
                numbers[row + columns.start..row + columns.end].iter().any(|&other| other != number)
            })
        };
        let labels = numbers.iter().enumerate().map(|(index, &number)| {
            let (z, y, x) = (index / (height * width), index / width % height, index % width);
            match number {
                0 => 0,
                number if self.border > 0 && is_border(z, y, x, number) => 2,
                _ => 1,
            }
        });
        LabelMap::new(objects.geometry().clone(), labels.collect(), self.n_classes())
            .expect("labels of 0 to 2 on one grid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::Geometry;

    #[test]
    fn a_border_in_the_plane_ignores_the_slices_beside_it() {
        let grid = Geometry::<3>::without_spacing([2, 1, 3]).unwrap();
        let objects = LabelMap::new(grid, vec![1, 1, 1, 0, 0, 0], 65_536).unwrap();
        let target = ObjectTarget { border: 1, min_points: 1 };
        assert_eq!(target.target(&objects, true).labels(), [1, 1, 1, 0, 0, 0]);
        assert_eq!(target.target(&objects, false).labels(), [2, 2, 2, 0, 0, 0]);
    }

    #[test]
    fn without_a_border_objects_become_foreground() {
        let grid = Geometry::<3>::without_spacing([1, 1, 4]).unwrap();
        let objects = LabelMap::new(grid, vec![7, 8, 0, 9], 65_536).unwrap();
        let target = ObjectTarget { border: 0, min_points: 1 }.target(&objects, true);
        assert_eq!((target.labels(), target.n_classes()), (&[1, 1, 0, 1][..], 2));
    }
}
