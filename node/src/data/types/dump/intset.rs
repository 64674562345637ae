//! Sets of integers of one width.

use bytes::Bytes;

use super::reader::{Reader, spelled};

/// The members as text.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Bytes>> {
    let mut reader = Reader::new(bytes);
    let width = u32::from_le_bytes(reader.array()?);
    let count = usize::try_from(u32::from_le_bytes(reader.array()?)).ok()?;
    if reader.len() != count.checked_mul(usize::try_from(width).ok()?)? {
        return None;
    }
    let next = || {
        let number = match width {
            2 => i64::from(i16::from_le_bytes(reader.array()?)),
            4 => i64::from(i32::from_le_bytes(reader.array()?)),
            8 => i64::from_le_bytes(reader.array()?),
            _ => return None,
        };
        Some(spelled(number))
    };
    std::iter::repeat_with(next).take(count).collect()
}
