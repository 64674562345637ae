//! What the log holds, in memory: positions, records, and what a start finds on the disk.

use bytes::Bytes;

/// The place of an entry: its index, and the term and leader that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// Position in the log, without gaps.
    pub index: u64,
    /// Term of the leader that wrote the entry.
    pub term: u64,
    /// Node id of that leader.
    pub leader: u64,
}

/// One entry. The log does not look into the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub position: LogPosition,
    /// What it says.
    pub payload: Bytes,
}

impl Record {
    /// Bytes that the record takes in memory, about.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.payload.len() + 64
    }
}

/// What the log knows without reading an entry. Also what a start finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogState {
    /// The last entry; the purged position when every entry was purged.
    pub last: Option<LogPosition>,
    /// Up to here, inclusive, entries are gone because a checkpoint holds their effect.
    pub purged: Option<LogPosition>,
    /// The vote saved last, as it was given.
    pub vote: Option<Bytes>,
    /// A position known to be committed. May lag behind: it is written along with other records.
    pub committed: Option<LogPosition>,
}

impl LogState {
    /// Index of the first entry that can be read, if there is one.
    pub fn first_index(&self) -> Option<u64> {
        let last = self.last?.index;
        let first = self.purged.map_or(0, |purged| purged.index + 1);
        (first <= last).then_some(first)
    }

    /// Entries after `last` are gone. What was purged stays purged.
    pub(super) fn truncate(&mut self, last: Option<LogPosition>) {
        let purged = self.purged.filter(|purged| last.is_none_or(|last| last.index < purged.index));
        self.last = purged.or(last);
    }

    /// Entries up to `up_to` are gone; it may lie past the last one.
    pub(super) fn purge(&mut self, up_to: LogPosition) {
        let before = |known: Option<LogPosition>| known.is_none_or(|it| it.index < up_to.index);
        if before(self.purged) {
            self.purged = Some(up_to);
        }
        if before(self.last) {
            self.last = Some(up_to);
        }
    }
}
