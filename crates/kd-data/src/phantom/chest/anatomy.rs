//! One subject's chest, in centimeters: x to the image's right, y down, the beam along z.
//!
//! Sizes are those of an adult; what varies between people varies here, what varies between two radiographs of one
//! person (pose, breath, exposure) does not.

use crate::phantom::draw::Draw;

/// A lung: a rounded box, of which the beam sees a chord.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lung {
    /// −1 on the image's left, 1 on its right.
    pub(super) side: f64,
    pub(super) center: [f64; 2],
    pub(super) half: [f64; 2],
    pub(super) half_depth: f64,
}

impl Lung {
    /// Length of lung along the beam, when the lung is shrunk by `scale` towards its hilum.
    pub(super) fn chord(&self, x: f64, y: f64, scale: f64) -> f64 {
        let hilum = self.hilum();
        let x = hilum[0] + (x - hilum[0]) / scale;
        let y = hilum[1] + (y - hilum[1]) / scale;
        let across = ((x - self.center[0]) / self.half[0]).abs();
        let along = ((y - self.center[1]) / self.half[1]).abs();
        // The exponent makes a lung fuller than an ellipsoid; the apex stays round.
        let inside = 1.0 - across.powf(2.6) - along.powf(2.4);
        if inside > 0.0 { 2.0 * self.half_depth * scale * inside.sqrt() } else { 0.0 }
    }

    /// Where vessels enter.
    pub(super) fn hilum(&self) -> [f64; 2] {
        [self.center[0] - self.side * self.half[0] * 0.62, self.center[1] + self.half[1] * 0.02]
    }
}

/// A straight piece of a vessel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vessel {
    pub(super) from: [f64; 2],
    pub(super) to: [f64; 2],
    pub(super) radius: f64,
    /// Index of the lung that it lies in.
    pub(super) lung: usize,
}

/// A subject.
#[derive(Debug, Clone)]
pub(super) struct Anatomy {
    pub(super) chest_half_width: f64,
    pub(super) chest_half_depth: f64,
    pub(super) soft_layer: f64,
    pub(super) lungs: [Lung; 2],
    pub(super) heart_center: [f64; 2],
    pub(super) heart_half: [f64; 2],
    pub(super) heart_depth: f64,
    pub(super) heart_tilt: f64,
    pub(super) aorta: [f64; 2],
    pub(super) diaphragm: [f64; 2],
    pub(super) dome: f64,
    pub(super) rib_start: f64,
    pub(super) rib_step: f64,
    pub(super) rib_fall: f64,
    pub(super) rib_radius: f64,
    pub(super) bone: f64,
    pub(super) clavicle_rise: f64,
    pub(super) vessels: Vec<Vessel>,
}

impl Anatomy {
    pub(super) fn draw(draw: &mut Draw) -> Self {
        let chest_half_width = draw.around(15.0, 0.7);
        let width = chest_half_width / 15.0;
        let lung = |side: f64, draw: &mut Draw| Lung {
            side,
            center: [side * draw.around(7.0, 0.25) * width, draw.around(-0.6, 0.4)],
            half: [draw.around(5.4, 0.25) * width, draw.around(11.6, 0.5)],
            half_depth: draw.around(7.2, 0.5),
        };
        let lungs = [lung(-1.0, draw), lung(1.0, draw)];
        let diaphragm = draw.around(8.6, 0.6);
        let mut anatomy = Self {
            chest_half_width,
            chest_half_depth: draw.around(10.2, 0.7),
            soft_layer: draw.around(2.2, 0.7).max(0.8),
            lungs,
            heart_center: [draw.around(2.0, 0.4), draw.around(5.0, 0.5)],
            heart_half: [draw.around(5.2, 0.5), draw.around(4.6, 0.4)],
            heart_depth: draw.around(4.6, 0.4),
            heart_tilt: draw.around(0.6, 0.1),
            aorta: [draw.around(2.2, 0.25), draw.around(-4.3, 0.5)],
            // The dome on the image's left, above the liver, stands higher.
            diaphragm: [diaphragm - draw.around(0.9, 0.3), diaphragm],
            dome: draw.around(2.6, 0.5),
            rib_start: draw.around(-11.0, 0.5),
            rib_step: draw.around(2.35, 0.1),
            rib_fall: draw.around(2.4, 0.6),
            rib_radius: draw.around(0.48, 0.05),
            bone: draw.around(0.34, 0.05),
            clavicle_rise: draw.around(1.6, 0.6),
            vessels: Vec::new(),
        };
        for index in 0..2 {
            let lung = anatomy.lungs[index];
            for branch in 0..7 {
                let angle = -1.35 + 2.7 * (f64::from(branch) + draw.within(0.1, 0.9)) / 7.0;
                let radius = draw.within(0.34, 0.5);
                grow(draw, &mut anatomy.vessels, index, lung.hilum(), angle, lung.side, radius);
            }
        }
        anatomy
    }

    /// Half width of the body at height `y`: narrower at the neck.
    pub(super) fn half_width(&self, y: f64) -> f64 {
        let shoulder = ((-y - 9.5) / 6.0).clamp(0.0, 1.0);
        (self.chest_half_width + self.soft_layer) * (1.0 - 0.55 * shoulder * shoulder)
    }

    /// Height of the diaphragm at `x` under one lung.
    pub(super) fn diaphragm_at(&self, lung: usize, x: f64, breath: f64) -> f64 {
        let place = (x - self.lungs[lung].center[0]) / self.lungs[lung].half[0];
        self.diaphragm[lung] + breath + self.dome * (place * place).min(1.6)
    }
}

/// Lets a vessel branch outwards: each daughter thinner (Murray's law for two equal ones) and shorter.
fn grow(draw: &mut Draw, vessels: &mut Vec<Vessel>, lung: usize, from: [f64; 2], angle: f64, side: f64, radius: f64) {
    if radius < 0.09 {
        return;
    }
    let length = 6.2 * radius.powf(0.75) * draw.within(0.75, 1.3);
    let to = [from[0] + side * length * angle.cos(), from[1] + length * angle.sin()];
    vessels.push(Vessel { from, to, radius, lung });
    let thinner = radius * 0.5f64.powf(1.0 / 3.0);
    let spread = draw.within(0.2, 0.55);
    for turn in [-spread, spread * draw.within(0.6, 1.3)] {
        let radius = thinner * draw.within(0.75, 0.98);
        grow(draw, vessels, lung, to, angle + turn, side, radius);
    }
}
