//! The files that nibabel wrote, out of their JSON document.

use std::path::Path;

use serde_json::Value;

/// The golden document.
pub(crate) fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/nifti.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Bytes of base64 text.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = (0u32, 0u32);
    let mut bytes = Vec::new();
    for letter in text.bytes().filter(|&letter| letter != b'=') {
        let value = LETTERS.iter().position(|&other| other == letter).unwrap() as u32;
        bits = ((bits.0 << 6 | value) & 0xffff, bits.1 + 6);
        if bits.1 >= 8 {
            bits.1 -= 8;
            bytes.push((bits.0 >> bits.1 & 0xff) as u8);
        }
    }
    bytes
}
