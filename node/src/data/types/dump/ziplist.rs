//! Ziplists: the compact sequences of Redis before 7.

use bytes::Bytes;

use super::reader::{Reader, spelled};

const END: u8 = 0xFF;

/// First byte of a 5-byte length of the previous element.
const LONG_BEFORE: u8 = 0xFE;

/// The count that means "unknown: count the elements".
const COUNT_UNKNOWN: u16 = u16::MAX;

/// The elements, numbers as text.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Bytes>> {
    let mut reader = Reader::new(bytes);
    let total = u32::from_le_bytes(reader.array()?);
    let _tail: [u8; 4] = reader.array()?;
    let count = u16::from_le_bytes(reader.array()?);
    if usize::try_from(total).ok()? != bytes.len() {
        return None;
    }
    let mut elements = Vec::new();
    loop {
        match reader.byte()? {
            END => break,
            LONG_BEFORE => drop(reader.take(4)?),
            _ => {}
        }
        elements.push(element(&mut reader)?);
    }
    let counted = count == COUNT_UNKNOWN || usize::from(count) == elements.len();
    (reader.len() == 0 && counted).then_some(elements)
}

fn element(reader: &mut Reader<'_>) -> Option<Bytes> {
    let first = reader.byte()?;
    let low = usize::from(first & 0x3F);
    let text_length = match first {
        0x00..=0x3F => low,
        0x40..=0x7F => low << 8 | usize::from(reader.byte()?),
        0x80 => usize::try_from(u32::from_be_bytes(reader.array()?)).ok()?,
        _ => return integer(first, reader).map(spelled),
    };
    reader.take(text_length).map(Bytes::copy_from_slice)
}

fn integer(first: u8, reader: &mut Reader<'_>) -> Option<i64> {
    match first {
        0xC0 => reader.array().map(i16::from_le_bytes).map(i64::from),
        0xD0 => reader.array().map(i32::from_le_bytes).map(i64::from),
        0xE0 => reader.array().map(i64::from_le_bytes),
        0xF0 => reader.integer_24(),
        0xFE => reader.array().map(i8::from_le_bytes).map(i64::from),
        0xF1..=0xFD => Some(i64::from(first & 0x0F) - 1),
        _ => None,
    }
}
