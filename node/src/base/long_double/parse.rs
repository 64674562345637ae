//! Text to a long double, as C's `strtold` reads it.

use super::natural::Natural;
use super::{EXPONENT_MIN, LongDouble, Parsed};

/// Longest text that Redis accepts as a float (`MAX_LONG_DOUBLE_CHARS`); it limits the work too.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// Larger decimal exponents overflow or underflow with any digits.
const DECIMAL_EXPONENT_MAX: i64 = 4_933;
const DECIMAL_EXPONENT_MIN: i64 = -4_970;

impl Parsed {
    /// Decimal or hexadecimal with an optional exponent, or `inf`; the whole text, without spaces.
    /// `None` for anything else, including `nan` and numbers that are too large or too small.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if [&b"inf"[..], b"infinity"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Some(Self::Infinite);
        }
        let number = match text {
            [b'0', b'x' | b'X', digits @ ..] => hexadecimal(negative, digits),
            _ => decimal(negative, text),
        };
        number.map(Self::Finite)
    }
}

/// Digits around a point, and the exponent after a letter.
struct Parts {
    /// Without leading zeros.
    digits: Vec<u8>,
    /// How many of them, including leading zeros, are after the point.
    decimals: i64,
    exponent: i64,
}

impl Parts {
    fn split(text: &[u8], is_digit: fn(&u8) -> bool, letter: u8) -> Option<Self> {
        let end = text.iter().position(|byte| byte.eq_ignore_ascii_case(&letter));
        let (mantissa, exponent) = text.split_at(end.unwrap_or(text.len()));
        let exponent = exponent.get(1..).map_or(Some(0), parse_exponent)?;
        let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
        let (whole, fraction) = mantissa.split_at(point);
        let fraction = fraction.get(1..).unwrap_or_default();
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.iter().all(is_digit) {
            return None;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        Some(Self { digits: digits[zeros..].to_vec(), decimals: fraction.len() as i64, exponent })
    }
}

/// Saturates far outside the range of any number.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits
        .iter()
        .fold(0, |sum: i64, digit| (sum * 10 + i64::from(digit - b'0')).min(1_000_000));
    Some(if text[0] == b'-' { -size } else { size })
}

fn decimal(negative: bool, text: &[u8]) -> Option<LongDouble> {
    let parts = Parts::split(text, u8::is_ascii_digit, b'e')?;
    let exponent = parts.exponent - parts.decimals;
    if parts.digits.is_empty() {
        return Some(LongDouble { negative, ..LongDouble::ZERO });
    }
    let magnitude = exponent + parts.digits.len() as i64;
    if !(DECIMAL_EXPONENT_MIN..=DECIMAL_EXPONENT_MAX).contains(&magnitude) {
        return None;
    }
    let mut natural = Natural::from_decimal(&parts.digits);
    let power = exponent.unsigned_abs() as usize;
    if exponent >= 0 {
        natural.multiply_by_ten(power);
        return finish(negative, &natural, 0, false);
    }
    // Enough for 68 bits of the quotient; a decimal digit takes less than 3.322 bits.
    let shift = power * 3_322 / 1_000 + 68;
    natural.shift_left(shift);
    let inexact = natural.divide_by_ten(power);
    finish(negative, &natural, -i64::try_from(shift).ok()?, inexact)
}

fn hexadecimal(negative: bool, text: &[u8]) -> Option<LongDouble> {
    let parts = Parts::split(text, u8::is_ascii_hexdigit, b'p')?;
    if parts.digits.is_empty() {
        return Some(LongDouble { negative, ..LongDouble::ZERO });
    }
    let natural = Natural::from_hexadecimal(&parts.digits);
    finish(negative, &natural, parts.exponent - 4 * parts.decimals, false)
}

fn finish(negative: bool, natural: &Natural, exponent: i64, inexact: bool) -> Option<LongDouble> {
    let (top, more) = natural.top();
    let exponent = i32::try_from(exponent + natural.bits() as i64 - 128).ok()?;
    let number = LongDouble::rounded(negative, top, exponent, inexact || more)?;
    (number.exponent >= EXPONENT_MIN).then_some(number)
}
