//! Which frame is known to be flushed, kept outside of the segments. Every frame is flushed before
//! the next one is written, so only the last frame of a log can be unfinished; without more
//! knowledge, damage to it looks like a write that a power cut left halfway. The mark is written
//! when the log has been idle for [`MARK_AFTER`], at an orderly stop and at every start: up to it a
//! frame that does not check is damage, above it a torn tail.
//!
//! ```text
//! file   two slots of 4096 bytes, written in turn: a write that is torn leaves the other one
//! slot   "IKVMRK" version:u16 | group:u32 | zero:u32
//!        | count:u64 | sequence:u64 | segment:u64 | end:u64 | crc32c:u32
//! ```
//!
//! It stands in a file of its own, because a disk loses whole sectors, and what stands beside the
//! last frame would go with it. Version 0.1.0 does not look at this file and leaves it as it is,
//! which is safe: a mark is never ahead of what was flushed.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut};

use crate::base::disk::{Disk, DiskFile};
use crate::base::ids::GroupId;

/// The log is idle for this long before the mark follows: short, because damage within it is not
/// told from a torn tail, and long enough that a mark never costs more than one flush a second.
pub(super) const MARK_AFTER: Duration = Duration::from_secs(1);

const NAME: &str = "flushed";
const MAGIC: &[u8; 6] = b"IKVMRK";
const VERSION: u16 = 1;
const SLOT_BYTES: usize = 4096;
const CHECKED_BYTES: usize = 48;

/// The last frame that is known to be flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flushed {
    /// Of the frame.
    pub(super) sequence: u64,
    /// Number of its segment.
    pub(super) segment: u64,
    /// Where it ends there, in bytes.
    pub(super) end: u64,
}

/// The open file of the mark.
#[derive(Debug)]
pub(super) struct Mark {
    file: Arc<dyn DiskFile>,
    group: GroupId,
    /// Marks written so far; picks the slot.
    count: u64,
    written: Option<Flushed>,
}

impl Mark {
    /// The mark in `directory`, if there is one.
    pub(super) fn open(
        disk: &dyn Disk,
        directory: &Path,
        group: GroupId,
    ) -> io::Result<Option<Self>> {
        let file = match disk.open(&directory.join(NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; 2 * SLOT_BYTES];
        let length = usize::try_from(file.length()?).unwrap_or(usize::MAX).min(bytes.len());
        file.read_exact_at(&mut bytes[..length], 0)?;
        let newest =
            bytes.chunks(SLOT_BYTES).filter_map(|slot| decode(slot, group)).max_by_key(|it| it.0);
        let (count, written) = newest.map_or((0, None), |(count, flushed)| (count, Some(flushed)));
        Ok(Some(Self { file, group, count, written }))
    }

    /// A file without a mark, over one that was not finished.
    pub(super) fn create(disk: &dyn Disk, directory: &Path, group: GroupId) -> io::Result<Self> {
        let path = directory.join(NAME);
        let file = match disk.create(&path) {
            // A full disk, or a crash, may have left it without content.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => disk.open(&path)?,
            created => created?,
        };
        file.write_all_at(&[0; 2 * SLOT_BYTES], 0)?;
        file.sync_data()?;
        disk.sync_directory(directory)?;
        Ok(Self { file, group, count: 0, written: None })
    }

    /// What the mark says.
    pub(super) const fn flushed(&self) -> Option<Flushed> {
        self.written
    }

    /// Moves the mark to a frame whose flush succeeded. Durable on return.
    pub(super) fn write(&mut self, flushed: Flushed) -> io::Result<()> {
        if self.written == Some(flushed) {
            return Ok(());
        }
        let count = self.count + 1;
        let slot = encode(count, self.group, flushed);
        self.file.write_all_at(&slot, count % 2 * SLOT_BYTES as u64)?;
        self.file.sync_data()?;
        (self.count, self.written) = (count, Some(flushed));
        Ok(())
    }
}

fn encode(count: u64, group: GroupId, flushed: Flushed) -> Vec<u8> {
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.put_slice(MAGIC);
    slot.put_u16_le(VERSION);
    slot.put_u32_le(group.0);
    slot.put_u32_le(0);
    slot.put_u64_le(count);
    slot.put_u64_le(flushed.sequence);
    slot.put_u64_le(flushed.segment);
    slot.put_u64_le(flushed.end);
    slot.put_u32_le(crc32c::crc32c(&slot));
    slot.resize(SLOT_BYTES, 0);
    slot
}

fn decode(slot: &[u8], group: GroupId) -> Option<(u64, Flushed)> {
    let checked = slot.get(..CHECKED_BYTES)?;
    let mut fields = slot.get(..CHECKED_BYTES + 4)?.strip_prefix(MAGIC)?;
    let (version, owner) = (fields.get_u16_le(), fields.get_u32_le());
    fields.advance(4);
    let count = fields.get_u64_le();
    let (sequence, segment) = (fields.get_u64_le(), fields.get_u64_le());
    let flushed = Flushed { sequence, segment, end: fields.get_u64_le() };
    let sound = fields.get_u32_le() == crc32c::crc32c(checked);
    (sound && version == VERSION && owner == group.0).then_some((count, flushed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::base::disk::MemoryDisk;

    const GROUP: GroupId = GroupId::FIRST;

    fn at(sequence: u64) -> Flushed {
        Flushed { sequence, segment: 1, end: sequence * 100 }
    }

    #[test]
    fn a_power_cut_in_the_middle_of_a_mark_leaves_that_mark_or_the_one_before() {
        let directory = Path::new("/data/log");
        for power in 0..40 {
            for seed in 0..8 {
                let disk = MemoryDisk::new();
                disk.cut_power_after(power);
                let mut written = 0;
                if let Ok(mut mark) = Mark::create(&disk, directory, GROUP) {
                    written = (1..10).take_while(|n| mark.write(at(*n)).is_ok()).count() as u64;
                }
                disk.crash(seed);
                let found = Mark::open(&disk, directory, GROUP).unwrap();
                let found = found.and_then(|mark| mark.flushed()).map_or(0, |it| it.sequence);
                assert!(found == written || found == written + 1, "{found}, {written} written");
            }
        }
    }

    #[test]
    fn a_mark_of_another_group_or_with_a_flipped_bit_is_none() {
        let slot = encode(1, GROUP, at(3));
        assert_eq!(decode(&slot, GROUP), Some((1, at(3))));
        assert_eq!(decode(&slot, GroupId(7)), None);
        for byte in 0..CHECKED_BYTES + 4 {
            let mut damaged = slot.clone();
            damaged[byte] ^= 4;
            assert_eq!(decode(&damaged, GROUP), None, "byte {byte}");
        }
    }
}
