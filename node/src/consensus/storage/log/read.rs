//! Reading entries: from the ring, and below it from the segment files, where every entry's
//! checksum is checked.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::format::{
    FRAME_HEADER_BYTES, FRAME_MAGIC, ITEM_HEADER_BYTES, ItemHeader, entry_position,
};
use super::index::Span;
use super::record::Record;
use super::shared::{SegmentFile, Shared};
use crate::base::disk::DiskFile;

/// Read from a file at once, so that small entries do not cost a system call each.
const READ_BYTES: usize = 128 << 10;

enum Source {
    Ring(Vec<Record>),
    File { span: Span, segment: SegmentFile },
    Nothing,
}

impl Shared {
    /// See [`super::Log::read`].
    pub(super) fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut next = range.start;
        let mut bytes = 0;
        while next < range.end && (bytes < bytes_max || records.is_empty()) {
            let found = match self.locate(&(next..range.end), bytes_max - bytes.min(bytes_max))? {
                Source::Nothing => break,
                Source::Ring(found) => found,
                Source::File { span, segment } => {
                    let wanted = next..span.until.min(range.end);
                    match scan(&segment, &span, wanted, bytes_max - bytes.min(bytes_max)) {
                        Ok(found) => found,
                        // The segment may have become free, and used again, while it was read.
                        Err(_) if !self.is_at(next, &span)? => break,
                        Err(error) => {
                            self.fail(&error);
                            return Err(error);
                        }
                    }
                }
            };
            let Some(last) = found.last() else { break };
            next = last.position.index + 1;
            let found_bytes = found.iter().map(|record| record.payload.len()).sum::<usize>();
            // The first of a source is given whatever its size, but only once for each call.
            if bytes > 0 && bytes + found_bytes > bytes_max {
                break;
            }
            bytes += found_bytes;
            records.extend(found);
        }
        Ok(records)
    }

    /// What [`Shared::read`] would answer, if that takes no file.
    pub(super) fn read_in_memory(
        &self,
        range: &Range<u64>,
        bytes_max: usize,
    ) -> io::Result<Option<Vec<Record>>> {
        if range.is_empty() {
            return Ok(Some(Vec::new()));
        }
        Ok(match self.locate(range, bytes_max)? {
            Source::Nothing => Some(Vec::new()),
            Source::Ring(found) => Some(found),
            Source::File { .. } => None,
        })
    }

    fn locate(&self, range: &Range<u64>, bytes_max: usize) -> io::Result<Source> {
        let memory = self.memory.lock();
        let Some(first) = memory.state.first_index() else {
            drop(memory);
            return self.refuse_purged(range.start).map(|()| Source::Nothing);
        };
        let last = memory.state.last.map_or(0, |last| last.index);
        if range.start > last {
            return Ok(Source::Nothing);
        }
        if range.start < first && memory.state.purged.is_some() {
            return Err(purged(range.start));
        }
        if memory.ring.first_index().is_some_and(|in_ring| in_ring <= range.start) {
            return Ok(Source::Ring(memory.ring.read(range, bytes_max)));
        }
        let in_ring = memory.ring.first_index().unwrap_or(last + 1);
        let Some(mut span) = memory.index.find(range.start) else {
            return Ok(Source::Nothing);
        };
        span.until = span.until.min(in_ring);
        let segment =
            memory.files.get(&span.segment).cloned().ok_or_else(|| {
                io::Error::other(format!("log segment {} is not open", span.segment))
            })?;
        Ok(Source::File { span, segment })
    }

    fn is_at(&self, index: u64, span: &Span) -> io::Result<bool> {
        let found = self.locate(&(index..index + 1), 0)?;
        Ok(matches!(found, Source::File { span: now, .. }
            if (now.segment, now.offset) == (span.segment, span.offset)))
    }

    fn refuse_purged(&self, index: u64) -> io::Result<()> {
        let purged_up_to = self.memory.lock().state.purged;
        match purged_up_to {
            Some(position) if index <= position.index => Err(purged(index)),
            _ => Ok(()),
        }
    }
}

fn purged(index: u64) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("log entry {index} was purged"))
}

/// Reads the entries of `wanted` from one span.
fn scan(
    segment: &SegmentFile,
    span: &Span,
    wanted: Range<u64>,
    bytes_max: usize,
) -> io::Result<Vec<Record>> {
    let mut window = Window::new(Arc::clone(&segment.file), span.offset);
    let damaged = |offset: u64| {
        let path = segment.path.display();
        let text = format!("log segment {path} is damaged at byte {offset}: this node must stop");
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    let mut records: Vec<Record> = Vec::new();
    let mut bytes = 0;
    while records.last().is_none_or(|record| record.position.index + 1 < wanted.end) {
        let at = window.offset;
        let header = window.peek(ITEM_HEADER_BYTES)?;
        if header.starts_with(&FRAME_MAGIC.to_le_bytes()) {
            window.take(FRAME_HEADER_BYTES)?;
            continue;
        }
        let header = ItemHeader::decode(header).ok_or_else(|| damaged(at))?;
        let remaining = segment.bytes.saturating_sub(at + ITEM_HEADER_BYTES as u64);
        if header.length as u64 > remaining {
            return Err(damaged(at));
        }
        let payload_bytes = header.entry_payload_bytes().unwrap_or(0);
        if !records.is_empty() && bytes + payload_bytes > bytes_max {
            break;
        }
        window.take(ITEM_HEADER_BYTES)?;
        let body = window.take(header.length)?;
        if !header.matches(&body) {
            return Err(damaged(at));
        }
        if header.entry_payload_bytes().is_none() {
            continue;
        }
        let position = entry_position(&body).ok_or_else(|| damaged(at))?;
        if position.index < wanted.start {
            continue;
        }
        if position.index != wanted.start + records.len() as u64 {
            return Err(damaged(at));
        }
        bytes += payload_bytes;
        records.push(Record { position, payload: body.slice(body.len() - payload_bytes..) });
    }
    Ok(records)
}

/// Reads a file on from an offset.
struct Window {
    file: Arc<dyn DiskFile>,
    /// Of the next byte to take.
    offset: u64,
    buffered: Bytes,
}

impl Window {
    const fn new(file: Arc<dyn DiskFile>, offset: u64) -> Self {
        Self { file, offset, buffered: Bytes::new() }
    }

    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        self.fill(count)?;
        Ok(&self.buffered[..count])
    }

    fn take(&mut self, count: usize) -> io::Result<Bytes> {
        self.fill(count)?;
        self.offset += count as u64;
        Ok(self.buffered.split_to(count))
    }

    fn fill(&mut self, count: usize) -> io::Result<()> {
        if self.buffered.len() >= count {
            return Ok(());
        }
        let mut bytes = BytesMut::zeroed(count.max(READ_BYTES));
        let held = self.buffered.len();
        bytes[..held].copy_from_slice(&self.buffered);
        let mut filled = held;
        while filled < count {
            match self.file.read_at(&mut bytes[filled..], self.offset + filled as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        self.buffered = bytes.freeze();
        Ok(())
    }
}
