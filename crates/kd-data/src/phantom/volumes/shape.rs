//! Shapes by their distance, in mm, negative inside: an edge then covers a pixel in part, as a scanner's voxels do, and
//! nothing has to be sampled finer than it is stored.

/// How far a point lies from an ellipsoid turned about z: exact on its surface and in its direction, near enough
/// elsewhere.
pub(super) fn ellipsoid(point: [f64; 3], centre: [f64; 3], half: [f64; 3], turn: f64) -> f64 {
    let [dx, dy, dz] = [point[0] - centre[0], point[1] - centre[1], point[2] - centre[2]];
    let (sin, cos) = if turn.abs() > 0.0 { turn.sin_cos() } else { (0.0, 1.0) };
    let local = [cos * dx + sin * dy, cos * dy - sin * dx, dz];
    let (mut square, mut slope) = (0.0, 0.0);
    for axis in 0..3 {
        let share = local[axis] / half[axis];
        square += share * share;
        slope += (share / half[axis]).powi(2);
    }
    let size = square.sqrt();
    if slope <= 0.0 {
        return -half[0].min(half[1]).min(half[2]);
    }
    (size - 1.0) * size / slope.sqrt()
}

/// As [`ellipsoid`], without an end along z and fuller: `|x|^e + |y|^e`.
pub(super) fn barrel(point: [f64; 3], centre: [f64; 2], half: [f64; 2], exponent: f64) -> f64 {
    let share = [0, 1].map(|axis| ((point[axis] - centre[axis]) / half[axis]).abs().max(1e-6));
    let size = (share[0].powf(exponent) + share[1].powf(exponent)).powf(1.0 / exponent);
    let slope = [0, 1].map(|axis| (share[axis] / size).powf(exponent - 1.0) / half[axis]);
    (size - 1.0) / slope[0].hypot(slope[1])
}

/// How far a point lies from a tube between two points.
pub(super) fn tube(point: [f64; 3], from: [f64; 3], to: [f64; 3], radius: f64) -> f64 {
    let along: [f64; 3] = std::array::from_fn(|axis| to[axis] - from[axis]);
    let away: [f64; 3] = std::array::from_fn(|axis| point[axis] - from[axis]);
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let length = dot(along, along).max(1e-12);
    let part = (dot(away, along) / length).clamp(0.0, 1.0);
    let off: [f64; 3] = std::array::from_fn(|axis| away[axis] - part * along[axis]);
    dot(off, off).sqrt() - radius
}

/// Which part of a pixel a shape covers whose edge is that far away.
pub(super) fn cover(distance: f64, pixel_mm: f64) -> f64 {
    (0.5 - distance / pixel_mm).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_right_along_the_axes() {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        near(ellipsoid([12.0, 2.0, 3.0], [0.0, 2.0, 3.0], [10.0, 5.0, 4.0], 0.0), 2.0);
        near(ellipsoid([0.0, 11.0, 0.0], [0.0; 3], [10.0, 5.0, 4.0], std::f64::consts::FRAC_PI_2), 1.0);
        near(barrel([9.0, 0.0, 5.0], [0.0; 2], [10.0, 5.0], 2.5), -1.0);
        near(tube([3.0, 4.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 9.0], 2.0), 3.0);
        near(tube([0.0, 0.0, 12.0], [0.0, 0.0, 0.0], [0.0, 0.0, 9.0], 2.0), 1.0);
        for (distance, expected) in [(-2.0, 1.0), (0.0, 0.5), (0.5, 0.25), (2.0, 0.0)] {
            near(cover(distance, 2.0), expected);
        }
        assert!(ellipsoid([0.0; 3], [0.0; 3], [3.0, 2.0, 1.0], 0.0) < 0.0);
    }
}
