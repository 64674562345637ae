//! Listpacks: the compact sequences of Redis 7.

use bytes::Bytes;

use super::reader::{Reader, spelled};

const END: u8 = 0xFF;

/// The count that means "unknown: count the elements".
const COUNT_UNKNOWN: u16 = u16::MAX;

/// The elements, numbers as text.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Bytes>> {
    let mut reader = Reader::new(bytes);
    let total = u32::from_le_bytes(reader.array()?);
    let count = u16::from_le_bytes(reader.array()?);
    if usize::try_from(total).ok()? != bytes.len() {
        return None;
    }
    let mut elements = Vec::new();
    loop {
        let before = reader.len();
        let first = reader.byte()?;
        if first == END {
            break;
        }
        elements.push(element(first, &mut reader)?);
        let back_length = before - reader.len();
        reader.take(back_length_bytes(back_length))?;
    }
    let counted = count == COUNT_UNKNOWN || usize::from(count) == elements.len();
    (reader.len() == 0 && counted).then_some(elements)
}

fn element(first: u8, reader: &mut Reader<'_>) -> Option<Bytes> {
    let text_length = match first {
        0x80..=0xBF => usize::from(first & 0x3F),
        0xE0..=0xEF => usize::from(first & 0x0F) << 8 | usize::from(reader.byte()?),
        0xF0 => usize::try_from(u32::from_le_bytes(reader.array()?)).ok()?,
        _ => return integer(first, reader).map(spelled),
    };
    reader.take(text_length).map(Bytes::copy_from_slice)
}

fn integer(first: u8, reader: &mut Reader<'_>) -> Option<i64> {
    match first {
        0x00..=0x7F => Some(i64::from(first)),
        0xC0..=0xDF => {
            let bits = i64::from(first & 0x1F) << 8 | i64::from(reader.byte()?);
            Some(if bits < 1 << 12 { bits } else { bits - (1 << 13) })
        }
        0xF1 => reader.array().map(i16::from_le_bytes).map(i64::from),
        0xF2 => reader.integer_24(),
        0xF3 => reader.array().map(i32::from_le_bytes).map(i64::from),
        0xF4 => reader.array().map(i64::from_le_bytes),
        _ => None,
    }
}

/// The bytes of an element's length at its end, which is read when iterating backwards.
const fn back_length_bytes(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}
