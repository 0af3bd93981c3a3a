//! Views of a training pair: which part of it, and how it is mirrored; a function of sample and view alone.

use kd_core::{Purpose, stream};
use kd_image::SampleId;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Views that cannot be had of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// A part that is larger than the whole, or empty.
    #[error("patch is {} x {}, expected at least 1 x 1 and at most the input's {} x {}", patch[0], patch[1], image[0], image[1])]
    Patch {
        /// Height and width asked for.
        patch: [usize; 2],
        /// Height and width that there are.
        image: [usize; 2],
    },
    /// Quarter turns of what is not square.
    #[error("quarter turns need square patches, found {} x {}", patch[0], patch[1])]
    Turns {
        /// Height and width.
        patch: [usize; 2],
    },
}

/// What a view takes of an input and its answer.
///
/// # Policy
/// A patch lies anywhere with equal chance, on whole pixels of the input, and the answer's patch covers the same field of
/// view. Nothing is interpolated, since that would smooth the noise that is to be learned. No mirror is on by default: in
/// restoration it costs nothing of the meaning, but whoever reads the recipe should see it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Views {
    /// Rows and columns of the input; absent for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<[usize; 2]>,
    /// Half of the views have left and right exchanged.
    #[serde(default)]
    pub mirror_columns: bool,
    /// Half of the views have top and bottom exchanged.
    #[serde(default)]
    pub mirror_rows: bool,
    /// Half of the views have rows and columns exchanged.
    #[serde(default)]
    pub transpose: bool,
}

/// One view: where it begins in the input, and what is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    corner: [usize; 2],
    size: [usize; 2],
    mirror: [bool; 2],
    transpose: bool,
}

impl Views {
    /// Height and width of a view of an input.
    #[must_use]
    pub fn size(&self, image: [usize; 2]) -> [usize; 2] {
        self.patch.unwrap_or(image)
    }

    /// Checks that inputs of `[height, width]` have such views.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn check(&self, image: [usize; 2]) -> Result<(), ViewError> {
        let patch = self.size(image);
        if patch.iter().zip(image).any(|(&side, whole)| side == 0 || side > whole) {
            return Err(ViewError::Patch { patch, image });
        }
        if self.transpose && patch[0] != patch[1] {
            return Err(ViewError::Turns { patch });
        }
        Ok(())
    }

    pub(crate) fn draw(&self, image: [usize; 2], key: u64, sample: &SampleId, view: u32) -> View {
        let mut rng = stream(key, Purpose::Augment, u64::from(view), sample.as_str());
        let size = self.size(image);
        // As many draws whatever is asked for, so that a switched mirror does not move the patches.
        let corner = std::array::from_fn(|axis| rng.random_range(0..=image[axis] - size[axis]));
        let [rows, columns, transpose] = std::array::from_fn(|_| rng.random::<bool>());
        View {
            corner,
            size,
            mirror: [rows && self.mirror_rows, columns && self.mirror_columns],
            transpose: transpose && self.transpose,
        }
    }
}

impl View {
    /// The view of one plane that is `factor` times as fine as the input; `columns` is the plane's width.
    pub(crate) fn of(&self, plane: &[f32], columns: usize, factor: usize) -> Vec<f32> {
        let [height, width] = self.size.map(|side| side * factor);
        let [top, left] = self.corner.map(|corner| corner * factor);
        let value = |row: usize, column: usize| {
            let (row, column) = if self.transpose { (column, row) } else { (row, column) };
            let row = if self.mirror[0] { height - 1 - row } else { row };
            let column = if self.mirror[1] { width - 1 - column } else { column };
            plane[(top + row) * columns + left + column]
        };
        (0..height).flat_map(|row| (0..width).map(move |column| (row, column))).map(|(r, c)| value(r, c)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(side: usize) -> Vec<f32> {
        (0..side * side).map(|n| n as f32).collect()
    }

    #[test]
    fn input_and_finer_answer_show_the_same_part() {
        let views = Views { patch: Some([2, 2]), mirror_columns: true, mirror_rows: true, transpose: true };
        let coarse = plane(4);
        // Every pixel of the answer holds the number of the input's pixel that it lies in.
        let fine: Vec<f32> = (0..64).map(|n| coarse[(n / 8 / 2) * 4 + n % 8 / 2]).collect();
        for view in 0..40 {
            let view = views.draw([4, 4], 7, &"a".parse().unwrap(), view);
            let (input, answer) = (view.of(&coarse, 4, 1), view.of(&fine, 8, 2));
            let repeated: Vec<f32> = (0..16).map(|n| input[(n / 4 / 2) * 2 + n % 4 / 2]).collect();
            assert_eq!(answer, repeated);
        }
    }

    #[test]
    fn views_repeat_by_key_and_reach_every_corner_and_exchange() {
        let views = Views { patch: Some([2, 2]), mirror_columns: true, ..Views::default() };
        let draw = |view| views.draw([3, 3], 1, &"a".parse().unwrap(), view);
        assert_eq!(draw(5), draw(5));
        let all: std::collections::BTreeSet<Vec<u32>> =
            (0..60).map(|n| draw(n).of(&plane(3), 3, 1).iter().map(|&value| value as u32).collect()).collect();
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn a_patch_that_does_not_fit_is_refused_with_both_sizes() {
        let views = |patch, transpose| Views { patch: Some(patch), transpose, ..Views::default() };
        let text = views([5, 2], false).check([4, 4]).unwrap_err().to_string();
        assert_eq!(text, "patch is 5 x 2, expected at least 1 x 1 and at most the input's 4 x 4");
        assert!(views([0, 2], false).check([4, 4]).is_err());
        assert!(views([4, 2], true).check([4, 4]).unwrap_err().to_string().contains("square"));
        assert!(Views::default().check([4, 3]).is_ok());
    }
}
