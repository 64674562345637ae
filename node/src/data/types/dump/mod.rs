//! Values in the format of Redis's RDB files, which `DUMP` and `RESTORE` use: a type byte, the
//! content, the version of the format and a checksum. Values can be moved between Redis and IronKV
//! in both directions.
//!
//! What is restored comes from a client and is not trusted: every length is checked against the
//! remaining bytes before any allocation.

mod decode;
mod encode;
mod intset;
mod listpack;
mod lzf;
mod reader;
mod ziplist;
mod zipmap;

use crc::{CRC_64_REDIS, Crc};

use super::Value;
use crate::data::keyspace::Settings;

/// What we write: the version of Redis 7.0, so that 7.0 reads it too.
const VERSION_WRITTEN: u16 = 10;

/// What we read: up to the version of Redis 7.2.
const VERSION_READ_MAX: u16 = 11;

static CHECKSUM: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);

/// Type bytes of the format (`RDB_TYPE_…`).
mod kind {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const SORTED_SET_TEXT: u8 = 3;
    pub(super) const HASH: u8 = 4;
    pub(super) const SORTED_SET: u8 = 5;
    pub(super) const HASH_ZIPMAP: u8 = 9;
    pub(super) const LIST_ZIPLIST: u8 = 10;
    pub(super) const SET_INTSET: u8 = 11;
    pub(super) const SORTED_SET_ZIPLIST: u8 = 12;
    pub(super) const HASH_ZIPLIST: u8 = 13;
    pub(super) const LIST_QUICKLIST: u8 = 14;
    pub(super) const HASH_LISTPACK: u8 = 16;
    pub(super) const SORTED_SET_LISTPACK: u8 = 17;
    pub(super) const LIST_QUICKLIST_2: u8 = 18;
    pub(super) const SET_LISTPACK: u8 = 20;
}

/// Why a payload was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Too short, from a newer version, or damaged.
    #[error("payload version or checksum are wrong")]
    Footer,
    /// Of an unknown type, or the content is inconsistent.
    #[error("payload content is malformed")]
    Content,
}

/// The payload of a value.
pub fn dump(value: &Value) -> Vec<u8> {
    let mut payload = encode::encode(value);
    payload.extend_from_slice(&VERSION_WRITTEN.to_le_bytes());
    let checksum = CHECKSUM.checksum(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// The value in a payload, in the encoding that `settings` asks for.
pub fn restore(payload: &[u8], settings: &Settings) -> Result<Value, RestoreError> {
    let (checked, checksum) = payload.split_last_chunk().ok_or(RestoreError::Footer)?;
    let (content, version) = checked.split_last_chunk().ok_or(RestoreError::Footer)?;
    let intact = CHECKSUM.checksum(checked) == u64::from_le_bytes(*checksum);
    if !intact || u16::from_le_bytes(*version) > VERSION_READ_MAX {
        return Err(RestoreError::Footer);
    }
    decode::decode(content, settings).ok_or(RestoreError::Content)
}

#[cfg(test)]
#[path = "dump_test.rs"]
mod tests;
