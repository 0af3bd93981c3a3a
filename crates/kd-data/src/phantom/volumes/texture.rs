//! Smooth random fields: what keeps a tissue from being flat without being noise of a detector.

use crate::phantom::draw::Draw;

/// Points of the lattice along each axis; it repeats beyond.
const SIDE: usize = 24;

/// Random numbers on a lattice, joined smoothly: values within −1 and 1, mean near 0.
#[derive(Debug, Clone)]
pub(super) struct Field(Vec<f64>);

impl Field {
    pub(super) fn draw(draw: &mut Draw) -> Self {
        Self((0..SIDE * SIDE * SIDE).map(|_| draw.within(-1.0, 1.0)).collect())
    }

    /// The value at a point, for lattice points `step_mm` apart.
    pub(super) fn at(&self, point: [f64; 3], step_mm: f64) -> f64 {
        let place = point.map(|mm| mm / step_mm);
        let first = place.map(f64::floor);
        let index = |axis: usize, next: usize| (first[axis] as i64 + next as i64).rem_euclid(SIDE as i64) as usize;
        let part: [f64; 3] = std::array::from_fn(|axis| {
            let t = place[axis] - first[axis];
            t * t * (3.0 - 2.0 * t)
        });
        let mut sum = 0.0;
        for corner in 0..8 {
            let next = [corner & 1, corner >> 1 & 1, corner >> 2];
            let mut weight = 1.0;
            let mut at = 0;
            for axis in 0..3 {
                weight *= if next[axis] == 1 { part[axis] } else { 1.0 - part[axis] };
                at = at * SIDE + index(axis, next[axis]);
            }
            sum += weight * self.0[at];
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::draw::Purpose;

    #[test]
    fn a_field_is_smooth_bounded_and_has_no_seam() {
        let field = Field::draw(&mut Draw::new(1, Purpose::Image, 0));
        let (mut sum, mut square, mut steepest) = (0.0, 0.0, 0.0f64);
        for n in 0..4000 {
            let mm = f64::from(n) * 0.05 - 100.0;
            let (here, next) = (field.at([mm, 3.3, -7.1], 4.0), field.at([mm + 0.05, 3.3, -7.1], 4.0));
            assert!(here.abs() <= 1.0);
            sum += here;
            square += here * here;
            steepest = steepest.max((next - here).abs());
        }
        // From −1 to 1 within 4 mm, at the steepest of a cubic step: 1.5 times its mean slope.
        assert!(steepest <= 0.05 * 2.0 / 4.0 * 1.5 + 1e-9, "{steepest}");
        assert!(square / 4000.0 > 0.02 && (sum / 4000.0).abs() < 0.2);
    }
}
