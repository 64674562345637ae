//! Sizes in Redis's notation.

/// Bytes from a text such as `100`, `64mb` or `1g`: `k`, `m`, `g` are powers of 1000; `kb`, `mb`,
/// `gb` are powers of 1024; case does not matter. A number that does not fit into 64 bits becomes
/// the largest number, as with `strtoull`. `None` for anything else.
pub fn parse_memory(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    let digits = number.bytes().map(|digit| u64::from(digit - b'0'));
    let number =
        digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(digit));
    (!text[..text.len() - unit.len()].is_empty()).then(|| number.saturating_mul(factor))
}

/// Bytes for human readers: `1.50M`, as in INFO's `_human` fields.
pub fn show_memory(bytes: u64) -> String {
    let amount = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..0x10_0000 => format!("{:.2}K", amount / 1024.0),
        0x10_0000..0x4000_0000 => format!("{:.2}M", amount / f64::from(1 << 20)),
        0x4000_0000..0x100_0000_0000 => format!("{:.2}G", amount / f64::from(1 << 30)),
        _ => format!("{:.2}T", amount / (f64::from(1 << 30) * 1024.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_redis_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("1k", Some(1000)),
            ("1KB", Some(1024)),
            ("64mb", Some(64 << 20)),
            ("2G", Some(2_000_000_000)),
            ("1xb", None),
            ("-1", None),
            ("kb", None),
            ("99999999999gb", Some(u64::MAX)),
            ("99999999999999999999", Some(u64::MAX)),
        ] {
            assert_eq!(parse_memory(text), bytes, "{text}");
        }
    }

    #[test]
    fn sizes_for_people_have_two_decimals() {
        assert_eq!(show_memory(812), "812B");
        assert_eq!(show_memory(1_572_864), "1.50M");
    }
}
