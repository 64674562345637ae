//! What a log entry holds, as versioned bytes. Written by the leader, read by every replica, so
//! every length is checked and an unknown kind is an error, never skipped.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;

/// First byte of the payload of a group entry in the log. See `convert` for the other payloads.
pub(crate) const GROUP_ENTRY_VERSION: u8 = 1;

const HEADER_BYTES: usize = 1 + 8 + 8 + 4;
const ITEM_HEADER_BYTES: usize = 1 + 4;

const KIND_REQUEST: u8 = 1;
const KIND_EXPIRE: u8 = 2;
const KIND_EVICT: u8 = 3;
const KIND_SET_PARAMETER: u8 = 4;
const KIND_ALLOCATE_NODE: u8 = 5;
const KIND_NAME_CLUSTER: u8 = 6;

/// One thing to do, in the order of the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// Encoded units of one connection, see `commands/request.rs`.
    Request(Bytes),
    /// Keys to delete if they are expired at the entry's time.
    Expire { database: DatabaseId, keys: Vec<Bytes> },
    /// Keys to delete to make room.
    Evict { database: DatabaseId, keys: Vec<Bytes> },
    /// A cluster-wide parameter.
    SetParameter { name: String, value: Bytes },
    /// Reserves the next node id.
    AllocateNode,
    /// The identity of the cluster; the first entry of a new one.
    NameCluster(String),
}

impl Item {
    /// Bytes in an entry.
    pub(crate) fn encoded_bytes(&self) -> usize {
        let body = match self {
            Self::Request(bytes) => bytes.len(),
            Self::Expire { keys, .. } | Self::Evict { keys, .. } => {
                1 + keys.iter().map(|key| key.len() + 4).sum::<usize>()
            }
            Self::SetParameter { name, value } => 4 + name.len() + value.len(),
            Self::AllocateNode => 0,
            Self::NameCluster(name) => name.len(),
        };
        ITEM_HEADER_BYTES + body
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Request(_) => KIND_REQUEST,
            Self::Expire { .. } => KIND_EXPIRE,
            Self::Evict { .. } => KIND_EVICT,
            Self::SetParameter { .. } => KIND_SET_PARAMETER,
            Self::AllocateNode => KIND_ALLOCATE_NODE,
            Self::NameCluster(_) => KIND_NAME_CLUSTER,
        }
    }

    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.kind());
        out.put_u32_le((self.encoded_bytes() - ITEM_HEADER_BYTES) as u32);
        match self {
            Self::Request(bytes) => out.put_slice(bytes),
            Self::Expire { database, keys } | Self::Evict { database, keys } => {
                out.put_u8(database.0);
                for key in keys {
                    out.put_u32_le(key.len() as u32);
                    out.put_slice(key);
                }
            }
            Self::SetParameter { name, value } => {
                out.put_u32_le(name.len() as u32);
                out.put_slice(name.as_bytes());
                out.put_slice(value);
            }
            Self::AllocateNode => {}
            Self::NameCluster(name) => out.put_slice(name.as_bytes()),
        }
    }

    fn decode(kind: u8, mut body: Bytes) -> Result<Self, EntryError> {
        match kind {
            KIND_REQUEST => Ok(Self::Request(body)),
            KIND_EXPIRE | KIND_EVICT => {
                let database = take(&mut body, 1)?[0];
                if database >= DATABASES {
                    return Err(EntryError::Damaged("database"));
                }
                let database = DatabaseId(database);
                let mut keys = Vec::new();
                while !body.is_empty() {
                    keys.push(take_prefixed(&mut body)?);
                }
                Ok(match kind {
                    KIND_EXPIRE => Self::Expire { database, keys },
                    _ => Self::Evict { database, keys },
                })
            }
            KIND_SET_PARAMETER => {
                let name = text(&take_prefixed(&mut body)?)?;
                Ok(Self::SetParameter { name, value: body })
            }
            KIND_ALLOCATE_NODE => Ok(Self::AllocateNode),
            KIND_NAME_CLUSTER => Ok(Self::NameCluster(text(&body)?)),
            other => Err(EntryError::UnknownKind(other)),
        }
    }
}

/// All that one log entry does, with the frozen inputs that make it deterministic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupEntry {
    /// The leader's clock, Unix milliseconds.
    pub now_ms: u64,
    /// Feeds every random choice of the entry.
    pub seed: u64,
    /// What to do.
    pub items: Vec<Item>,
}

/// Bytes in the log that are no group entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EntryError {
    #[error("entry is cut off")]
    Truncated,
    #[error("entry has version {0}; a newer version of the program wrote it")]
    UnknownVersion(u8),
    #[error("entry holds an item of unknown kind {0}; a newer version of the program wrote it")]
    UnknownKind(u8),
    #[error("entry holds a damaged {0}")]
    Damaged(&'static str),
}

impl GroupEntry {
    pub(crate) fn encode(&self) -> Bytes {
        let items: usize = self.items.iter().map(Item::encoded_bytes).sum();
        let mut out = BytesMut::with_capacity(HEADER_BYTES + items);
        out.put_u8(GROUP_ENTRY_VERSION);
        out.put_u64_le(self.now_ms);
        out.put_u64_le(self.seed);
        out.put_u32_le(self.items.len() as u32);
        for item in &self.items {
            item.encode(&mut out);
        }
        out.freeze()
    }

    /// Items are slices of `bytes`.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, EntryError> {
        let mut rest = bytes.clone();
        let mut header = take(&mut rest, HEADER_BYTES)?;
        let version = header.get_u8();
        if version != GROUP_ENTRY_VERSION {
            return Err(EntryError::UnknownVersion(version));
        }
        let (now_ms, seed) = (header.get_u64_le(), header.get_u64_le());
        let count = header.get_u32_le() as usize;
        // Every item has a header, so a count that cannot fit never reserves memory.
        let mut items = Vec::with_capacity(count.min(rest.len() / ITEM_HEADER_BYTES));
        for _ in 0..count {
            let kind = take(&mut rest, 1)?[0];
            items.push(Item::decode(kind, take_prefixed(&mut rest)?)?);
        }
        if rest.is_empty() {
            Ok(Self { now_ms, seed, items })
        } else {
            Err(EntryError::Damaged("end"))
        }
    }
}

fn take(rest: &mut Bytes, length: usize) -> Result<Bytes, EntryError> {
    if rest.len() < length {
        return Err(EntryError::Truncated);
    }
    Ok(rest.split_to(length))
}

fn take_prefixed(rest: &mut Bytes) -> Result<Bytes, EntryError> {
    let length = take(rest, 4)?.get_u32_le() as usize;
    take(rest, length)
}

fn text(bytes: &Bytes) -> Result<String, EntryError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| EntryError::Damaged("text"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sample() -> GroupEntry {
        GroupEntry {
            now_ms: 1_700_000_000_123,
            seed: 42,
            items: vec![
                Item::Request(Bytes::from_static(b"units")),
                Item::Expire {
                    database: DatabaseId(3),
                    keys: vec![Bytes::from_static(b"a"), Bytes::new()],
                },
                Item::Evict { database: DatabaseId(0), keys: vec![Bytes::from_static(b"b")] },
                Item::SetParameter { name: "maxmemory".into(), value: Bytes::from_static(b"1") },
                Item::AllocateNode,
                Item::NameCluster("0123".into()),
            ],
        }
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        assert_eq!(GroupEntry::decode(&sample().encode()).unwrap(), sample());
    }

    #[test]
    fn every_cut_of_an_entry_is_an_error() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert!(GroupEntry::decode(&bytes.slice(..length)).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn an_unknown_kind_is_an_error_and_not_skipped() {
        let mut bytes = sample().encode().to_vec();
        bytes[HEADER_BYTES] = 99;
        let result = GroupEntry::decode(&Bytes::from(bytes));
        assert_eq!(result, Err(EntryError::UnknownKind(99)));
    }
}
