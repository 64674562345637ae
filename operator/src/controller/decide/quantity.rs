//! Reads sizes in bytes: quantities of Kubernetes and memory sizes of Redis.

/// Bytes of a quantity such as `1536Mi`, `1.5Gi`, `2G` or `1e9`, rounded down; `None` when the text
/// is not a quantity or is negative.
pub(crate) fn bytes(quantity: &str) -> Option<u64> {
    let digits = quantity.find(|c: char| !matches!(c, '0'..='9' | '.')).unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let unit = match suffix {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 2f64.powi(10),
        "Mi" => 2f64.powi(20),
        "Gi" => 2f64.powi(30),
        "Ti" => 2f64.powi(40),
        "Pi" => 2f64.powi(50),
        "Ei" => 2f64.powi(60),
        exponent => 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some((number * unit) as u64)
}

/// Whether the quantity `to` is more than `from`; false when one of them is not a quantity.
pub(crate) fn grows(from: &str, to: &str) -> bool {
    bytes(from).zip(bytes(to)).is_some_and(|(from, to)| to > from)
}

/// Bytes of a memory size of Redis, such as `1073741824`, `1gb` or `1g`; `None` when it is not one.
pub(crate) fn redis_bytes(size: &str) -> Option<u64> {
    let digits = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
    let (number, unit) = size.split_at(digits);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        let cases = [
            ("0", 0),
            ("128974848", 128_974_848),
            ("1.5Gi", 3 << 29),
            ("129M", 129_000_000),
            ("129e6", 129_000_000),
            ("1E3", 1_000),
            ("1E", 1_000_000_000_000_000_000),
            ("1500m", 1),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "-1", "Gi", "1gb", "1 Gi", "1e", "1.2.3"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_redis_writes_them() {
        assert_eq!(redis_bytes("100"), Some(100));
        assert_eq!(redis_bytes("2GB"), Some(2 << 30));
        assert_eq!(redis_bytes("2g"), Some(2_000_000_000));
        for text in ["", "gb", "1.5gb", "1tb", "-1"] {
            assert_eq!(redis_bytes(text), None, "{text}");
        }
    }
}
