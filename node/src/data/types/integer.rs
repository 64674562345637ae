//! Byte strings that represent an integer, which compact encodings store as one.

/// The integer that `text` represents in its canonical form (`string2ll`): no spaces, no plus sign,
/// no leading zero, within 64 bits.
pub(super) fn canonical_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [] => false,
        [b'0', ..] => text == b"0",
        _ => digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit),
    };
    canonical.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}
