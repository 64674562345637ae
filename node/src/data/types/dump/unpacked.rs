//! How large the value in a payload is, from its lengths alone: nothing is decompressed.

use super::kind;
use super::reader::Reader;

/// Bytes that an element of a packed encoding takes at least, with its length.
const PACKED_ELEMENT_BYTES_MIN: u64 = 2;

/// The size of what a payload holds, at most; zeros when the payload is malformed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes of its strings.
    pub bytes: u64,
    /// Elements of a collection, 0 for a string.
    pub elements: u64,
}

impl Unpacked {
    const fn add(&mut self, bytes: usize, elements: u64) {
        self.bytes += bytes as u64;
        self.elements += elements;
    }
}

/// The size of the value in `content`; `None` if it is malformed.
pub(super) fn unpacked(content: &[u8]) -> Option<Unpacked> {
    let mut reader = Reader::new(content);
    let reader = &mut reader;
    let mut size = Unpacked::default();
    match reader.byte()? {
        kind::STRING => size.add(reader.skip_string()?, 0),
        kind::LIST | kind::SET => strings(reader, 1, &mut size, |_| Some(()))?,
        kind::HASH => strings(reader, 2, &mut size, |_| Some(()))?,
        kind::SORTED_SET => strings(reader, 1, &mut size, |reader| reader.take(8).map(drop))?,
        kind::SORTED_SET_TEXT => strings(reader, 1, &mut size, |reader| {
            // Above 252 the byte stands for the whole score.
            let length = usize::from(reader.byte()?);
            if length < 253 { reader.take(length).map(drop) } else { Some(()) }
        })?,
        kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => {
            let has_container = content[0] == kind::LIST_QUICKLIST_2;
            for _ in 0..reader.count()? {
                if has_container {
                    reader.number()?;
                }
                packed(reader, &mut size)?;
            }
        }
        _ => packed(reader, &mut size)?,
    }
    Some(size)
}

fn strings(
    reader: &mut Reader<'_>,
    each: usize,
    size: &mut Unpacked,
    skip_score: fn(&mut Reader<'_>) -> Option<()>,
) -> Option<()> {
    for _ in 0..reader.count()? {
        for _ in 0..each {
            size.add(reader.skip_string()?, 0);
        }
        skip_score(reader)?;
        size.add(0, 1);
    }
    Some(())
}

/// A string that holds many elements.
fn packed(reader: &mut Reader<'_>, size: &mut Unpacked) -> Option<()> {
    let bytes = reader.skip_string()?;
    size.add(bytes, bytes as u64 / PACKED_ELEMENT_BYTES_MIN);
    Some(())
}
