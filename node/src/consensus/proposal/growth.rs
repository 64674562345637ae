//! What entries under way will add to memory. It does not show in the memory used before they are
//! applied, so without this account each of them would be admitted into the same room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The account of one group. Clones mean the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Growth(Arc<AtomicU64>);

impl Growth {
    /// Counts bytes as under way until the result is dropped.
    pub(crate) fn begin(&self, bytes: u64) -> GrowthUnderWay {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        GrowthUnderWay { account: self.clone(), bytes }
    }

    /// Bytes under way.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The growth of one entry; lives until the entry is applied or has failed.
#[derive(Debug)]
pub(crate) struct GrowthUnderWay {
    account: Growth,
    bytes: u64,
}

impl Drop for GrowthUnderWay {
    fn drop(&mut self) {
        self.account.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The memory of this node as a proposer sees it at one moment, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) used: u64,
    /// `maxmemory`; 0 for none.
    pub(crate) maximum: u64,
    /// What entries under way may add above the maximum.
    pub(crate) slack: u64,
    /// What they are estimated to add.
    pub(crate) under_way: u64,
}

impl Memory {
    /// Whether so much could grow at all, with everything evicted.
    pub(crate) const fn is_possible(&self, growth: u64) -> bool {
        self.maximum == 0 || growth <= self.maximum.saturating_add(self.slack)
    }

    /// What must be freed before memory may grow by so much.
    pub(crate) fn excess(&self, growth: u64) -> u64 {
        if self.maximum == 0 {
            return 0;
        }
        let used_then = self.used.saturating_add(self.under_way).saturating_add(growth);
        let excess_then = used_then.saturating_sub(self.maximum.saturating_add(self.slack));
        excess_then.max(self.used.saturating_sub(self.maximum))
    }

    /// How much of `growths`, in order, could grow together.
    pub(crate) fn possible(&self, growths: impl Iterator<Item = u64>) -> u64 {
        growths.fold(0, |sum: u64, growth| {
            let more = sum.saturating_add(growth);
            if self.is_possible(more) { more } else { sum }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn memory(used: u64, under_way: u64) -> Memory {
        Memory { used, maximum: 100 * MB, slack: 4 * MB, under_way }
    }

    #[test]
    fn what_is_under_way_takes_the_room_of_what_comes_next() {
        assert_eq!(memory(0, 0).excess(67 * MB), 0);
        assert_eq!(memory(0, 67 * MB).excess(67 * MB), 30 * MB);
        assert_eq!(memory(67 * MB, 0).excess(67 * MB), 30 * MB);
    }

    #[test]
    fn entries_of_ordinary_size_may_fill_the_slack_and_not_more() {
        assert_eq!(memory(100 * MB, 3 * MB).excess(MB), 0);
        assert_eq!(memory(100 * MB, 3 * MB).excess(MB + 1), 1);
        assert_eq!(memory(100 * MB + 1, 0).excess(0), 1, "memory is full already");
    }

    #[test]
    fn without_a_maximum_there_is_room_for_everything() {
        let memory = Memory { maximum: 0, ..memory(900 * MB, 900 * MB) };
        assert_eq!(memory.excess(u64::MAX), 0);
        assert!(memory.is_possible(u64::MAX));
    }

    #[test]
    fn nothing_is_evicted_for_what_never_fits() {
        assert!(!memory(0, 0).is_possible(105 * MB));
        let growths = [60 * MB, 60 * MB, 200 * MB, 40 * MB];
        assert_eq!(memory(0, 0).possible(growths.into_iter()), 100 * MB);
    }

    #[test]
    fn growth_ends_when_its_entry_does() {
        let growth = Growth::default();
        let (first, second) = (growth.begin(5), growth.clone().begin(7));
        assert_eq!(growth.bytes(), 12);
        drop(first);
        assert_eq!(growth.bytes(), 7);
        drop(second);
        assert_eq!(growth.bytes(), 0);
    }
}
