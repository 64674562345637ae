//! Rows of a checkpoint: an object is one row, or several when it is large, so that no row is huge
//! and none is copied as a whole.
//!
//! ```text
//! key    database u8 | slot u16 | ordinal u64 | chunk u32    big-endian: sorted as written
//! value  crc32c u32 | body                                   over database to chunk and body
//! body   chunk 0: kind u8 | flags u8 | version u64 | deadline u64 | elements u64 | key | …
//!        others:  elements …
//! ```
//!
//! `ordinal` counts the keys of the file, so a slot is a range of rows. Numbers in bodies are
//! little-endian; keys and elements are a u32 length and their bytes.

use redb::TableDefinition;

use crate::base::ids::{DatabaseId, Slot};

pub(super) const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
pub(super) const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("header");
pub(super) const HEADER_KEY: &str = "header";

/// A chunk is closed when it is larger than this. redb gives a row a number of pages that is a
/// power of two: a little more than 64 KiB would take twice the space.
pub(super) const CHUNK_BYTES: usize = 60 * 1024;

const KEY_BYTES: usize = 1 + 2 + 8 + 4;
pub(super) const CHECKSUM_BYTES: usize = 4;

/// The key of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowKey {
    pub(super) database: DatabaseId,
    pub(super) slot: Slot,
    pub(super) ordinal: u64,
    pub(super) chunk: u32,
}

impl RowKey {
    pub(super) fn encode(self) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        bytes[0] = self.database.0;
        bytes[1..3].copy_from_slice(&self.slot.0.to_be_bytes());
        bytes[3..11].copy_from_slice(&self.ordinal.to_be_bytes());
        bytes[11..].copy_from_slice(&self.chunk.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; KEY_BYTES] = bytes.try_into().ok()?;
        let (database, rest) = bytes.split_first()?;
        let (slot, rest) = rest.split_first_chunk()?;
        let (ordinal, rest) = rest.split_first_chunk()?;
        let (chunk, _) = rest.split_first_chunk()?;
        Some(Self {
            database: DatabaseId(*database),
            slot: Slot(u16::from_be_bytes(*slot)),
            ordinal: u64::from_be_bytes(*ordinal),
            chunk: u32::from_be_bytes(*chunk),
        })
    }
}

/// The checksum of a row. It includes the key, so that rows cannot change places.
pub(super) fn checksum(key: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), body)
}

/// Adds a row's checksum to the checksum of all rows.
pub(super) fn chain(all: u32, row: u32) -> u32 {
    crc32c::crc32c_append(all, &row.to_le_bytes())
}
