//! Luminance and colour differences to red, green and blue (PS3.3 C.7.6.3.1.2: ITU-R BT.601, full range).

/// One pixel of `YBR_FULL`, 8 bits, halves rounded up.
///
/// # Source
/// PS3.3 C.7.6.3.1.2 gives the forward matrix with four decimals; this is its inverse with BT.601's own coefficients
/// (0.299, 0.587, 0.114), as JFIF has it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to 0..=255
pub(super) fn rgb(ybr: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = ybr.map(f64::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let red = y + 1.402 * cr;
    let green = y - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587;
    let blue = y + 1.772 * cb;
    [red, green, blue].map(|value| (value + 0.5).floor().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_colours_come_back() {
        // Forward, by the matrix of C.7.6.3.1.2, rounded.
        assert_eq!(rgb([76, 85, 255]), [254, 0, 0]);
        assert_eq!(rgb([29, 255, 107]), [0, 0, 254]);
        assert_eq!(rgb([149, 128, 128]), [149, 149, 149]);
    }
}
