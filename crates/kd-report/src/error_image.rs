//! Pictures of confident errors: shown on the page, never kept in the record.
//!
//! A record holds no pixels and no ids, so these come as an argument of their own and carry only a running number.

/// One wrongly classified test image, under an anonymous number.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorImage {
    /// Running number within the page, from 1; stands for nothing outside it.
    pub number: u32,
    /// Student group whose arm erred; empty for the teacher.
    pub student: String,
    /// Arm that erred.
    pub arm: String,
    /// Class of the reference standard.
    pub truth: String,
    /// Class that the arm named.
    pub predicted: String,
    /// Probability that the arm gave to `predicted`, 0..1.
    pub confidence: f64,
    /// The picture as PNG, in base64 (standard alphabet, padded).
    pub png_base64: String,
}

impl ErrorImage {
    /// Encodes PNG bytes as the base64 text that [`ErrorImage::png_base64`] holds.
    ///
    /// # Example
    /// ```
    /// assert_eq!(kd_report::ErrorImage::encode(b"Ma"), "TWE=");
    /// ```
    pub fn encode(png: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::with_capacity(png.len().div_ceil(3) * 4);
        for group in png.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for place in 0..4 {
                if place <= group.len() {
                    text.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
                } else {
                    text.push('=');
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(ErrorImage::encode(plain.as_bytes()), coded);
        }
        assert_eq!(ErrorImage::encode(&[0xfb, 0xff]), "+/8=");
    }
}
