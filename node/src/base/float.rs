//! The text of a double as Redis 7.2 writes it (`d2string`): the shortest digits that read back as
//! the same number. It is the same on every platform, because replicas must agree.

use std::fmt::Write;

/// Whole numbers up to this are written with all their digits, as Redis does.
const WHOLE_MAX: f64 = (1_u64 << 62) as f64;

/// `1.5`, `3`, `1e+20`, `inf`, `-0`.
pub fn format_double(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    if number.abs() <= WHOLE_MAX && number.fract() == 0.0 {
        return (number as i64).to_string();
    }
    shortest(number)
}

/// The notation of the Grisu printer in Redis: plain while the zeros to add are few.
fn shortest(number: f64) -> String {
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = exponent + 1 - count;
    let mut text = String::from(if number < 0.0 { "-" } else { "" });
    if zeros >= 0 && exponent.abs() < count + 7 {
        text.push_str(&digits);
        text.extend((0..zeros).map(|_| '0'));
    } else if zeros < 0 && (zeros > -7 || exponent.abs() < 4) {
        if exponent < 0 {
            text.push_str("0.");
            text.extend((1..-exponent).map(|_| '0'));
            text.push_str(&digits);
        } else {
            let (whole, fraction) = digits.split_at(digits.len().min(exponent as usize + 1));
            text.push_str(whole);
            text.push('.');
            text.push_str(fraction);
        }
    } else {
        let (first, rest) = digits.split_at(1);
        text.push_str(first);
        if !rest.is_empty() {
            text.push('.');
            text.push_str(rest);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a string cannot fail.
        let _ = write!(text, "e{sign}{}", exponent.abs());
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn doubles_look_as_redis_writes_them() {
        let cases: [(f64, &str); 24] = [
            (1_152_921_504_606_846_976.0, "1152921504606846976"),
            (-1_152_921_504_606_846_976.0, "-1152921504606846976"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (4_611_686_018_427_387_904.0, "4611686018427387904"),
            (4_611_686_018_427_388_928.0, "4611686018427389000"),
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-17.0, "-17"),
            (0.1, "0.1"),
            (1.5, "1.5"),
            (-3.25, "-3.25"),
            (0.2 + 0.1, "0.30000000000000004"),
            (1e10, "10000000000"),
            (1e20, "1e+20"),
            (1.7e308, "1.7e+308"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (1.25e-9, "1.25e-9"),
            (123_456_789.123, "123456789.123"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (5e-324, "5e-324"),
        ];
        for (number, expected) in cases {
            assert_eq!(format_double(number), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_text_reads_back_as_the_same_number(bits: u64) {
            let number = f64::from_bits(bits);
            if !number.is_nan() {
                let back: f64 = format_double(number).parse().unwrap();
                proptest::prop_assert_eq!(back.to_bits(), number.to_bits());
            }
        }
    }
}
