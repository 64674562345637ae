//! How many bytes of the disk lie between entries, so that the log can be kept by bytes.

use super::Log;
use super::shared::Memory;

/// Segment number and offset.
type Place = (u64, u64);

impl Log {
    /// Bytes from the end of the entry at `index` to the end of the log; as exact as markers are
    /// dense, which is a few thousand bytes.
    pub fn bytes_after(&self, index: u64) -> u64 {
        let tail_bytes = self.inner.shared.counters.lock().tail_bytes;
        let memory = self.inner.shared.memory.lock();
        let Some(end) = end(&memory, tail_bytes) else { return 0 };
        place_behind(&memory, index, end).map_or(0, |start| distance(&memory, start, end))
    }

    /// The last entry that can go when about `keep_bytes` are to be left before the end of the
    /// entry at `index`; `None` when none can.
    pub fn last_to_purge(&self, index: u64, keep_bytes: u64) -> Option<u64> {
        let tail_bytes = self.inner.shared.counters.lock().tail_bytes;
        let memory = self.inner.shared.memory.lock();
        let end = end(&memory, tail_bytes)?;
        let (mut segment, mut offset) = place_behind(&memory, index, end)?;
        let mut left = keep_bytes;
        while left > offset {
            left -= offset;
            let (before, file) = memory.files.range(..segment).next_back()?;
            (segment, offset) = (*before, file.bytes);
        }
        let first_kept = memory.index.first_from((segment, offset - left))?;
        first_kept.checked_sub(1).map(|last| last.min(index))
    }
}

fn end(memory: &Memory, tail_bytes: u64) -> Option<Place> {
    memory.files.keys().next_back().map(|segment| (*segment, tail_bytes))
}

/// Where the entry after `index` begins.
fn place_behind(memory: &Memory, index: u64, end: Place) -> Option<Place> {
    match memory.state.last {
        Some(last) if last.index > index => memory.index.place_of(index + 1),
        _ => Some(end),
    }
}

fn distance(memory: &Memory, from: Place, to: Place) -> u64 {
    if from.0 >= to.0 {
        return to.1.saturating_sub(from.1);
    }
    let before_last: u64 = memory.files.range(from.0..to.0).map(|(_, file)| file.bytes).sum();
    (before_last + to.1).saturating_sub(from.1)
}
