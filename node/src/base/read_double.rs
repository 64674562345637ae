//! Doubles from text as C's `strtod` reads them, which is what Redis accepts as a score.

/// The number that the whole of `text` represents: decimal, hexadecimal (`0x1.8p3`) or an infinity,
/// with an optional sign and leading white space. A number that is too large becomes infinite, one
/// that is too small becomes 0. `None` for anything else and for NaN.
pub fn read_double(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii_start();
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let number: f64 = match unsigned {
        [b'+' | b'-', ..] => return None,
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
        _ => fast_float2::parse(unsigned).ok()?,
    };
    let number = if negative { -number } else { number };
    (!number.is_nan()).then_some(number)
}

/// Whether `number`, read from `text`, was replaced by the end of the range.
pub fn is_out_of_range(text: &[u8], number: f64) -> bool {
    let mantissa = text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or(text);
    if number.is_infinite() {
        // An infinity by name has no digit.
        return mantissa.iter().any(u8::is_ascii_digit);
    }
    number == 0.0 && mantissa.iter().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// The part after `0x`.
fn hexadecimal(text: &[u8]) -> Option<f64> {
    let at = text.iter().position(|byte| matches!(byte, b'p' | b'P')).unwrap_or(text.len());
    let (digits, exponent) = (&text[..at], text.get(at + 1..));
    let mut exponent: i32 = match exponent {
        Some(exponent) => std::str::from_utf8(exponent).ok()?.parse().ok()?,
        None => 0,
    };
    let (mut mantissa, mut any, mut after_point) = (0_u64, false, false);
    for byte in digits {
        if *byte == b'.' && !after_point {
            after_point = true;
            continue;
        }
        let digit = char::from(*byte).to_digit(16)?;
        any = true;
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
            exponent = exponent.saturating_sub(if after_point { 4 } else { 0 });
        } else {
            // Beyond the precision of a double; only the magnitude counts.
            exponent = exponent.saturating_add(if after_point { 0 } else { 4 });
        }
    }
    // In two steps, so that neither factor leaves the range while the product is within it.
    let exponent = exponent.clamp(-2200, 2200);
    let (half, rest) = (exponent / 2, exponent - exponent / 2);
    any.then_some(mantissa as f64 * 2.0_f64.powi(half) * 2.0_f64.powi(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtod_reads_them() {
        let cases: [(&str, Option<f64>); 25] = [
            ("1.5", Some(1.5)),
            ("+1", Some(1.0)),
            (" -2", Some(-2.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e3", Some(1000.0)),
            ("1e400", Some(f64::INFINITY)),
            ("1e-400", Some(0.0)),
            ("inf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("0x10", Some(16.0)),
            ("-0X1F", Some(-31.0)),
            ("0x1.8p3", Some(12.0)),
            ("0x.8", Some(0.5)),
            ("0x10000000000000000", Some(18_446_744_073_709_551_616.0)),
            ("0x", None),
            ("0xg", None),
            ("", None),
            (" ", None),
            ("1 ", None),
            ("1e", None),
            ("--1", None),
            ("nan", None),
            ("infin", None),
            ("1_0", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read_double(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn only_what_was_cut_is_out_of_range() {
        let cases = [
            ("1e400", true),
            ("1e-400", true),
            ("inf", false),
            ("0", false),
            ("0.00e9", false),
            ("1e-320", false),
        ];
        for (text, expected) in cases {
            let number = read_double(text.as_bytes()).unwrap_or_default();
            assert_eq!(is_out_of_range(text.as_bytes(), number), expected, "{text}");
        }
    }
}
