//! A number as JSON has it: infinity, which JSON lacks, is the string "inf".

use serde::{Serialize, Serializer};

/// A score that has a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(f64);

impl Number {
    /// Of a score's value, which is never NaN.
    pub(super) fn new(value: f64) -> Self {
        Self(value)
    }

    /// The value; never NaN.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_infinite() {
            serializer.serialize_str(if self.0 > 0.0 { "inf" } else { "-inf" })
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
