//! What a log entry holds, as versioned bytes. Written by the leader, read by every replica, so
//! every length is checked and an unknown kind is an error, never skipped.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::pieces::Piece;
use crate::base::feature_level::FeatureLevel;
use crate::base::ids::{DatabaseId, NodeId};
use crate::base::limits::DATABASES;
use crate::data::keyspace::Settings;

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
const KIND_RAISE_LEVEL: u8 = 7;
const KIND_PIECE: u8 = 8;
const KIND_SET_PARAMETERS: u8 = 10;
const KIND_RESET_TIME: u8 = 11;
const KIND_REGISTER: u8 = 9;

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
    /// Several of them: all are set, or none.
    SetParameters(Vec<(String, Bytes)>),
    /// Reserves the next node id.
    AllocateNode,
    /// The identity of the cluster; the first entry of a new one.
    NameCluster(String),
    /// From here on the cluster runs at this feature level, or at a higher one that it has.
    RaiseLevel(FeatureLevel),
    /// A part of a request that is too long for one entry. The last one executes it.
    Piece(Piece),
    /// The time of the log goes back to this, Unix milliseconds.
    ResetTime(u64),
    /// From here on this is the incarnation of a member, if the one registered at `replaces` (0 for
    /// none) was in force.
    Register { node: NodeId, incarnation: u64, replaces: u64 },
}

impl Item {
    /// The feature level at which every member understands this item. An item that is put into the
    /// log earlier ends the members that do not; `Shared::queue_item` refuses it.
    pub(crate) fn needs_level(&self) -> FeatureLevel {
        match self {
            // The commands of a request have levels of their own, see `Request::needs_level`.
            Self::Request(_)
            | Self::Expire { .. }
            | Self::Evict { .. }
            | Self::AllocateNode
            | Self::NameCluster(_) => FeatureLevel::FIRST,
            Self::SetParameter { name, .. } => Settings::needs_level(name),
            Self::SetParameters(parameters) => {
                let levels = parameters.iter().map(|(name, _)| Settings::needs_level(name));
                levels.fold(FeatureLevel::SECOND, FeatureLevel::max)
            }
            Self::Register { .. } => FeatureLevel::SECOND,
            // Held against what every member reports instead, see `feature_level.rs`: it is what
            // ends the level before.
            Self::RaiseLevel(_) => FeatureLevel::FIRST,
            Self::ResetTime(_) => FeatureLevel::SECOND,
            Self::Piece(_) => FeatureLevel::SECOND,
        }
    }

    /// Whether it is refused while the disk is full: clients ask for it, and it frees nothing.
    pub(crate) const fn grows_log(&self) -> bool {
        match self {
            Self::Request(_) => true,
            Self::Piece(piece) => piece.grows(),
            _ => false,
        }
    }

    /// What a refusal calls it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Request(_) | Self::Piece(_) => "this command",
            Self::SetParameter { .. } => "this parameter",
            Self::SetParameters(_) => "setting several parameters at once",
            Self::Expire { .. }
            | Self::Evict { .. }
            | Self::AllocateNode
            | Self::NameCluster(_)
            | Self::RaiseLevel(_)
            | Self::ResetTime(_)
            | Self::Register { .. } => "this operation",
        }
    }

    /// Bytes in an entry.
    pub(crate) fn encoded_bytes(&self) -> usize {
        let body = match self {
            Self::Request(bytes) => bytes.len(),
            Self::Expire { keys, .. } | Self::Evict { keys, .. } => {
                1 + keys.iter().map(|key| key.len() + 4).sum::<usize>()
            }
            Self::SetParameter { name, value } => 4 + name.len() + value.len(),
            Self::SetParameters(parameters) => {
                parameters.iter().map(|(name, value)| 8 + name.len() + value.len()).sum()
            }
            Self::AllocateNode => 0,
            Self::NameCluster(name) => name.len(),
            Self::RaiseLevel(_) => 4,
            Self::Piece(piece) => piece.encoded_bytes(),
            Self::ResetTime(_) => 8,
            Self::Register { .. } => 3 * 8,
        };
        ITEM_HEADER_BYTES + body
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Request(_) => KIND_REQUEST,
            Self::Expire { .. } => KIND_EXPIRE,
            Self::Evict { .. } => KIND_EVICT,
            Self::SetParameter { .. } => KIND_SET_PARAMETER,
            Self::SetParameters(_) => KIND_SET_PARAMETERS,
            Self::AllocateNode => KIND_ALLOCATE_NODE,
            Self::NameCluster(_) => KIND_NAME_CLUSTER,
            Self::RaiseLevel(_) => KIND_RAISE_LEVEL,
            Self::Piece(_) => KIND_PIECE,
            Self::ResetTime(_) => KIND_RESET_TIME,
            Self::Register { .. } => KIND_REGISTER,
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
            Self::SetParameters(parameters) => {
                for part in parameters.iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
                    out.put_u32_le(part.len() as u32);
                    out.put_slice(part);
                }
            }
            Self::AllocateNode => {}
            Self::NameCluster(name) => out.put_slice(name.as_bytes()),
            Self::RaiseLevel(level) => out.put_u32_le(level.0),
            Self::Piece(piece) => piece.encode(out),
            Self::ResetTime(to_ms) => out.put_u64_le(*to_ms),
            Self::Register { node, incarnation, replaces } => {
                [node.0, *incarnation, *replaces]
                    .into_iter()
                    .for_each(|number| out.put_u64_le(number));
            }
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
            KIND_SET_PARAMETERS => {
                let mut parameters = Vec::new();
                while !body.is_empty() {
                    let name = text(&take_prefixed(&mut body)?)?;
                    parameters.push((name, take_prefixed(&mut body)?));
                }
                Ok(Self::SetParameters(parameters))
            }
            KIND_ALLOCATE_NODE => Ok(Self::AllocateNode),
            KIND_NAME_CLUSTER => Ok(Self::NameCluster(text(&body)?)),
            KIND_RAISE_LEVEL => {
                let level = FeatureLevel(take(&mut body, 4)?.get_u32_le());
                if body.is_empty() {
                    Ok(Self::RaiseLevel(level))
                } else {
                    Err(EntryError::Damaged("feature level"))
                }
            }
            KIND_PIECE => Piece::decode(body).map(Self::Piece).ok_or(EntryError::Damaged("piece")),
            KIND_RESET_TIME => match body.len() {
                8 => Ok(Self::ResetTime(body.get_u64_le())),
                _ => Err(EntryError::Damaged("time")),
            },
            KIND_REGISTER => {
                let mut numbers = take(&mut body, 3 * 8)?;
                let node = NodeId(numbers.get_u64_le());
                let (incarnation, replaces) = (numbers.get_u64_le(), numbers.get_u64_le());
                if body.is_empty() {
                    Ok(Self::Register { node, incarnation, replaces })
                } else {
                    Err(EntryError::Damaged("incarnation"))
                }
            }
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

    /// Whether these bytes are an entry without items, see `digests.rs`.
    pub(crate) fn is_empty(bytes: &Bytes) -> bool {
        bytes.len() == HEADER_BYTES && bytes.ends_with(&[0; 4])
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
                Item::RaiseLevel(FeatureLevel::SECOND),
                Item::Piece(Piece {
                    transfer: 1,
                    offset: 2,
                    total: 9,
                    bytes: Bytes::from_static(b"part"),
                }),
                Item::SetParameters(vec![
                    ("maxmemory".into(), Bytes::from_static(b"2")),
                    ("maxmemory-policy".into(), Bytes::new()),
                ]),
                Item::ResetTime(1_600_000_000_000),
                Item::Register { node: NodeId(2), incarnation: u64::MAX, replaces: 7 },
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
