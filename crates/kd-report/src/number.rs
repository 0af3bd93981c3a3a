//! How numbers are written for people: fixed digits, a true minus sign, units by thousands.
//!
//! One place, so that a number looks the same on the page, in Markdown and in the terminal. CSV and JSON do not come
//! through here: they carry every digit.

use crate::value::Value;

/// `decimals` digits after the point; never a negative zero.
pub(crate) fn fixed(number: f64, decimals: u8) -> String {
    if number.is_nan() {
        return "undefined".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".to_owned() } else { "\u{2212}inf".to_owned() };
    }
    let text = format!("{:.*}", usize::from(decimals), number.abs());
    let is_zero = text.bytes().all(|byte| byte == b'0' || byte == b'.');
    if number < 0.0 && !is_zero { format!("\u{2212}{text}") } else { text }
}

/// Like [`fixed`], with a plus sign before positive numbers.
pub(crate) fn signed(number: f64, decimals: u8) -> String {
    let text = fixed(number, decimals);
    let is_zero = text.bytes().all(|byte| byte == b'0' || byte == b'.');
    if number > 0.0 && !is_zero { format!("+{text}") } else { text }
}

/// A value, or the word "undefined".
pub(crate) fn value(value: &Value, decimals: u8) -> String {
    match value {
        Value::Number(number) => fixed(*number, decimals),
        Value::Undefined(_) => "undefined".to_owned(),
    }
}

/// A value with its sign, or the word "undefined".
pub(crate) fn signed_value(value: &Value, decimals: u8) -> String {
    match value {
        Value::Number(number) => signed(*number, decimals),
        Value::Undefined(_) => "undefined".to_owned(),
    }
}

/// "0.941 to 0.972", or "no interval".
pub(crate) fn interval(low: &Value, high: &Value, decimals: u8) -> String {
    match (low, high) {
        (Value::Number(low), Value::Number(high)) => format!("{} to {}", fixed(*low, decimals), fixed(*high, decimals)),
        _ => "no interval".to_owned(),
    }
}

/// A share as whole percent without the sign: 0.617 gives "62".
pub(crate) fn percent_digits(share: f64) -> String {
    fixed(share * 100.0, 0)
}

/// A share as percent with one decimal: 0.0617 gives "6.2 %".
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", fixed(share * 100.0, 1))
}

/// A probability of error: "<0.001" or three digits.
pub(crate) fn p_value(p: &Value) -> String {
    match p {
        Value::Number(p) if *p < 0.001 => "<0.001".to_owned(),
        Value::Number(p) => fixed(*p, 3),
        Value::Undefined(_) => "undefined".to_owned(),
    }
}

/// A count with commas: 11,170,369.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A large number with three significant digits and a letter: 11.2 M.
pub(crate) fn short(number: u64) -> String {
    scaled(number, &["", "k", "M", "G", "T"])
}

/// Bytes in decimal units: 44.8 MB.
pub(crate) fn bytes(number: u64) -> String {
    scaled(number, &["B", "kB", "MB", "GB", "TB"])
}

fn scaled(number: u64, units: &[&str]) -> String {
    let mut scaled = number as f64;
    let mut unit = 0;
    // 999.5 would be written as 1000 of the smaller unit.
    while scaled >= 999.5 && unit + 1 < units.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let decimals = match scaled {
        _ if unit == 0 => 0,
        s if s < 9.995 => 2,
        s if s < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.decimals$} {}", units[unit]).trim_end().to_owned()
}

/// "1/134 of the teacher": how much smaller `part` is.
pub(crate) fn fraction(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "\u{2013}".to_owned();
    }
    let ratio = whole as f64 / part as f64;
    if ratio >= 9.95 {
        format!("1/{}", count(ratio.round() as u64))
    } else if ratio >= 1.05 {
        format!("1/{ratio:.1}")
    } else {
        format!("{:.2}\u{d7}", 1.0 / ratio)
    }
}

/// Milliseconds with about three digits, with the unit.
pub(crate) fn milliseconds(ms: f64) -> String {
    let decimals = if ms < 0.995 {
        2
    } else if ms < 99.5 {
        1
    } else {
        0
    };
    format!("{} ms", fixed(ms, decimals))
}

/// Seconds as "12 s", "4 min 05 s" or "2 h 07 min".
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "undefined".to_owned();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 60 {
        format!("{whole} s")
    } else if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rounded_zero_has_no_sign() {
        assert_eq!(fixed(-0.0004, 3), "0.000");
        assert_eq!(signed(0.0004, 3), "0.000");
        assert_eq!(signed(-0.0121, 3), "\u{2212}0.012");
        assert_eq!(signed(0.0121, 3), "+0.012");
    }

    #[test]
    fn units_change_before_four_digits_show() {
        assert_eq!(short(999), "999");
        assert_eq!(short(19_546), "19.5 k");
        assert_eq!(short(999_949), "1.00 M");
        assert_eq!(bytes(44_812_345), "44.8 MB");
        assert_eq!(bytes(0), "0 B");
    }

    #[test]
    fn counts_have_commas_every_three_digits() {
        assert_eq!(count(0), "0");
        assert_eq!(count(624), "624");
        assert_eq!(count(11_170_369), "11,170,369");
    }

    #[test]
    fn fractions_and_times_read_naturally() {
        assert_eq!(fraction(19_546, 11_170_369), "1/571");
        assert_eq!(fraction(2_000, 1_000), "2.00\u{d7}");
        assert_eq!(duration(245.0), "4 min 05 s");
        assert_eq!(milliseconds(0.4321), "0.43 ms");
    }

    #[test]
    fn a_nan_is_written_as_a_word() {
        assert_eq!(fixed(f64::NAN, 3), "undefined");
        assert_eq!(signed(f64::NAN, 3), "undefined");
    }
}
