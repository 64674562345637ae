//! The newest entries in memory: all that are not yet durable, and before them as many as a byte
//! bound allows, so that followers that keep up are never served from the disk.

use std::collections::VecDeque;
use std::ops::Range;

use super::record::Record;

/// Consecutive entries up to the last one of the log.
#[derive(Debug, Default)]
pub(super) struct Ring {
    slots: VecDeque<Slot>,
    bytes: usize,
    next_serial: u64,
}

#[derive(Debug)]
struct Slot {
    record: Record,
    /// Counts appended entries, so that an entry is not taken for a truncated one of the same
    /// index.
    serial: u64,
}

impl Ring {
    /// Adds the entry after the last one; its serial number.
    pub(super) fn push(&mut self, record: Record) -> u64 {
        let serial = self.next_serial;
        self.next_serial += 1;
        self.bytes += record.memory_bytes();
        self.slots.push_back(Slot { record, serial });
        serial
    }

    /// Index of the first entry held.
    pub(super) fn first_index(&self) -> Option<u64> {
        self.slots.front().map(|slot| slot.record.position.index)
    }

    /// Bytes of the entries held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries of `range`, which must begin inside the ring, up to `bytes_max` but at least one.
    pub(super) fn read(&self, range: &Range<u64>, bytes_max: usize) -> Vec<Record> {
        let skipped = range.start - self.first_index().unwrap_or(range.start);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut records = Vec::new();
        let mut bytes = 0;
        for slot in self.slots.iter().skip(skipped) {
            bytes += slot.record.payload.len();
            let over = bytes > bytes_max && !records.is_empty();
            if over || slot.record.position.index >= range.end {
                break;
            }
            records.push(slot.record.clone());
        }
        records
    }

    /// Drops entries from `first_removed` on.
    pub(super) fn truncate(&mut self, first_removed: u64) {
        while self.slots.back().is_some_and(|slot| slot.record.position.index >= first_removed) {
            let slot = self.slots.pop_back();
            self.bytes -= slot.map_or(0, |slot| slot.record.memory_bytes());
        }
    }

    /// Drops entries up to `last_removed`.
    pub(super) fn purge(&mut self, last_removed: u64) {
        while self.slots.front().is_some_and(|slot| slot.record.position.index <= last_removed) {
            self.drop_first();
        }
    }

    /// Drops the oldest entries above the bound. Those with a serial number of `undurable` or above
    /// stay: they are nowhere else.
    pub(super) fn shrink(&mut self, undurable: u64, bytes_max: usize) {
        while self.bytes > bytes_max
            && self.slots.front().is_some_and(|slot| slot.serial < undurable)
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let slot = self.slots.pop_front();
        self.bytes -= slot.map_or(0, |slot| slot.record.memory_bytes());
    }
}
