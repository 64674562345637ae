//! The 80-bit floats in which Redis computes `INCRBYFLOAT` and `HINCRBYFLOAT` on x86, implemented
//! with integers, so that every replica on every platform gets the same digits: 3.0 + 1.1 is 4.1.

mod natural;
mod parse;

use natural::Natural;

/// A finite number with a 64-bit mantissa and a 15-bit exponent. Numbers below the smallest normal
/// one keep their whole mantissa, which no reply can show: it has 17 decimals.
#[derive(Debug, Clone, Copy)]
pub struct LongDouble {
    negative: bool,
    /// The highest bit is set, except in zero.
    mantissa: u64,
    /// Of two, for the lowest bit of the mantissa.
    exponent: i32,
}

/// The value of the text of a float.
#[derive(Debug, Clone, Copy)]
pub enum Parsed {
    /// A number.
    Finite(LongDouble),
    /// `inf`, of either sign.
    Infinite,
}

/// Exponent of the lowest mantissa bit above which a number is too large.
const EXPONENT_MAX: i32 = 16_384 - 64;

/// The same for the smallest number: smaller ones are zero.
const EXPONENT_MIN: i32 = -16_446 - 63;

/// Ten to the power of the number of written decimals.
const DECIMAL_SCALE: u128 = 10_u128.pow(DECIMALS as u32);
const DECIMALS: usize = 17;

impl LongDouble {
    /// 0.
    pub const ZERO: Self = Self { negative: false, mantissa: 0, exponent: 0 };

    /// The sum, rounded to the nearest number; `None` if it is too large.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.mantissa == 0 {
            return Some(other);
        }
        if other.mantissa == 0 {
            return Some(self);
        }
        let larger = (self.exponent, self.mantissa) >= (other.exponent, other.mantissa);
        let (high, low) = if larger { (self, other) } else { (other, self) };
        // Two spare bits above, 62 below; of bits that are shifted out further only a flag remains.
        let high_wide = u128::from(high.mantissa) << 62;
        let low_wide = u128::from(low.mantissa) << 62;
        let distance = high.exponent.abs_diff(low.exponent);
        let low_shifted = low_wide.checked_shr(distance).unwrap_or(0);
        let inexact = distance >= 128 || low_shifted << distance != low_wide;
        let wide = if high.negative == low.negative {
            high_wide + low_shifted
        } else {
            high_wide - low_shifted - u128::from(inexact)
        };
        Self::rounded(high.negative, wide, high.exponent - 62, inexact)
    }

    /// `wide` times two to the power `exponent`, a little more if `inexact`.
    fn rounded(negative: bool, wide: u128, exponent: i32, inexact: bool) -> Option<Self> {
        if wide == 0 {
            return Some(Self::ZERO);
        }
        let shift = wide.leading_zeros();
        let wide = wide << shift;
        let mut exponent = exponent - shift as i32 + 64;
        let (mut mantissa, below) = ((wide >> 64) as u64, wide as u64);
        let half = 1 << 63;
        if below > half || below == half && (inexact || mantissa & 1 == 1) {
            mantissa = mantissa.wrapping_add(1);
            if mantissa == 0 {
                mantissa = half;
                exponent += 1;
            }
        }
        (exponent <= EXPONENT_MAX).then_some(Self { negative, mantissa, exponent })
    }

    /// Plain decimal digits, 17 decimals at most, without zeros at the end.
    pub fn to_text(self) -> String {
        let (whole, decimals) = self.digits();
        let sign = if self.negative { "-" } else { "" };
        match decimals.trim_end_matches('0') {
            "" if whole == "0" => whole,
            "" => format!("{sign}{whole}"),
            decimals => format!("{sign}{whole}.{decimals}"),
        }
    }

    fn digits(self) -> (String, String) {
        if self.exponent >= 0 {
            let whole = Natural::shifted(self.mantissa, self.exponent.unsigned_abs() as usize);
            return (whole.into_decimal(), String::new());
        }
        let shift = self.exponent.unsigned_abs();
        let scaled = u128::from(self.mantissa) * DECIMAL_SCALE;
        let kept = scaled.checked_shr(shift).unwrap_or(0);
        let kept = match scaled.checked_sub(kept.checked_shl(shift).unwrap_or(0)) {
            Some(rest) if shift < 128 => {
                let half = 1_u128 << (shift - 1);
                kept + u128::from(rest > half || rest == half && kept & 1 == 1)
            }
            _ => kept,
        };
        let decimals = format!("{:0DECIMALS$}", kept % DECIMAL_SCALE);
        ((kept / DECIMAL_SCALE).to_string(), decimals)
    }
}

impl From<i64> for LongDouble {
    fn from(number: i64) -> Self {
        let wide = u128::from(number.unsigned_abs());
        Self::rounded(number < 0, wide, 0, false).unwrap_or(Self::ZERO)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn number(text: &str) -> LongDouble {
        match Parsed::from_text(text.as_bytes()) {
            Some(Parsed::Finite(number)) => number,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn sums_are_those_of_a_real_redis() {
        let cases = [
            ("-1e-30", "0", "0"),
            ("3.0", "1.1", "4.1"),
            ("0.1", "0.2", "0.3"),
            ("1e20", "0.1", "100000000000000000000"),
            ("5.0e3", "2.0e2", "5200"),
            ("10.5", "0.1", "10.6"),
            ("0x10", "1", "17"),
            ("0x1.8p1", "0.5", "3.5"),
            ("1e-17", "0", "0.00000000000000001"),
            ("1e-18", "0", "0"),
            ("5e-18", "0", "0"),
            ("1.5e-17", "0", "0.00000000000000002"),
            ("123456789012345678901234567890", "1", "123456789012345678899921813504"),
            ("1", "+2", "3"),
            (".5", "5.", "5.5"),
            ("1e-4950", "0", "0"),
            ("9007199254740993", "0.5", "9007199254740993.5"),
            ("17179869184", "1.5", "17179869185.5"),
            ("1", "-1", "0"),
            ("-0", "-0", "0"),
            ("1.123456789012345678", "0", "1.12345678901234568"),
            ("-2.5", "1", "-1.5"),
            ("-465.1", "0", "-465.10000000000000001"),
            ("1e-4940", "-1e4000", &number("-1e4000").to_text()),
        ];
        for (first, second, sum) in cases {
            for (first, second) in [(first, second), (second, first)] {
                let text = number(first).plus(number(second)).unwrap().to_text();
                assert_eq!(text, sum, "{first} + {second}");
            }
        }
        let large = number("1e300").to_text();
        let start = "1000000000000000000008997324079559193870523944273290747";
        assert!(large.starts_with(start) && large.len() == 301, "{large}");
        assert!(number("1e4932").plus(number("1e4932")).is_none());
    }

    #[test]
    fn integers_are_taken_exactly() {
        for integer in [0, 1, -1, 10, i64::MAX, i64::MIN, 1 << 53] {
            assert_eq!(LongDouble::from(integer).to_text(), integer.to_string());
            assert_eq!(number(&integer.to_string()).to_text(), integer.to_string());
        }
    }

    #[test]
    fn texts_that_strtold_does_not_read_completely_are_refused() {
        for text in
            ["", " 1", "1 ", "nan", "1e", "0x", "-", ".", "e1", "1e-5000", "1e5000", "1_0", "--1"]
        {
            assert!(Parsed::from_text(text.as_bytes()).is_none(), "{text}");
        }
        for text in ["inf", "-INF", "+Infinity"] {
            assert!(matches!(Parsed::from_text(text.as_bytes()), Some(Parsed::Infinite)));
        }
        assert!(Parsed::from_text(&[b'1'; 5120]).is_none());
    }

    proptest::proptest! {
        #[test]
        fn a_double_with_few_digits_survives(units in -6400..6400_i64, places in 2..8_u32) {
            let double = units as f64 / f64::from(10_u32.pow(places));
            // Above, the 17 decimals show what 64 bits cannot hold.
            proptest::prop_assume!(double.abs() < 64.0);
            let text = format!("{double}");
            let back = number(&text).to_text();
            let expected = if text == "-0" { "0" } else { &text };
            proptest::prop_assert_eq!(back, expected);
        }
    }
}
