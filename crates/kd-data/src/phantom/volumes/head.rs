//! One subject's head, in mm: x to the image's right, y to the face, z to the crown, 0 in the middle of the brain.

use super::shape::{cover, ellipsoid, tube};
use super::texture::Field;
use super::tissue::Tissue;
use super::{Lesion, Painter};
use crate::phantom::draw::Draw;

#[derive(Debug, Clone)]
pub(super) struct Head {
    /// Half axes of the inner side of the skull.
    inner: [f64; 3],
    skull_mm: f64,
    scalp_mm: f64,
    /// From the skull to the tops of the folds.
    fluid_mm: f64,
    cortex_mm: f64,
    /// Depth of the folds.
    fold_mm: f64,
    ventricle: [f64; 3],
    ventricle_turn: f64,
    nucleus: [f64; 3],
    vessels: Vec<[[f64; 3]; 2]>,
    /// Whether blood holds contrast agent.
    enhanced: bool,
    folds: Field,
    lesions: Vec<Lesion>,
}

impl Head {
    /// A head; `difficulty` makes lesions smaller and fainter.
    pub(super) fn draw(draw: &mut Draw, difficulty: f64) -> Self {
        let inner = [draw.around(66.0, 2.5), draw.around(82.0, 3.0), draw.around(70.0, 3.0)];
        let vessels = (0..10)
            .map(|_| {
                let from = [draw.around(0.0, 20.0), draw.around(5.0, 25.0), draw.around(0.0, 25.0)];
                let to = std::array::from_fn(|axis| from[axis] + draw.around(0.0, 14.0));
                [from, to]
            })
            .collect();
        let mut head = Self {
            inner,
            skull_mm: draw.around(7.0, 0.8),
            scalp_mm: draw.around(6.0, 1.0),
            fluid_mm: draw.around(2.5, 0.6),
            cortex_mm: draw.around(4.0, 0.4),
            fold_mm: draw.around(7.0, 1.0),
            ventricle: [draw.around(6.0, 1.2), draw.around(22.0, 3.0), draw.around(20.0, 3.0)],
            ventricle_turn: draw.around(0.2, 0.05),
            nucleus: [draw.around(9.0, 0.8), draw.around(16.0, 1.5), draw.around(14.0, 1.5)],
            vessels,
            enhanced: draw.chance(0.5),
            folds: Field::draw(draw),
            lesions: Vec::new(),
        };
        for _ in 0..1 + draw.below(3) {
            let side = if draw.chance(0.5) { 1.0 } else { -1.0 };
            // Inside of the brain, off the middle.
            let centre = [
                side * draw.within(0.25, 0.7) * head.inner[0],
                draw.within(-0.55, 0.55) * head.inner[1],
                draw.within(-0.2, 0.35) * head.inner[2],
            ];
            head.lesions.push(Lesion::draw(draw, centre, difficulty));
        }
        head
    }

    pub(super) fn paint(&self, point: [f64; 3], pixel_mm: f64, paint: &mut impl Painter) {
        let mut layer = |tissue, distance: f64| paint.layer(tissue, cover(distance, pixel_mm));
        let skull = ellipsoid(point, [0.0; 3], self.inner, 0.0);
        let outside = skull - self.skull_mm - self.scalp_mm;
        if outside > pixel_mm {
            return;
        }
        layer(Tissue::Soft, outside);
        layer(Tissue::Fat, outside + 2.0);
        layer(Tissue::Muscle, skull - self.skull_mm - 1.2);
        layer(Tissue::Cortical, skull - self.skull_mm);
        layer(Tissue::Marrow, (skull - self.skull_mm + 2.0).max(2.0 - skull));
        layer(Tissue::Fluid, skull);
        if skull > pixel_mm {
            return;
        }
        // Folds: where the field is high, fluid reaches in; the cortex follows its surface.
        let fold = self.folds.at(point, 11.0) + 0.5 * self.folds.at([point[1], point[2], point[0]], 6.0);
        let depth = self.fluid_mm + self.fold_mm * (2.0 * fold.abs()).min(1.0).powi(3);
        let fissure = 1.0 + 0.3 * fold - point[0].abs();
        let fissure = if point[1].abs() > 30.0 || point[2] > 32.0 { fissure } else { -9.0 };
        let brain = (skull + depth).max(fissure);
        layer(Tissue::Grey, brain);
        layer(Tissue::White, brain + self.cortex_mm + 1.5 * fold);
        for side in [-1.0, 1.0] {
            let nucleus = [side * 22.0, 4.0, 2.0];
            layer(Tissue::Grey, ellipsoid(point, nucleus, self.nucleus, -side * 0.25));
            let ventricle = [side * 9.0, -2.0, 14.0];
            layer(Tissue::Fluid, ellipsoid(point, ventricle, self.ventricle, -side * self.ventricle_turn));
        }
        let blood = if self.enhanced { Tissue::Contrast } else { Tissue::Blood };
        for &[from, to] in &self.vessels {
            layer(blood, tube(point, from, to, 1.4).max(brain));
        }
        for lesion in &self.lesions {
            lesion.paint(point, pixel_mm, brain, paint);
        }
    }
}
