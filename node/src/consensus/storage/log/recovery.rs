//! What a start finds. Frames are read in order and checked; each was flushed before the next was
//! written, so a bad frame with a valid one after it is damage, and so is one that the mark calls
//! flushed: the start is refused. Any other bad frame is one that was never acknowledged, or was
//! acknowledged within the last second before the power went, and is cut off.
//!
//! Nothing that was found counts before [`Shared::secure`] has written the last frame again: the
//! flush of the process before may have failed, and then the kernel shows a frame that is not on
//! the disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use memchr::memmem;

use super::format::{
    FRAME_HEADER_BYTES, FRAME_MAGIC, FRAMES_AT, Frame, ITEM_HEADER_BYTES, Item, ItemHeader,
    SegmentHeader, entry_position,
};
use super::index::{Index, MarkerPolicy};
use super::mark::{Flushed, Mark};
use super::options::LogError;
use super::record::{LogPosition, LogState, Record};
use super::segment::Segment;
use super::shared::{SegmentFile, Shared, Spare, is_full};
use super::space::{is_unfinished, segment_number, spare_number};
use super::writer::replay;
use crate::base::seeded::{Bug, seeded};

/// What the segment files hold.
pub(super) struct Recovered {
    pub(super) state: LogState,
    pub(super) index: Index,
    pub(super) files: BTreeMap<u64, SegmentFile>,
    pub(super) segment: Segment,
    pub(super) next_sequence: u64,
    pub(super) mark: Option<Mark>,
    /// The end of the last segment that may not have reached the disk, and where it begins.
    unconfirmed: (u64, Vec<u8>),
}

impl Recovered {
    /// A log without an entry.
    pub(super) fn empty(
        segment: Segment,
        files: BTreeMap<u64, SegmentFile>,
        mark: Option<Mark>,
    ) -> Self {
        Self {
            state: LogState::default(),
            index: Index::default(),
            files,
            segment,
            next_sequence: 1,
            mark,
            unconfirmed: (0, Vec::new()),
        }
    }
}

impl Shared {
    /// Reads the whole log; `None` when there is none yet. Nothing of it counts before
    /// [`Shared::secure`].
    pub(super) fn recover(&self) -> Result<Option<Recovered>, LogError> {
        let segments = self.sort_files()?;
        let mark = Mark::open(&*self.disk, &self.directory, self.options.group)
            .map_err(LogError::disk("read the mark in", &self.directory))?;
        let flushed = mark.as_ref().and_then(Mark::flushed);
        let mut replay = Replay::default();
        let mut files = BTreeMap::new();
        let mut current = None;
        let mut buffer = Vec::new();
        for (position, (number, path)) in segments.iter().enumerate() {
            if position as u64 != number - segments[0].0 {
                return Err(corrupt(path, 0, "the segment before it is missing"));
            }
            let file = self.disk.open(path).map_err(LogError::disk("open", path))?;
            let bytes = file.length().map_err(LogError::disk("read", path))?;
            buffer.resize(usize::try_from(bytes).unwrap_or(usize::MAX), 0);
            file.read_exact_at(&mut buffer, 0).map_err(LogError::disk("read", path))?;
            let header = self.check_header(&buffer, *number, path)?;
            let tail = replay.segment(&header, &buffer, path)?;
            // Only the very first segment, and one begun just before the end, have no frame.
            let may_be_empty = position + 1 == segments.len() && (position > 0 || *number == 1);
            if tail == FRAMES_AT && !may_be_empty {
                return Err(corrupt(path, tail, "the first frame cannot be read"));
            }
            files.insert(*number, SegmentFile { path: path.clone(), file: file.clone(), bytes });
            current = Some(Segment { number: *number, salt: header.salt, file, bytes, tail });
        }
        let (Some(segment), Some((_, first_path))) = (current, segments.first()) else {
            return match flushed {
                Some(_) => Err(corrupt(&self.directory, 0, "every segment is missing")),
                None => Ok(None),
            };
        };
        replay.check_complete(first_path)?;
        replay.check_flushed(flushed, segment.number)?;
        // Without a mark an older version may have trusted what it found here before.
        let from = flushed.map_or(0, |_| replay.last_frame);
        let tail = &buffer[to_usize(from)..to_usize(segment.tail)];
        let unconfirmed = (from, tail.to_vec());
        let next_sequence = replay.next_sequence.unwrap_or(0);
        let Replay { state, index, .. } = replay;
        Ok(Some(Recovered { state, index, files, segment, next_sequence, mark, unconfirmed }))
    }

    /// Makes durable what was found, and marks it so.
    pub(super) fn secure(&self, recovered: &mut Recovered) -> Result<(), LogError> {
        let directory = self.directory.as_path();
        let (from, bytes) = std::mem::take(&mut recovered.unconfirmed);
        let segment = &recovered.segment;
        // A process that was killed may have left what was never flushed, and one whose flush
        // failed what no flush writes again unless it is written again.
        if !seeded(Bug::TrustPageCache) {
            let written = segment.file.write_all_at(&bytes, from);
            written.map_err(LogError::disk("write the end of the log again in", directory))?;
        }
        segment.file.sync_data().map_err(LogError::disk("flush the last segment in", directory))?;
        self.disk.sync_directory(directory).map_err(LogError::disk("flush", directory))?;
        let Some(last) = recovered.next_sequence.checked_sub(1) else { return Ok(()) };
        let flushed = Flushed { sequence: last, segment: segment.number, end: segment.tail };
        match self.move_mark(&mut recovered.mark, flushed) {
            Err(error) if !is_full(&error) => {
                Err(LogError::disk("write the mark in", directory)(error))
            }
            _ => Ok(()),
        }
    }

    /// Notes the last frame that is flushed. On a full disk the mark stays where it was.
    pub(super) fn move_mark(&self, mark: &mut Option<Mark>, flushed: Flushed) -> io::Result<()> {
        if seeded(Bug::TornTailHidesDamage) {
            return Ok(());
        }
        let mark = match mark {
            Some(mark) => mark,
            None => mark.insert(Mark::create(&*self.disk, &self.directory, self.options.group)?),
        };
        mark.write(flushed)
    }

    fn check_header(
        &self,
        bytes: &[u8],
        number: u64,
        path: &Path,
    ) -> Result<SegmentHeader, LogError> {
        let header = SegmentHeader::decode(bytes).map_err(|reason| corrupt(path, 0, reason))?;
        if header.group != self.options.group {
            return Err(corrupt(path, 0, "the segment belongs to another group"));
        }
        if header.number != number {
            return Err(corrupt(path, 0, "the segment was renamed"));
        }
        Ok(header)
    }

    /// Segments in order; empty files become spares, unfinished ones go.
    fn sort_files(&self) -> Result<Vec<(u64, PathBuf)>, LogError> {
        let directory = &self.directory;
        let paths = self.disk.list(directory).map_err(LogError::disk("list", directory))?;
        let mut segments = Vec::new();
        let mut space = self.space.lock();
        for path in paths {
            if let Some(number) = segment_number(&path) {
                segments.push((number, path));
            } else if is_unfinished(&path) {
                self.disk.remove(&path).map_err(LogError::disk("remove", &path))?;
            } else if let Some(number) = spare_number(&path) {
                space.next_spare = space.next_spare.max(number + 1);
                let file = self.disk.open(&path).map_err(LogError::disk("open", &path))?;
                let bytes = file.length().map_err(LogError::disk("read", &path))?;
                if bytes == self.options.segment_bytes {
                    space.spares.push(Spare { path, bytes });
                } else {
                    self.disk.remove(&path).map_err(LogError::disk("remove", &path))?;
                }
            }
        }
        segments.sort();
        Ok(segments)
    }
}

fn corrupt(path: &Path, offset: u64, reason: impl Into<String>) -> LogError {
    LogError::Corrupt { path: path.to_owned(), offset, reason: reason.into() }
}

#[derive(Default)]
struct Replay {
    state: LogState,
    index: Index,
    policy: MarkerPolicy,
    next_sequence: Option<u64>,
    /// The highest entry that the oldest segment found says is live, and that stood before it.
    unseen: Option<u64>,
    /// Where the frames of the segment before ended.
    end: Option<(PathBuf, u64)>,
    /// Where the last frame of this segment begins; 0 before the first one.
    last_frame: u64,
}

impl Replay {
    /// Replays the frames of one segment; where they end.
    fn segment(
        &mut self,
        header: &SegmentHeader,
        bytes: &[u8],
        path: &Path,
    ) -> Result<u64, LogError> {
        let mut at = to_usize(FRAMES_AT);
        self.last_frame = 0;
        while let Some(frame) = Frame::decode(bytes.get(at..).unwrap_or_default(), header.salt) {
            let fresh = at == to_usize(FRAMES_AT);
            self.check_sequence(&frame, fresh, path, at)?;
            self.items(&frame, header.number, at, fresh)
                .map_err(|reason| corrupt(path, at as u64, reason))?;
            self.last_frame = at as u64;
            at += frame.bytes();
        }
        if let Some(later) = find_frame(bytes, at + 1, header.salt) {
            let reason = format!("the frame is damaged, but a later one at byte {later} is whole");
            return Err(corrupt(path, at as u64, reason));
        }
        self.end = Some((path.to_owned(), at as u64));
        report_cut(bytes, at, header.salt, path);
        Ok(at as u64)
    }

    fn check_sequence(
        &mut self,
        frame: &Frame<'_>,
        fresh: bool,
        path: &Path,
        at: usize,
    ) -> Result<(), LogError> {
        let expected = self.next_sequence.unwrap_or(frame.sequence);
        let next = frame.sequence.checked_add(1);
        self.next_sequence = Some(next.ok_or_else(|| {
            corrupt(path, at as u64, "the frame has a number that no frame can have")
        })?);
        if frame.sequence == expected {
            return Ok(());
        }
        let reason = format!("frame {expected} is missing, frame {} follows", frame.sequence);
        Err(match &self.end {
            Some((before, end)) if fresh => corrupt(before, *end, reason),
            _ => corrupt(path, at as u64, reason),
        })
    }

    fn items(
        &mut self,
        frame: &Frame<'_>,
        segment: u64,
        frame_at: usize,
        fresh: bool,
    ) -> Result<(), String> {
        let mut rest = frame.items;
        let mut offset = frame_at + FRAME_HEADER_BYTES;
        if fresh {
            self.policy.interrupt();
        }
        let mut is_first = fresh;
        while !rest.is_empty() {
            let header = ItemHeader::decode(rest).ok_or("an item is cut short")?;
            let body = rest
                .get(ITEM_HEADER_BYTES..ITEM_HEADER_BYTES + header.length)
                .ok_or("an item is cut short")?;
            // The payload is left alone: the frame's checksum covers it.
            let item = match header.entry_payload_bytes() {
                Some(_) => entry_position(body)
                    .map(|position| Item::Entry(Record { position, payload: Bytes::new() })),
                None => Item::decode(header.kind, Bytes::copy_from_slice(body)),
            };
            let item = item.ok_or("an item makes no sense")?;
            if is_first != matches!(item, Item::Head(_)) {
                return Err("the head of the segment is not where it must be".to_owned());
            }
            self.item(&item, segment, offset as u64)?;
            is_first = false;
            rest = &rest[ITEM_HEADER_BYTES + header.length..];
            offset += ITEM_HEADER_BYTES + header.length;
        }
        Ok(())
    }

    fn item(&mut self, item: &Item, segment: u64, offset: u64) -> Result<(), String> {
        match item {
            Item::Head(head) if self.end.is_none() => {
                self.unseen = head.last.map(|last| last.index);
            }
            Item::Head(head) if *head != self.state => {
                return Err("the segment does not go on where the one before ended".to_owned());
            }
            Item::Entry(record) => self.check_entry(record.position)?,
            _ => {}
        }
        let change = replay(item, &mut self.state, &mut self.policy, segment, offset);
        if let Some(change) = change {
            self.index.apply(change);
        }
        if matches!(item, Item::Truncate(_)) {
            self.unseen = self.unseen.min(self.state.last.map(|last| last.index));
        }
        Ok(())
    }

    fn check_entry(&self, position: LogPosition) -> Result<(), String> {
        match self.state.last {
            Some(last) if position.index != last.index + 1 => {
                Err(format!("entry {} follows entry {}", position.index, last.index))
            }
            _ => Ok(()),
        }
    }

    /// Every frame that was flushed must have been found.
    fn check_flushed(&self, mark: Option<Flushed>, last_segment: u64) -> Result<(), LogError> {
        let (Some(mark), Some((path, end))) = (mark, &self.end) else { return Ok(()) };
        if self.next_sequence.is_some_and(|next| mark.sequence < next) {
            return Ok(());
        }
        let Flushed { sequence, segment, end: marked_end } = mark;
        Err(if segment > last_segment {
            corrupt(path, *end, format!("the segments after it up to {segment} are missing"))
        } else {
            let reason = format!(
                "frame {sequence}, which ends at byte {marked_end}, was flushed and cannot be read"
            );
            corrupt(path, *end, reason)
        })
    }

    /// Every live entry must be in the segments that were found.
    fn check_complete(&self, first: &Path) -> Result<(), LogError> {
        let purged = self.state.purged.map(|purged| purged.index);
        match self.unseen {
            Some(unseen) if Some(unseen) > purged => {
                let reason = format!("the segments with the entries up to {unseen} are missing");
                Err(corrupt(first, 0, reason))
            }
            _ => Ok(()),
        }
    }
}

/// A whole frame of this life of the file at `from` or later.
fn find_frame(bytes: &[u8], from: usize, salt: u64) -> Option<usize> {
    const SALT_AT: usize = 8;
    let area = bytes.get(from..)?;
    memmem::find_iter(area, &salt.to_le_bytes())
        .filter_map(|found| (from + found).checked_sub(SALT_AT))
        .find(|&start| start >= from && Frame::decode(&bytes[start..], salt).is_some())
}

/// Says what is cut off, if there is something: the rest of the file is zeros or of an earlier
/// life.
fn report_cut(bytes: &[u8], at: usize, salt: u64, path: &Path) {
    let Some(header) = bytes.get(at..at + FRAME_HEADER_BYTES) else { return };
    if header.starts_with(&FRAME_MAGIC.to_le_bytes()) && header[8..16] == salt.to_le_bytes() {
        let file = path.display();
        tracing::warn!(%file, offset = at, "cut off a frame that was not written to its end");
    }
}

fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "recovery_test.rs"]
mod tests;

#[cfg(test)]
#[path = "damage_test.rs"]
mod damage_tests;
