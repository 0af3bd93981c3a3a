//! Line integrals: how much a beam through the chest is weakened at each point of the detector.
//!
//! Every part gives a chord length in centimeters times its attenuation per centimeter (about 60 keV: soft tissue 0.20,
//! inflated lung 0.05, air 0); parts within another one give the difference.

use super::anatomy::{Anatomy, Lung};

/// Attenuation per cm.
const SOFT: f64 = 0.20;
const LUNG: f64 = 0.05;

/// How a subject stood for one radiograph.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    pub(super) shift: [f64; 2],
    pub(super) roll: f64,
    pub(super) zoom: f64,
    /// Turned about the long axis: moves the heart and the spine against the chest, in cm.
    pub(super) turn: f64,
    /// Diaphragm lower (deeper breath), in cm.
    pub(super) breath: f64,
}

/// What makes an image positive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lesion {
    /// A round mass of soft tissue.
    Nodule { center: [f64; 2], radius: f64, contrast: f64 },
    /// One lung shrunk to `scale` of its size, with free air around it.
    CollapsedLung { lung: usize, scale: f64 },
}

/// Side of the field of view, in cm.
const FIELD: f64 = 34.0;

pub(super) struct Scene<'a> {
    pub(super) anatomy: &'a Anatomy,
    pub(super) pose: Pose,
    pub(super) lesion: Option<Lesion>,
}

impl Scene<'_> {
    /// Line integrals on a grid of `side × side` points.
    pub(super) fn project(&self, side: usize) -> Vec<f64> {
        let step = FIELD / side as f64;
        let mut integrals = Vec::with_capacity(side * side);
        let mut air_way = Vec::with_capacity(side * side);
        for row in 0..side {
            for column in 0..side {
                let [x, y] = self.to_chest((column as f64 + 0.5) * step, (row as f64 + 0.5) * step);
                let (integral, lung) = self.at(x, y);
                integrals.push(integral);
                air_way.push(lung);
            }
        }
        self.add_vessels(&mut integrals, &air_way, side);
        integrals
    }

    fn to_chest(&self, u: f64, v: f64) -> [f64; 2] {
        let (sin, cos) = self.pose.roll.sin_cos();
        let (u, v) = ((u - FIELD / 2.0) / self.pose.zoom, (v - FIELD / 2.0) / self.pose.zoom);
        [cos * u + sin * v - self.pose.shift[0], cos * v - sin * u - self.pose.shift[1]]
    }

    fn to_detector(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.pose.roll.sin_cos();
        let (x, y) = (x + self.pose.shift[0], y + self.pose.shift[1]);
        let zoom = self.pose.zoom;
        [(cos * x - sin * y) * zoom + FIELD / 2.0, (sin * x + cos * y) * zoom + FIELD / 2.0]
    }

    /// Scale of a lung: 1, or less where it collapsed.
    fn scale(&self, index: usize) -> f64 {
        match self.lesion {
            Some(Lesion::CollapsedLung { lung, scale }) if lung == index => scale,
            _ => 1.0,
        }
    }

    /// The whole integral at a point, and how much lung lies in its way.
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let anatomy = self.anatomy;
        let place = x / anatomy.half_width(y);
        let body = 2.0 * anatomy.chest_half_depth * (1.0 - place.abs().powf(2.4)).max(0.0).sqrt();
        if body <= 0.0 {
            return (0.0, 0.0);
        }
        let heart = self.heart(x, y);
        let mut integral = SOFT * body;
        let mut in_lungs = 0.0;
        for (index, lung) in anatomy.lungs.iter().enumerate() {
            let cut = smooth((anatomy.diaphragm_at(index, x, self.pose.breath) - y) / 1.2);
            let scale = self.scale(index);
            let seen = |scale: f64| (lung.chord(x, y, scale) * cut - heart).max(0.0);
            let cavity = seen(1.0);
            if scale < 1.0 {
                let left = seen(scale).min(cavity);
                // What is left of the lung holds the same tissue in less room; around it is air.
                integral -= (SOFT - LUNG / scale) * left + SOFT * (cavity - left);
                // The visceral pleura, about 1 mm, seen along the edge of the lung.
                let within = (lung.chord(x, y, scale - 0.012) * cut - heart).max(0.0).min(left);
                integral += 0.5 * SOFT * (left - within);
                in_lungs += left;
            } else {
                integral -= (SOFT - LUNG) * cavity;
                in_lungs += cavity;
            }
        }
        integral += self.bones(x, y);
        // The trachea.
        let across = (x - 0.4 * self.pose.turn) / 0.9;
        integral -= SOFT * 1.7 * (1.0 - across * across).max(0.0).sqrt() * smooth((-2.5 - y) / 1.5);
        if let Some(Lesion::Nodule { center, radius, contrast }) = self.lesion {
            integral += (SOFT - LUNG) * contrast * ball(x - center[0], y - center[1], radius);
        }
        (integral, in_lungs)
    }

    /// Chord through heart and great vessels.
    fn heart(&self, x: f64, y: f64) -> f64 {
        let anatomy = self.anatomy;
        let (dx, dy) =
            (x - anatomy.heart_center[0] - self.pose.turn, y - anatomy.heart_center[1] - 0.5 * self.pose.breath);
        let (sin, cos) = anatomy.heart_tilt.sin_cos();
        let along = (cos * dx + sin * dy) / anatomy.heart_half[0];
        let across = (cos * dy - sin * dx) / anatomy.heart_half[1];
        let heart = 2.0 * anatomy.heart_depth * (1.0 - along * along - across * across).max(0.0).sqrt();
        let aorta = 2.0 * ball(x - anatomy.aorta[0] - 0.5 * self.pose.turn, y - anatomy.aorta[1], 1.5);
        let middle = (x - 0.5 * self.pose.turn) / 2.6;
        let mediastinum = 9.0 * (1.0 - middle * middle).max(0.0).sqrt();
        heart.max(aorta).max(mediastinum)
    }

    fn bones(&self, x: f64, y: f64) -> f64 {
        let anatomy = self.anatomy;
        let far = x.abs() / anatomy.chest_half_width;
        let mut chords = 0.0;
        if far < 1.0 {
            for number in 0..9 {
                let start = anatomy.rib_start + anatomy.rib_step * f64::from(number);
                // Behind: from the spine outwards and, past the middle, down. In front: up towards the breastbone.
                let behind = start - 1.1 * (far * 4.0).min(1.0) + anatomy.rib_fall * far * far * 1.6;
                chords += rib(y - behind, anatomy.rib_radius);
                let front = start + 5.6 - 3.4 * far + 3.0 * far.powi(6);
                let calcified = smooth((far - 0.42) / 0.12);
                chords += 0.7 * calcified * rib(y - front, anatomy.rib_radius * 1.15);
            }
            // Ribs run along the beam where the chest wall turns.
            chords *= 1.0 + 1.2 * far.powi(8);
            chords *= smooth((1.0 - far) / 0.04);
        }
        let collar = -10.4 - anatomy.clavicle_rise * (far - 0.1);
        if far > 0.09 {
            chords += 1.3 * rib(y - collar, 0.62) * smooth((0.86 - far) / 0.06);
        }
        let spine = (x + 0.3 * self.pose.turn) / 1.9;
        let vertebrae = 0.85 + 0.15 * (y * 2.4).cos();
        chords += 1.9 * vertebrae * (1.0 - spine * spine).max(0.0).sqrt();
        anatomy.bone * chords
    }

    /// Vessels are soft tissue in lung: they show only as far as lung lies in the way, and move with a collapsed lung.
    fn add_vessels(&self, integrals: &mut [f64], in_lungs: &[f64], side: usize) {
        let step = FIELD / side as f64;
        for vessel in &self.anatomy.vessels {
            let scale = self.scale(vessel.lung);
            let hilum = self.anatomy.lungs[vessel.lung].hilum();
            let shrunk =
                |point: [f64; 2]| -> [f64; 2] { std::array::from_fn(|i| hilum[i] + (point[i] - hilum[i]) * scale) };
            let (from, to) = (self.to_detector(shrunk(vessel.from)), self.to_detector(shrunk(vessel.to)));
            let radius = vessel.radius * self.pose.zoom * scale;
            let range = |axis: usize| {
                let low = (from[axis].min(to[axis]) - radius) / step - 0.5;
                let high = (from[axis].max(to[axis]) + radius) / step - 0.5;
                (low.ceil().max(0.0) as usize)..((high.floor() + 1.0).clamp(0.0, side as f64) as usize)
            };
            for row in range(1) {
                for column in range(0) {
                    let at = [(column as f64 + 0.5) * step, (row as f64 + 0.5) * step];
                    let off = distance(at, from, to);
                    if off < radius {
                        let lung = (in_lungs[row * side + column] / 3.0).min(1.0);
                        let chord = 2.0 * (radius * radius - off * off).sqrt() / self.pose.zoom;
                        integrals[row * side + column] += (SOFT - LUNG) * chord * lung;
                    }
                }
            }
        }
    }
}

/// Whether a nodule may lie at a point: inside a lung that is deep enough there, above the diaphragm, beside the heart.
pub(super) fn holds_nodule(scene: &Scene<'_>, lung: &Lung, index: usize, [x, y]: [f64; 2], radius: f64) -> bool {
    let rim = |dx: f64, dy: f64| lung.chord(x + dx, y + dy, 1.0) > 3.0;
    rim(radius, 0.0)
        && rim(-radius, 0.0)
        && rim(0.0, radius)
        && rim(0.0, -radius)
        && y + radius < scene.anatomy.diaphragm_at(index, x, scene.pose.breath)
        && scene.heart(x, y) < 0.6 * lung.chord(x, y, 1.0)
}

fn smooth(t: f64) -> f64 {
    let t = (0.5 + 0.5 * t).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn ball(dx: f64, dy: f64, radius: f64) -> f64 {
    2.0 * (radius * radius - dx * dx - dy * dy).max(0.0).sqrt()
}

/// Chord through a rib: a flat tube with a denser shell.
fn rib(off: f64, radius: f64) -> f64 {
    let outer = (radius * radius - off * off).max(0.0).sqrt();
    let inner = (0.55 * radius * radius - off * off).max(0.0).sqrt();
    2.0 * (outer - 0.5 * inner)
}

fn distance(point: [f64; 2], from: [f64; 2], to: [f64; 2]) -> f64 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let start = [point[0] - from[0], point[1] - from[1]];
    let length = along[0] * along[0] + along[1] * along[1];
    let t = if length > 0.0 { ((start[0] * along[0] + start[1] * along[1]) / length).clamp(0.0, 1.0) } else { 0.0 };
    (start[0] - t * along[0]).hypot(start[1] - t * along[1])
}
