//! The bytes of a segment file.
//!
//! ```text
//! segment  header, padded to 4096 bytes | frame | frame | … | zeros, or frames of an earlier life
//! header   "IKVLOG" version:u16 | group:u32 | zero:u32 | number:u64 | salt:u64 | crc32c:u32
//! frame    magic:u32 | length:u32 | salt:u64 | sequence:u64 | crc32c:u32 | items of `length` bytes
//! item     kind:u32 | length:u32 | crc32c:u32 | body of `length` bytes
//! ```
//!
//! Numbers are little-endian. The salt is random for each life of a file, so that frames left over
//! in a recycled file, and bytes that a client put into a value, never pass for a frame.

use bytes::{Buf, BufMut, Bytes};

use super::record::{LogPosition, LogState, Record};
use crate::base::ids::GroupId;

/// Where frames begin: the header has a page of its own, which is never written again.
pub(super) const FRAMES_AT: u64 = 4096;
/// Bytes of a frame before its items.
pub(super) const FRAME_HEADER_BYTES: usize = 28;
/// Bytes of an item before its body.
pub(super) const ITEM_HEADER_BYTES: usize = 12;
/// First four bytes of a frame; larger than every item kind.
pub(super) const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"IKVF");

const POSITION_BYTES: usize = 24;
const SEGMENT_MAGIC: &[u8; 6] = b"IKVLOG";
const VERSION: u16 = 1;
const SEGMENT_HEADER_BYTES: usize = 36;

const HEAD: u32 = 1;
const ENTRY: u32 = 2;
const VOTE: u32 = 3;
const TRUNCATE: u32 = 4;
const PURGE: u32 = 5;
const COMMITTED: u32 = 6;

/// What identifies one life of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) group: GroupId,
    pub(super) number: u64,
    pub(super) salt: u64,
}

impl SegmentHeader {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(to_usize(FRAMES_AT));
        bytes.put_slice(SEGMENT_MAGIC);
        bytes.put_u16_le(VERSION);
        bytes.put_u32_le(self.group.0);
        bytes.put_u32_le(0);
        bytes.put_u64_le(self.number);
        bytes.put_u64_le(self.salt);
        bytes.put_u32_le(crc32c::crc32c(&bytes));
        bytes.resize(to_usize(FRAMES_AT), 0);
        bytes
    }

    /// The header at the start of `bytes`; an error names what is wrong with it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let page = bytes.get(..to_usize(FRAMES_AT)).ok_or("the file is too short")?;
        let mut fields = &page[..SEGMENT_HEADER_BYTES];
        let checked = &bytes[..SEGMENT_HEADER_BYTES - 4];
        if !fields.starts_with(SEGMENT_MAGIC) {
            return Err("this is not a log segment");
        }
        fields.advance(SEGMENT_MAGIC.len());
        let version = fields.get_u16_le();
        let group = GroupId(fields.get_u32_le());
        fields.advance(4);
        let (number, salt) = (fields.get_u64_le(), fields.get_u64_le());
        if fields.get_u32_le() != crc32c::crc32c(checked) {
            return Err("the checksum of the segment header does not match");
        }
        if version != VERSION {
            return Err("the segment was written by another version of the log format");
        }
        Ok(Self { group, number, salt })
    }
}

/// One thing that a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// All that came before, without the entries: first in every segment, so that earlier segments
    /// can go.
    Head(LogState),
    Entry(Record),
    Vote(Bytes),
    /// Entries after this one no longer count.
    Truncate(Option<LogPosition>),
    Purge(LogPosition),
    Committed(LogPosition),
}

impl Item {
    /// Bytes on the disk.
    pub(super) fn encoded_bytes(&self) -> usize {
        let option = |position: &Option<LogPosition>| 1 + position.map_or(0, |_| POSITION_BYTES);
        ITEM_HEADER_BYTES
            + match self {
                Self::Head(state) => {
                    let vote = 1 + state.vote.as_ref().map_or(0, |vote| 4 + vote.len());
                    option(&state.last) + option(&state.purged) + option(&state.committed) + vote
                }
                Self::Entry(record) => POSITION_BYTES + record.payload.len(),
                Self::Vote(vote) => vote.len(),
                Self::Truncate(last) => option(last),
                Self::Purge(_) | Self::Committed(_) => POSITION_BYTES,
            }
    }

    /// Appends the item.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.put_u32_le(self.kind());
        bytes.put_u32_le(to_u32(self.encoded_bytes() - ITEM_HEADER_BYTES));
        bytes.put_u32_le(0);
        let body = bytes.len();
        match self {
            Self::Head(state) => put_state(bytes, state),
            Self::Entry(record) => {
                put_position(bytes, record.position);
                bytes.put_slice(&record.payload);
            }
            Self::Vote(vote) => bytes.put_slice(vote),
            Self::Truncate(last) => put_option(bytes, *last),
            Self::Purge(position) | Self::Committed(position) => put_position(bytes, *position),
        }
        let crc = item_crc(&bytes[start..start + 8], &bytes[body..]);
        bytes[start + 8..start + 12].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a body whose checksum was checked; `None` when it makes no sense.
    pub(super) fn decode(kind: u32, body: Bytes) -> Option<Self> {
        let mut rest = &body[..];
        let item = match kind {
            HEAD => Self::Head(get_state(&mut rest)?),
            ENTRY => {
                let position = get_position(&mut rest)?;
                let payload = body.slice(POSITION_BYTES..);
                return Some(Self::Entry(Record { position, payload }));
            }
            VOTE => return Some(Self::Vote(body)),
            TRUNCATE => Self::Truncate(get_option(&mut rest)?),
            PURGE => Self::Purge(get_position(&mut rest)?),
            COMMITTED => Self::Committed(get_position(&mut rest)?),
            _ => return None,
        };
        rest.is_empty().then_some(item)
    }

    const fn kind(&self) -> u32 {
        match self {
            Self::Head(_) => HEAD,
            Self::Entry(_) => ENTRY,
            Self::Vote(_) => VOTE,
            Self::Truncate(_) => TRUNCATE,
            Self::Purge(_) => PURGE,
            Self::Committed(_) => COMMITTED,
        }
    }
}

/// The first bytes of an item.
#[derive(Debug, Clone, Copy)]
pub(super) struct ItemHeader {
    pub(super) kind: u32,
    pub(super) length: usize,
    crc: u32,
}

impl ItemHeader {
    /// Reads a header from exactly [`ITEM_HEADER_BYTES`] bytes.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() < ITEM_HEADER_BYTES {
            return None;
        }
        let (kind, length, crc) = (bytes.get_u32_le(), bytes.get_u32_le(), bytes.get_u32_le());
        Some(Self { kind, length: usize::try_from(length).ok()?, crc })
    }

    /// Whether the body is the one that was written.
    pub(super) fn matches(&self, body: &[u8]) -> bool {
        let mut start = [0; 8];
        start[..4].copy_from_slice(&self.kind.to_le_bytes());
        start[4..].copy_from_slice(&to_u32(self.length).to_le_bytes());
        body.len() == self.length && item_crc(&start, body) == self.crc
    }

    /// Whether it is an entry, and then how many bytes are payload.
    pub(super) fn entry_payload_bytes(&self) -> Option<usize> {
        (self.kind == ENTRY).then(|| self.length.checked_sub(POSITION_BYTES)).flatten()
    }
}

/// The position at the start of an entry's body.
pub(super) fn entry_position(mut body: &[u8]) -> Option<LogPosition> {
    get_position(&mut body)
}

/// Reserves the header of a frame at the end of `bytes`.
pub(super) fn begin_frame(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len() + FRAME_HEADER_BYTES, 0);
}

/// Fills in the header of the one frame that `frame` is.
pub(super) fn end_frame(frame: &mut [u8], salt: u64, sequence: u64) {
    let length = to_u32(frame.len() - FRAME_HEADER_BYTES);
    let (mut header, items) = frame.split_at_mut(FRAME_HEADER_BYTES);
    header.put_u32_le(FRAME_MAGIC);
    header.put_u32_le(length);
    header.put_u64_le(salt);
    header.put_u64_le(sequence);
    let crc = frame_crc(length, salt, sequence, items);
    header.put_u32_le(crc);
}

/// A whole frame whose checksum matches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    pub(super) items: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`, if there is a whole one with this salt.
    pub(super) fn decode(bytes: &'a [u8], salt: u64) -> Option<Self> {
        let mut header = bytes.get(..FRAME_HEADER_BYTES)?;
        if header.get_u32_le() != FRAME_MAGIC {
            return None;
        }
        let length = header.get_u32_le();
        if header.get_u64_le() != salt {
            return None;
        }
        let (sequence, crc) = (header.get_u64_le(), header.get_u32_le());
        let end = FRAME_HEADER_BYTES.checked_add(usize::try_from(length).ok()?)?;
        let items = bytes.get(FRAME_HEADER_BYTES..end)?;
        (frame_crc(length, salt, sequence, items) == crc).then_some(Self { sequence, items })
    }

    /// Bytes on the disk.
    pub(super) const fn bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.items.len()
    }
}

fn frame_crc(length: u32, salt: u64, sequence: u64, items: &[u8]) -> u32 {
    let mut start = [0; 20];
    start[..4].copy_from_slice(&length.to_le_bytes());
    start[4..12].copy_from_slice(&salt.to_le_bytes());
    start[12..].copy_from_slice(&sequence.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&start), items)
}

fn item_crc(start: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(start), body)
}

fn put_position(bytes: &mut Vec<u8>, position: LogPosition) {
    bytes.put_u64_le(position.index);
    bytes.put_u64_le(position.term);
    bytes.put_u64_le(position.leader);
}

fn get_position(bytes: &mut &[u8]) -> Option<LogPosition> {
    let position = LogPosition {
        index: bytes.try_get_u64_le().ok()?,
        term: bytes.try_get_u64_le().ok()?,
        leader: bytes.try_get_u64_le().ok()?,
    };
    // Every entry has one after it, so that nobody who counts on need look out.
    (position.index < u64::MAX).then_some(position)
}

fn put_option(bytes: &mut Vec<u8>, position: Option<LogPosition>) {
    bytes.put_u8(u8::from(position.is_some()));
    if let Some(position) = position {
        put_position(bytes, position);
    }
}

fn get_option(bytes: &mut &[u8]) -> Option<Option<LogPosition>> {
    match bytes.try_get_u8().ok()? {
        0 => Some(None),
        1 => get_position(bytes).map(Some),
        _ => None,
    }
}

fn put_state(bytes: &mut Vec<u8>, state: &LogState) {
    put_option(bytes, state.last);
    put_option(bytes, state.purged);
    put_option(bytes, state.committed);
    bytes.put_u8(u8::from(state.vote.is_some()));
    if let Some(vote) = &state.vote {
        bytes.put_u32_le(to_u32(vote.len()));
        bytes.put_slice(vote);
    }
}

fn get_state(bytes: &mut &[u8]) -> Option<LogState> {
    let (last, purged, committed) = (get_option(bytes)?, get_option(bytes)?, get_option(bytes)?);
    let vote = match bytes.try_get_u8().ok()? {
        0 => None,
        1 => {
            let length = usize::try_from(bytes.try_get_u32_le().ok()?).ok()?;
            let vote = bytes.get(..length)?;
            bytes.advance(length);
            Some(Bytes::copy_from_slice(vote))
        }
        _ => return None,
    };
    Some(LogState { last, purged, vote, committed })
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).expect("entries are bounded by ENTRY_BYTES_MAX and frames by flush_bytes")
}

fn to_usize(value: u64) -> usize {
    usize::try_from(value).expect("64-bit machines only")
}

#[cfg(test)]
#[path = "format_test.rs"]
mod tests;
