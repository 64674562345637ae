//! Zipmaps: the compact hashes of Redis before 2.6.

use bytes::Bytes;

use super::reader::Reader;

const END: u8 = 0xFF;

/// First byte of a 5-byte length.
const LONG: u8 = 0xFE;

/// Fields and values alternately.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Bytes>> {
    let mut reader = Reader::new(bytes);
    // A count, but only of small maps.
    let _count = reader.byte()?;
    let mut elements = Vec::new();
    loop {
        let first = reader.byte()?;
        if first == END {
            break;
        }
        let field_length = length(first, &mut reader)?;
        let field = reader.take(field_length)?;
        let first = reader.byte()?;
        let value_length = length(first, &mut reader)?;
        let unused = usize::from(reader.byte()?);
        let value = reader.take(value_length)?;
        reader.take(unused)?;
        elements.extend([field, value].map(Bytes::copy_from_slice));
    }
    (reader.len() == 0).then_some(elements)
}

fn length(first: u8, reader: &mut Reader<'_>) -> Option<usize> {
    match first {
        END => None,
        LONG => usize::try_from(u32::from_le_bytes(reader.array()?)).ok(),
        short => Some(usize::from(short)),
    }
}
