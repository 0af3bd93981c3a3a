//! A measured number that may be undefined.
//!
//! A metric can be undefined (AUROC with one class present) and a PSNR can be infinite. JSON has words for neither, and
//! a NaN that slips into a report reads like a number to the next program. So a measured number is a [`Value`]: written
//! as a JSON number, as the string `"inf"` or `"-inf"`, or as `{"undefined": "reason"}`.

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use std::fmt;

/// A number, or the reason why there is none.
///
/// # Example
/// ```
/// use kd_report::Value;
/// assert_eq!(Value::from(0.5).finite(), Some(0.5));
/// assert_eq!(Value::undefined("one class only").reason(), Some("one class only"));
/// assert!(Value::from(f64::NAN).reason().is_some());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number; may be infinite, must not be NaN (writing a NaN is refused).
    Number(f64),
    /// No number, and why.
    Undefined(String),
}

impl Value {
    /// No number, for this reason.
    pub fn undefined(reason: impl Into<String>) -> Self {
        Self::Undefined(reason.into())
    }

    /// The number where it is finite.
    pub fn finite(&self) -> Option<f64> {
        match self {
            Self::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    /// Why there is no number.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Number(number) if number.is_nan() => Some("not a number"),
            Self::Number(_) => None,
            Self::Undefined(reason) => Some(reason),
        }
    }
}

impl From<f64> for Value {
    /// NaN becomes [`Value::Undefined`].
    fn from(number: f64) -> Self {
        if number.is_nan() { Self::undefined("not a number") } else { Self::Number(number) }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) if number.is_nan() => {
                Err(S::Error::custom("a value is NaN: expected a number or a reason why it is undefined"))
            }
            Self::Number(number) if number.is_infinite() => {
                serializer.serialize_str(if *number > 0.0 { "inf" } else { "-inf" })
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Undefined(reason) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("undefined", reason)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, \"inf\", \"-inf\" or {\"undefined\": reason}")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        match text {
            "inf" => Ok(Value::Number(f64::INFINITY)),
            "-inf" => Ok(Value::Number(f64::NEG_INFINITY)),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some((key, reason)) = map.next_entry::<String, String>()? else {
            return Err(de::Error::missing_field("undefined"));
        };
        if key != "undefined" {
            return Err(de::Error::unknown_field(&key, &["undefined"]));
        }
        if let Some(extra) = map.next_key::<String>()? {
            return Err(de::Error::unknown_field(&extra, &["undefined"]));
        }
        Ok(Value::Undefined(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn infinity_is_written_as_a_word() {
        assert_eq!(serde_json::to_string(&Value::Number(f64::INFINITY)).unwrap(), "\"inf\"");
        assert_eq!(read("\"-inf\"").unwrap(), Value::Number(f64::NEG_INFINITY));
    }

    #[test]
    fn a_nan_is_refused_on_writing() {
        assert!(serde_json::to_string(&Value::Number(f64::NAN)).unwrap_err().to_string().contains("NaN"));
    }

    #[test]
    fn other_words_and_keys_are_refused() {
        for text in ["\"nan\"", "null", "{}", "{\"reason\":\"x\"}", "{\"undefined\":\"x\",\"more\":\"y\"}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_undefined_value_keeps_its_reason() {
        let value = Value::undefined("one class only");
        assert_eq!(serde_json::to_string(&value).unwrap(), "{\"undefined\":\"one class only\"}");
        assert_eq!(read("{\"undefined\":\"one class only\"}").unwrap(), value);
    }
}
