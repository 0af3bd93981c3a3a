//! From a case's own grid to the prepared one, and back.
//!
//! Turned to the axes of the patient, resampled where the request asks for it, then cut or padded around the middle. The
//! way back is the same three steps in reverse, so a mask of the prepared grid ends on the grid that its image came from.

use kd_image::{
    Geometry, Image, Interpolation, LabelMap, Orientation, Outside, Reorientation, Resampling, Shrinking, Window,
    resample_labels,
};

use super::{DenseRequest, PrepareError};

/// The way of one case.
#[derive(Debug, Clone)]
pub struct Placement {
    source: Geometry<3>,
    turn: Option<Reorientation>,
    /// The grid after resampling, where there is any.
    spaced: Option<Geometry<3>>,
    window: Window<3>,
}

fn refused(what: &str, error: impl std::fmt::Display) -> PrepareError {
    PrepareError::Image { what: what.into(), expected: "one that can be prepared".into(), found: error.to_string() }
}

impl Placement {
    /// Plans the way of a case with grid `source`.
    ///
    /// # Policy
    /// - A placed grid is turned to LPS: slices to the head, rows to the back, columns to the left, as axial slices are looked
    ///   at. One that is not placed (pictures) stays as it is.
    /// - A size of two entries leaves the slices as they are and places each; one of three places the volume.
    ///
    /// # Errors
    /// [`PrepareError::Image`] for a grid without spacing where the request names one.
    pub fn new(source: &Geometry<3>, request: &DenseRequest) -> Result<Self, PrepareError> {
        Self::planned(source, request, |_, wanted| wanted)
    }

    /// As [`new`](Self::new), but nothing is cut off: where the case is larger than the request's size, so is the prepared
    /// grid. What prediction needs, since nobody may be told that there is nothing where nobody looked.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn covering(source: &Geometry<3>, request: &DenseRequest) -> Result<Self, PrepareError> {
        Self::planned(source, request, usize::max)
    }

    /// `side` gives the points of an axis, from those of the grid and those that the request names.
    fn planned(
        source: &Geometry<3>,
        request: &DenseRequest,
        side: impl Fn(usize, usize) -> usize,
    ) -> Result<Self, PrepareError> {
        let turn = match source.affine() {
            Some(_) => Some(Reorientation::new(source, Orientation::LPS).map_err(|e| refused("grid", e))?),
            None => None,
        };
        let turned = turn.as_ref().map_or(source, Reorientation::grid);
        let spaced = match (&request.spacing_mm, turned.spacing_mm()) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(PrepareError::Image {
                    what: "spacing".into(),
                    expected: "a known one, since `spacing_mm` asks for resampling".into(),
                    found: "none in the file".into(),
                });
            }
            (Some(wanted), Some(found)) => {
                let wanted = match wanted[..] {
                    [row, column] => [found[0], row, column],
                    [slice, row, column] => [slice, row, column],
                    _ => found,
                };
                Some(turned.with_new_spacing(wanted).map_err(|e| refused("spacing", e))?)
            }
        };
        let grid = spaced.as_ref().unwrap_or(turned);
        let [planes, rows, columns] = grid.shape();
        let shape = match request.size[..] {
            [depth, height, width] => [side(planes, depth), side(rows, height), side(columns, width)],
            [height, width] => [planes, side(rows, height), side(columns, width)],
            _ => grid.shape(),
        };
        let window = Window::centered(grid, shape).map_err(|e| refused("size", e))?;
        Ok(Self { source: source.clone(), turn, spaced, window })
    }

    /// The prepared grid.
    #[must_use]
    pub fn grid(&self) -> &Geometry<3> {
        self.window.grid()
    }

    /// The image on the prepared grid; points beyond the source take the image's smallest value, which is air or
    /// background in every modality that this program reads.
    ///
    /// # Errors
    /// [`PrepareError::Image`] for an image on another grid.
    pub fn image(&self, image: &Image<3>) -> Result<Image<3>, PrepareError> {
        let least = image.values().iter().copied().fold(f32::INFINITY, f32::min);
        let turned = self.turn.as_ref().map(|turn| turn.image(image)).transpose().map_err(|e| refused("image", e))?;
        let turned = turned.as_ref().unwrap_or(image);
        let how = Resampling {
            interpolation: Interpolation::Linear,
            shrinking: Shrinking::Antialiased,
            outside: Outside::Value(least),
        };
        let spaced = self.spaced.as_ref().map(|grid| how.image(turned, grid));
        let spaced = spaced.transpose().map_err(|e| refused("image", e))?;
        self.window.image(spaced.as_ref().unwrap_or(turned), least).map_err(|e| refused("image", e))
    }

    /// The labels on the prepared grid; background beyond the source.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn labels(&self, labels: &LabelMap<3>) -> Result<LabelMap<3>, PrepareError> {
        let turned = self.turn.as_ref().map(|turn| turn.labels(labels));
        let turned = turned.transpose().map_err(|e| refused("mask", e))?;
        let turned = turned.as_ref().unwrap_or(labels);
        let spaced = self.spaced.as_ref().map(|grid| resample_labels(turned, grid, 0));
        let spaced = spaced.transpose().map_err(|e| refused("mask", e))?;
        self.window.labels(spaced.as_ref().unwrap_or(turned), 0).map_err(|e| refused("mask", e))
    }

    /// Labels of the prepared grid on the source's; background where the prepared grid does not reach.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn labels_back(&self, labels: &LabelMap<3>) -> Result<LabelMap<3>, PrepareError> {
        let mut map = self.window.inverse().labels(labels, 0).map_err(|e| refused("mask", e))?;
        if self.spaced.is_some() {
            let turned = self.turn.as_ref().map_or(&self.source, Reorientation::grid);
            map = resample_labels(&map, turned, 0).map_err(|e| refused("mask", e))?;
        }
        match &self.turn {
            Some(turn) => turn.inverse().labels(&map).map_err(|e| refused("mask", e)),
            None => Ok(map),
        }
    }

    /// An image of the prepared grid on the source's; `beyond` where the prepared grid does not reach.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn image_back(&self, image: &Image<3>, beyond: f32) -> Result<Image<3>, PrepareError> {
        let mut back = self.window.inverse().image(image, beyond).map_err(|e| refused("image", e))?;
        if self.spaced.is_some() {
            let turned = self.turn.as_ref().map_or(&self.source, Reorientation::grid);
            let how = Resampling {
                interpolation: Interpolation::Linear,
                shrinking: Shrinking::Antialiased,
                outside: Outside::Value(beyond),
            };
            back = how.image(&back, turned).map_err(|e| refused("image", e))?;
        }
        match &self.turn {
            Some(turn) => turn.inverse().image(&back).map_err(|e| refused("image", e)),
            None => Ok(back),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::DenseIntensity;
    use crate::store::Element;
    use kd_image::{Affine, Intensity};

    fn oblique(shape: [usize; 3]) -> Geometry<3> {
        // Columns to the left, rows to the feet, slices to the back, tilted a little.
        let matrix = [[-1.0, 0.1, 0.0, 5.0], [0.0, 0.2, -3.0, 6.0], [0.0, -2.0, 0.1, 7.0], [0.0, 0.0, 0.0, 1.0]];
        let affine = Affine { matrix };
        Geometry::placed(shape, affine).unwrap()
    }

    fn request(size: &[usize], spacing_mm: Option<&[f64]>) -> DenseRequest {
        DenseRequest {
            size: size.to_vec(),
            spacing_mm: spacing_mm.map(<[f64]>::to_vec),
            intensity: DenseIntensity::EachVolume,
            element: Element::F32,
            objects: None,
        }
    }

    fn blocks(grid: Geometry<3>) -> LabelMap<3> {
        let [depth, rows, columns] = grid.shape();
        let label = |n: usize| {
            let (z, y, x) = (n / (rows * columns), n / columns % rows, n % columns);
            let inside = |at: usize, of: usize| at > of / 4 && at < of - of / 4;
            u16::from(inside(z, depth) && inside(y, rows) && inside(x, columns)) * (1 + u16::from(2 * x > columns))
        };
        let labels = (0..grid.n_points()).map(label).collect();
        LabelMap::new(grid, labels, 3).unwrap()
    }

    #[test]
    fn a_mask_comes_back_to_its_grid_unchanged_without_resampling() {
        let labels = blocks(oblique([9, 12, 10]));
        for size in [&[16, 16, 16][..], &[16, 16]] {
            let placement = Placement::new(labels.geometry(), &request(size, None)).unwrap();
            let prepared = placement.labels(&labels).unwrap();
            assert_eq!(prepared.geometry().shape()[1..], [16, 16]);
            assert_eq!(prepared.geometry().orientation().unwrap().to_string(), "LPS");
            assert_eq!(placement.labels_back(&prepared).unwrap(), labels);
        }
    }

    #[test]
    fn a_finer_grid_and_back_keeps_all_but_a_rim() {
        let labels = blocks(oblique([12, 16, 20]));
        let placement = Placement::new(labels.geometry(), &request(&[48, 64, 64], Some(&[1.0, 1.0, 1.0]))).unwrap();
        let back = placement.labels_back(&placement.labels(&labels).unwrap()).unwrap();
        let same = back.labels().iter().zip(labels.labels()).filter(|(a, b)| a == b).count();
        assert!(same * 100 >= labels.labels().len() * 97, "{same} of {}", labels.labels().len());
    }

    #[test]
    fn padding_takes_the_smallest_value() {
        let grid = oblique([2, 2, 2]);
        let values = (0..8u8).map(|n| f32::from(n) - 3.0).collect();
        let image = Image::new(1, grid, Intensity::Arbitrary, values).unwrap();
        let placement = Placement::new(image.geometry(), &request(&[4, 4, 4], None)).unwrap();
        let prepared = placement.image(&image).unwrap();
        let padded = prepared.values().iter().filter(|value| (**value + 3.0).abs() < 1e-6).count();
        assert_eq!(padded, 64 - 7);
        assert_eq!(placement.image_back(&prepared, 0.0).unwrap(), image);
    }

    #[test]
    fn a_covering_grid_cuts_nothing_off() {
        let labels = blocks(oblique([9, 12, 10]));
        let placement = Placement::covering(labels.geometry(), &request(&[8, 16], None)).unwrap();
        assert_eq!(placement.grid().shape()[1..], [9, 16]);
        assert_eq!(placement.labels_back(&placement.labels(&labels).unwrap()).unwrap(), labels);
    }

    #[test]
    fn resampling_without_spacing_is_refused() {
        let grid = Geometry::<3>::without_spacing([1, 4, 4]).unwrap();
        let refused = Placement::new(&grid, &request(&[4, 4], Some(&[1.0, 1.0]))).unwrap_err();
        assert!(refused.to_string().contains("none in the file"), "{refused}");
    }
}
