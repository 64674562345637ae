//! LZF, the compression of long strings in RDB: runs of plain bytes, and copies of earlier output.

/// Maximum expansion of a byte of input: 3 bytes refer to a copy of 264.
const EXPANSION_MAX: usize = 88;

/// The `length` bytes that `packed` decompresses to; `None` if the result has another length.
pub(super) fn decompress(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    if length > packed.len().saturating_mul(EXPANSION_MAX) {
        return None;
    }
    let mut out = Vec::with_capacity(length);
    let mut input = packed;
    while !input.is_empty() {
        let control = take(&mut input, 1)?[0];
        if control < 32 {
            out.extend_from_slice(take(&mut input, usize::from(control) + 1)?);
        } else {
            let extra = if control >> 5 == 7 { take(&mut input, 1)?[0] } else { 0 };
            let run = usize::from(control >> 5) + usize::from(extra) + 2;
            let low = take(&mut input, 1)?[0];
            let distance = usize::from(control & 0x1F) << 8 | usize::from(low);
            let start = out.len().checked_sub(distance + 1)?;
            // A copy may overlap its own output, so it is made byte by byte.
            for at in start..start + run {
                out.push(out[at]);
            }
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out)
}

fn take<'a>(input: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    input.split_off(..count)
}

#[cfg(test)]
mod tests {
    use super::decompress;

    #[test]
    fn runs_and_overlapping_copies_unpack() {
        let packed = [2, b'a', b'b', b'a', 0xE0, 0x6A, 0x01, 1, b'a', b'b'];
        assert_eq!(decompress(&packed, 120), Some(b"ab".repeat(60)));
        assert_eq!(decompress(&[0, b'x', 0x20, 0x00], 4), Some(b"xxxx".to_vec()));
    }

    #[test]
    fn damaged_input_is_refused() {
        for (packed, length) in [
            (&[5, b'a'][..], 6),
            (&[0x20, 0x00], 3),
            (&[0, b'a', 0x20], 4),
            (&[0, b'a', 0xE0], 4),
            (&[0, b'a'], 2),
            (&[0, b'a'], 0),
            (&[], 1),
            (&[0, b'a'], usize::MAX),
        ] {
            assert_eq!(decompress(packed, length), None, "{packed:?} {length}");
        }
    }
}
