//! From insides and borders to numbered objects.

use std::collections::VecDeque;

use kd_image::LabelMap;
use kd_metrics::{Components, Connectivity, Grid};

use super::InferenceError;

/// The class of insides, from which objects grow.
const INSIDE: u16 = 1;

/// Numbers the objects of an answer with insides (1) and perhaps borders (any other class): each inside is a seed and
/// takes the border points around it.
///
/// # Shapes
/// `labels` and the answer on one grid; background is 0 in both, objects are numbered from 1 in the order of their first
/// points in memory.
///
/// # Policy
/// Seeds are components of the inside joined by faces, of `min_points` or more; a smaller one counts as border. Seeds grow
/// by one face at a time and at the same speed; a point that two reach in one step goes to the one whose front came first
/// in memory. What no seed reaches becomes an object of its own, component by component, where it has `min_points` or more,
/// else background. Objects above 65,535 are left out.
///
/// # Errors
/// [`InferenceError`] for a grid that cannot be measured.
///
/// # Source
/// The inside and border targets of the 2018 Data Science Bowl's solutions (Caicedo et al. 2019, Nature Methods 16), with
/// growth along the shortest path in place of a watershed.
///
/// # Example
/// ```
/// use kd_image::{Geometry, LabelMap};
/// use kd_segment::grow_objects;
/// let grid = Geometry::<3>::without_spacing([1, 1, 9])?;
/// // Two insides that share a border, and a border alone.
/// let labels = LabelMap::new(grid, vec![1, 1, 2, 2, 1, 1, 0, 2, 2], 3)?;
/// assert_eq!(grow_objects(&labels, 2)?.labels(), [1, 1, 1, 2, 2, 2, 0, 3, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn grow_objects(labels: &LabelMap<3>, min_points: usize) -> Result<LabelMap<3>, InferenceError> {
    let shape = labels.geometry().shape();
    // Sizes in points: how far apart they are changes nothing here.
    let grid = Grid::volume(shape, [1.0; 3])?;
    let components = |mask: Vec<bool>| Components::of_mask(&grid, &mask, Connectivity::Faces);
    let is_large = |found: &Components, component: u32| found.sizes()[component as usize - 1] >= min_points as u64;
    let seeds = components(labels.labels().iter().map(|&label| label == INSIDE).collect())?;
    let mut objects: Vec<u32> =
        seeds.labels().iter().map(|&seed| if seed > 0 && is_large(&seeds, seed) { seed } else { 0 }).collect();
    let is_free = |index: usize, objects: &[u32]| {
        let label = labels.labels()[index];
        label != 0 && label != kd_image::IGNORED && objects[index] == 0
    };
    let mut front: VecDeque<usize> = (0..objects.len()).filter(|&index| objects[index] > 0).collect();
    while let Some(index) = front.pop_front() {
        for next in faces(index, shape) {
            if is_free(next, &objects) {
                objects[next] = objects[index];
                front.push_back(next);
            }
        }
    }
    let left = components((0..objects.len()).map(|index| is_free(index, &objects)).collect())?;
    let after = seeds.count() as u32;
    for (object, &component) in objects.iter_mut().zip(left.labels()) {
        if component > 0 && is_large(&left, component) {
            *object = after + component;
        }
    }
    Ok(LabelMap::new(labels.geometry().clone(), numbered(&objects), usize::from(u16::MAX) + 1)?)
}

/// The points that share a face with a point.
fn faces(index: usize, [depth, height, width]: [usize; 3]) -> impl Iterator<Item = usize> {
    let (z, y, x) = (index / (height * width), index / width % height, index % width);
    let plane = height * width;
    let steps = [
        (z > 0).then(|| index - plane),
        (y > 0).then(|| index - width),
        (x > 0).then(|| index - 1),
        (x + 1 < width).then(|| index + 1),
        (y + 1 < height).then(|| index + width),
        (z + 1 < depth).then(|| index + plane),
    ];
    steps.into_iter().flatten()
}

/// Numbers from 1 without gaps, in the order of memory.
fn numbered(objects: &[u32]) -> Vec<u16> {
    let highest = objects.iter().copied().max().unwrap_or(0);
    let mut number = vec![0_u16; highest as usize + 1];
    let mut last = 0_u16;
    let of = |&object: &u32| {
        if object > 0 && number[object as usize] == 0 && last < u16::MAX - 1 {
            last += 1;
            number[object as usize] = last;
        }
        number[object as usize]
    };
    objects.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kd_image::Geometry;

    fn plane<const N: usize>(rows: [[u16; N]; 3]) -> LabelMap<3> {
        let grid = Geometry::<3>::without_spacing([1, 3, N]).unwrap();
        LabelMap::new(grid, rows.concat(), 3).unwrap()
    }

    #[test]
    fn insides_that_touch_at_a_corner_are_two() {
        let objects = grow_objects(&plane([[1, 0], [0, 1], [0, 0]]), 1).unwrap();
        assert_eq!(objects.labels(), [1, 0, 0, 2, 0, 0]);
    }

    #[test]
    fn an_inside_below_the_size_is_border_of_its_neighbour() {
        let labels = plane([[1, 1, 2, 1], [1, 1, 2, 2], [0, 0, 0, 0]]);
        let objects = grow_objects(&labels, 2).unwrap();
        assert_eq!(objects.labels(), [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(grow_objects(&labels, 1).unwrap().labels()[3], 2);
    }

    #[test]
    fn a_border_that_nobody_reaches_stays_or_goes_by_its_size() {
        let labels = plane([[1, 0, 2], [0, 0, 2], [2, 0, 0]]);
        assert_eq!(grow_objects(&labels, 2).unwrap().labels(), [0, 0, 1, 0, 0, 1, 0, 0, 0]);
        assert_eq!(grow_objects(&labels, 1).unwrap().labels(), [1, 0, 2, 0, 0, 2, 3, 0, 0]);
    }

    #[test]
    fn fronts_move_at_the_same_speed() {
        let grid = Geometry::<3>::without_spacing([1, 1, 8]).unwrap();
        let labels = LabelMap::new(grid, vec![1, 2, 2, 2, 2, 2, 2, 1], 3).unwrap();
        assert_eq!(grow_objects(&labels, 1).unwrap().labels(), [1, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn nothing_gives_no_object() {
        let objects = grow_objects(&plane([[0, 0], [0, 0], [0, 0]]), 1).unwrap();
        assert!(objects.labels().iter().all(|&object| object == 0));
    }
}
