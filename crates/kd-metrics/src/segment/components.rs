//! Connected components of a mask: two passes over the grid with a union of provisional labels.
//!
//! What touches is an argument, because a diagonal bridge decides whether two lesions are one.

use crate::grid::Grid;
use crate::undefined::{Undefined, check_length};

/// Which neighbours belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// Points that share a face: 6 in a volume, 4 on a plane.
    Faces,
    /// Points that share a face or an edge: 18 in a volume, 8 on a plane.
    Edges,
    /// Points that share a face, an edge or a corner: 26 in a volume, 8 on a plane.
    Corners,
}

/// A number per point: 0 outside the mask, else the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    labels: Vec<u32>,
    sizes: Vec<u64>,
}

impl Components {
    /// Finds the components of a mask.
    ///
    /// # Shapes
    /// `mask` as the grid, last axis fastest.
    ///
    /// # Policy
    /// Components are numbered from 1 in the order in which their first points stand in memory.
    ///
    /// # Errors
    /// Another length than the grid has points; more than 2³² − 1 provisional components.
    ///
    /// # Source
    /// Rosenfeld and Pfaltz 1966; the numbering of SciPy `ndimage.label`.
    ///
    /// # Example
    /// ```
    /// use kd_metrics::{Components, Connectivity, Grid};
    /// let grid = Grid::plane([2, 3], [1.0, 1.0])?;
    /// let mask = [true, false, true, false, true, true];
    /// assert_eq!(Components::of_mask(&grid, &mask, Connectivity::Faces)?.labels(), [1, 0, 2, 0, 2, 2]);
    /// assert_eq!(Components::of_mask(&grid, &mask, Connectivity::Corners)?.count(), 1);
    /// # Ok::<(), kd_metrics::Undefined>(())
    /// ```
    pub fn of_mask(grid: &Grid, mask: &[bool], connectivity: Connectivity) -> Result<Self, Undefined> {
        check_length("mask", grid.points(), mask.len())?;
        let [_, height, width] = grid.shape3();
        let neighbours = earlier_neighbours(grid.shape3(), connectivity);
        let mut labels = vec![0_u32; mask.len()];
        // parent[label] ≤ label; label 0 is outside.
        let mut parent = vec![0_u32];
        for (index, _) in mask.iter().enumerate().filter(|&(_, &set)| set) {
            let (row, column) = (index / width % height, index % width);
            let depth = index / (width * height);
            let mut label = 0;
            for neighbour in &neighbours {
                if neighbour.is_inside(depth, row, column, height, width) {
                    let other = labels[index - neighbour.back];
                    if other != 0 && other != label {
                        label = if label == 0 { other } else { unite(&mut parent, label, other) };
                    }
                }
            }
            if label == 0 {
                label = u32::try_from(parent.len()).map_err(|_| Undefined::OutOfRange {
                    what: "number of components",
                    expected: "below 2^32",
                    found: parent.len() as f64,
                })?;
                parent.push(label);
            }
            labels[index] = label;
        }
        let mut last = 0;
        let mut number = vec![0_u32; parent.len()];
        for label in 1..parent.len() {
            let root = root(&mut parent, label as u32) as usize;
            if number[root] == 0 {
                last += 1;
                number[root] = last;
            }
            number[label] = number[root];
        }
        let mut sizes = vec![0; last as usize];
        for label in &mut labels {
            if *label != 0 {
                *label = number[*label as usize];
                sizes[*label as usize - 1] += 1;
            }
        }
        Ok(Self { labels, sizes })
    }

    /// Number of components.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sizes.len()
    }

    /// The component of each point, 0 outside.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Points of each component; the first is component 1.
    #[must_use]
    pub fn sizes(&self) -> &[u64] {
        &self.sizes
    }
}

/// A neighbour that was visited before: one step back along `depth`, and a step of −1, 0 or 1 along the other two.
struct Earlier {
    back: usize,
    step: [isize; 3],
}

impl Earlier {
    fn is_inside(&self, depth: usize, row: usize, column: usize, height: usize, width: usize) -> bool {
        let [z, y, x] = self.step;
        (z == 0 || depth > 0)
            && row.checked_add_signed(y).is_some_and(|row| row < height)
            && column.checked_add_signed(x).is_some_and(|column| column < width)
    }
}

fn earlier_neighbours([_, height, width]: [usize; 3], connectivity: Connectivity) -> Vec<Earlier> {
    let most_axes = match connectivity {
        Connectivity::Faces => 1,
        Connectivity::Edges => 2,
        Connectivity::Corners => 3,
    };
    let mut neighbours = Vec::new();
    for z in -1..=0_isize {
        for y in -1..=1_isize {
            for x in -1..=1_isize {
                let axes = [z, y, x].iter().filter(|&&step| step != 0).count();
                let is_earlier = (z, y, x) < (0, 0, 0);
                if is_earlier && axes <= most_axes {
                    let offset = (z * height as isize + y) * width as isize + x;
                    neighbours.push(Earlier { back: offset.unsigned_abs(), step: [z, y, x] });
                }
            }
        }
    }
    neighbours
}

fn root(parent: &mut [u32], mut label: u32) -> u32 {
    while parent[label as usize] != label {
        let above = parent[parent[label as usize] as usize];
        parent[label as usize] = above;
        label = above;
    }
    label
}

/// Joins two labels under the smaller root and returns it.
fn unite(parent: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (root(parent, a), root(parent, b));
    let (low, high) = (a.min(b), a.max(b));
    parent[high as usize] = low;
    low
}
