//! One subject's thorax at the height of the heart, in mm: x to the image's right, y to the breastbone, z to the head.

use super::shape::{barrel, cover, ellipsoid, tube};
use super::tissue::Tissue;
use super::{Lesion, Painter};
use crate::phantom::draw::Draw;

#[derive(Debug, Clone)]
struct Vessel {
    from: [f64; 3],
    to: [f64; 3],
    radius: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Thorax {
    half: [f64; 2],
    fat_mm: f64,
    wall_mm: f64,
    lungs: [[f64; 2]; 2],
    heart: [f64; 3],
    heart_half: [f64; 3],
    heart_turn: f64,
    chamber_half: [f64; 3],
    aorta_radius: f64,
    vertebra: [f64; 2],
    rib_start: f64,
    rib_half: [f64; 3],
    vessels: Vec<Vessel>,
    /// Whether blood holds contrast agent.
    enhanced: bool,
    lesions: Vec<Lesion>,
}

/// Ribs on each side that a slab can meet, and how far apart they stand along the wall.
const RIBS: usize = 7;
const RIB_STEP: f64 = 0.42;

impl Thorax {
    /// A thorax; `difficulty` makes lesions smaller and fainter.
    pub(super) fn draw(draw: &mut Draw, difficulty: f64) -> Self {
        let half = [draw.around(146.0, 5.0), draw.around(103.0, 4.0)];
        let fat_mm = draw.around(13.0, 4.0);
        let wall_mm = draw.around(21.0, 2.0);
        let cavity = [half[0] - fat_mm - wall_mm, half[1] - fat_mm - wall_mm];
        let lung = |draw: &mut Draw| [cavity[0] * draw.around(0.48, 0.015), cavity[1] * draw.around(0.93, 0.02)];
        let lungs = [lung(draw), lung(draw)];
        let mut thorax = Self {
            half,
            fat_mm,
            wall_mm,
            lungs,
            heart: [draw.around(20.0, 4.0), draw.around(20.0, 4.0), draw.around(0.0, 8.0)],
            heart_half: [draw.around(50.0, 4.0), draw.around(38.0, 3.0), draw.around(50.0, 4.0)],
            heart_turn: draw.around(-0.6, 0.1),
            chamber_half: [draw.around(17.0, 2.0), draw.around(23.0, 2.0), draw.around(26.0, 2.0)],
            aorta_radius: draw.around(12.5, 1.2),
            vertebra: [draw.around(19.0, 1.2), draw.around(15.0, 1.0)],
            rib_start: draw.within(0.0, RIB_STEP),
            rib_half: [draw.around(10.0, 1.0), draw.around(4.4, 0.4), draw.around(6.5, 0.5)],
            vessels: Vec::new(),
            enhanced: draw.chance(0.6),
            lesions: Vec::new(),
        };
        for side in [-1.0, 1.0] {
            for _ in 0..7 {
                let from = [side * 22.0, draw.around(-8.0, 8.0), draw.around(0.0, 12.0)];
                let angle = draw.within(-2.2, 2.2);
                let radius = draw.within(2.6, 4.2);
                thorax.grow(draw, from, side, angle, radius);
            }
        }
        for _ in 0..2 + draw.below(3) {
            let side = if draw.chance(0.5) { 1.0 } else { -1.0 };
            let centre = [
                side * draw.within(0.45, 0.75) * cavity[0],
                draw.within(-0.55, 0.55) * cavity[1],
                draw.within(-18.0, 18.0),
            ];
            // In a lung it has to be solid to be seen.
            thorax.lesions.push(Lesion { tissue: Some(Tissue::Soft), ..Lesion::draw(draw, centre, difficulty) });
        }
        // And one in the muscle of the heart, where soft tissue is all around.
        let centre = std::array::from_fn(|axis| thorax.heart[axis] + draw.around(0.0, 12.0));
        thorax.lesions.push(Lesion::draw(draw, centre, difficulty));
        thorax
    }

    /// Lets a vessel branch outwards: each daughter thinner (Murray's law for two equal ones) and shorter.
    fn grow(&mut self, draw: &mut Draw, from: [f64; 3], side: f64, angle: f64, radius: f64) {
        if radius < 0.9 {
            return;
        }
        let length = 13.0 * radius.powf(0.6) * draw.within(0.75, 1.3);
        let to = [
            from[0] + side * length * angle.cos().abs(),
            from[1] + length * angle.sin(),
            from[2] + draw.around(0.0, 9.0),
        ];
        self.vessels.push(Vessel { from, to, radius });
        let thinner = radius * 0.5f64.powf(1.0 / 3.0);
        let spread = draw.within(0.25, 0.6);
        for turn in [-spread, spread] {
            let radius = thinner * draw.within(0.8, 0.98);
            self.grow(draw, to, side, angle + turn, radius);
        }
    }

    /// What can be met at that height; of the vessels only those that reach it.
    pub(super) fn at_height(&self, z: f64) -> Self {
        let mut slice = self.clone();
        slice.vessels.retain(|vessel| {
            let (low, high) = (vessel.from[2].min(vessel.to[2]), vessel.from[2].max(vessel.to[2]));
            (low - vessel.radius - 4.0..high + vessel.radius + 4.0).contains(&z)
        });
        slice
    }

    pub(super) fn paint(&self, point: [f64; 3], pixel_mm: f64, paint: &mut impl Painter) {
        let [x, y, z] = point;
        let body = barrel(point, [0.0; 2], self.half, 2.3);
        if body > pixel_mm {
            return;
        }
        let blood = if self.enhanced { Tissue::Contrast } else { Tissue::Blood };
        let mut layer = |tissue, distance: f64| paint.layer(tissue, cover(distance, pixel_mm));
        layer(Tissue::Soft, body);
        layer(Tissue::Fat, body + 2.0);
        let wall = body + self.fat_mm;
        layer(Tissue::Muscle, wall);
        let cavity = wall + self.wall_mm;
        self.ribs(point, &mut layer);
        // Between the lungs: fat, in which everything else lies.
        layer(Tissue::Fat, cavity);
        if cavity < pixel_mm {
            let mut in_lungs = f64::INFINITY;
            for (side, half) in [-1.0, 1.0].into_iter().zip(self.lungs) {
                let offset = self.half[0] - self.fat_mm - self.wall_mm - half[0] - 1.0;
                in_lungs = in_lungs.min(barrel(point, [side * offset, -2.0], half, 2.2));
            }
            // A heart's worth of room.
            let heart = ellipsoid(point, self.heart, self.heart_half, self.heart_turn);
            let spine = ellipsoid(point, [0.0, -0.62 * self.half[1], z], [30.0, 26.0, 30.0], 0.0);
            let in_lungs = in_lungs.max(cavity).max(4.0 - heart).max(-spine);
            layer(Tissue::Lung, in_lungs);
            layer(Tissue::Muscle, heart);
            let chamber = [self.heart[0] + 16.0, self.heart[1] + 2.0, self.heart[2]];
            layer(blood, ellipsoid(point, chamber, self.chamber_half, self.heart_turn));
            let right = [self.heart[0] - 22.0, self.heart[1] + 8.0, self.heart[2]];
            layer(blood, ellipsoid(point, right, self.chamber_half, self.heart_turn));
            if in_lungs < pixel_mm {
                for vessel in &self.vessels {
                    layer(blood, tube(point, vessel.from, vessel.to, vessel.radius).max(in_lungs));
                }
            }
            for side in [-1.0, 1.0] {
                let bronchus = [side * 14.0, -20.0, z];
                layer(Tissue::Soft, ellipsoid(point, bronchus, [7.0, 6.0, 20.0], 0.0));
                layer(Tissue::Air, ellipsoid(point, bronchus, [5.6, 4.6, 20.0], 0.0));
            }
        }
        let aorta = [22.0, -0.36 * self.half[1], z];
        layer(blood, ellipsoid(point, aorta, [self.aorta_radius, self.aorta_radius, 40.0], 0.0));
        self.spine(point, &mut layer);
        self.breastbone(x, y, &mut layer);
        for lesion in &self.lesions {
            lesion.paint(point, pixel_mm, wall, paint);
        }
    }

    fn spine(&self, point: [f64; 3], layer: &mut impl FnMut(Tissue, f64)) {
        let z = point[2];
        let y = -0.62 * self.half[1];
        let [across, deep] = self.vertebra;
        let body = ellipsoid(point, [0.0, y, z], [across, deep, 30.0], 0.0);
        layer(Tissue::Cortical, body);
        layer(Tissue::Marrow, body + 2.2);
        for side in [-1.0, 1.0] {
            let arch = ellipsoid(point, [side * 14.0, y - deep - 9.0, z], [4.5, 11.0, 30.0], side * 0.5);
            layer(Tissue::Cortical, arch);
            layer(Tissue::Marrow, arch + 2.0);
        }
        let spinous = ellipsoid(point, [0.0, y - deep - 24.0, z], [4.0, 10.0, 30.0], 0.0);
        layer(Tissue::Cortical, spinous);
        layer(Tissue::Marrow, spinous + 2.0);
        layer(Tissue::Fat, ellipsoid(point, [0.0, y - deep - 8.0, z], [9.0, 7.5, 30.0], 0.0));
        layer(Tissue::Soft, ellipsoid(point, [0.0, y - deep - 8.0, z], [6.0, 5.0, 30.0], 0.0));
    }

    /// Ribs run down and forwards, so a slice cuts each at another place of the wall.
    fn ribs(&self, point: [f64; 3], layer: &mut impl FnMut(Tissue, f64)) {
        let inside = self.fat_mm + self.wall_mm * 0.62;
        let (a, b) = (self.half[0] - inside, self.half[1] - inside);
        for side in [-1.0, 1.0] {
            for number in 0..RIBS {
                // From the spine (−π/2) along the wall to the front.
                let angle = -1.25 + self.rib_start + RIB_STEP * number as f64 + point[2] * 0.006;
                if !(-1.25..1.25).contains(&angle) {
                    continue;
                }
                let centre =
                    [side * a * angle.cos().powf(0.87), b * angle.sin().abs().powf(0.87).copysign(angle), point[2]];
                let along = (b * angle.cos()).atan2(-side * a * angle.sin());
                let rib = ellipsoid(point, centre, self.rib_half, along);
                layer(Tissue::Cortical, rib);
                layer(Tissue::Marrow, rib + 2.0);
            }
        }
    }

    fn breastbone(&self, x: f64, y: f64, layer: &mut impl FnMut(Tissue, f64)) {
        let centre = [0.0, self.half[1] - self.fat_mm - 9.0, 0.0];
        let bone = ellipsoid([x, y, 0.0], centre, [17.0, 6.5, 30.0], 0.0);
        layer(Tissue::Cortical, bone);
        layer(Tissue::Marrow, bone + 2.0);
    }
}
