//! The keys with a deadline, in the order of their deadlines. Derived from the objects.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::data::tree::{Element, Tree};

/// One key with a deadline.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    pub at_ms: u64,
    pub name: Arc<[u8]>,
}

impl Deadline {
    fn compare(&self, at_ms: u64, name: &[u8]) -> Ordering {
        self.at_ms.cmp(&at_ms).then_with(|| (*self.name).cmp(name))
    }
}

impl Element for Deadline {
    type Key = Self;

    fn key(&self) -> &Self {
        self
    }
}

/// Bytes of one deadline; the name is shared with the key.
pub(super) const DEADLINE_BYTES: usize = size_of::<Deadline>() * 4 / 3;

/// The deadlines of one database.
#[derive(Debug, Clone, Default)]
pub(super) struct ExpiryIndex {
    deadlines: Tree<Deadline>,
    /// The sum of all deadlines, for the average.
    sum_ms: u128,
}

impl ExpiryIndex {
    /// The deadline of a key was changed, added or removed.
    pub(super) fn change(&mut self, name: &Arc<[u8]>, old_ms: Option<u64>, new_ms: Option<u64>) {
        if old_ms == new_ms {
            return;
        }
        if let Some(at_ms) = old_ms {
            let removed = self.deadlines.remove_by(|key| key.compare(at_ms, name));
            self.sum_ms -= removed.map_or(0, |_| u128::from(at_ms));
        }
        if let Some(at_ms) = new_ms {
            let deadline = Deadline { at_ms, name: name.clone() };
            self.deadlines.upsert_by(|key| key.compare(at_ms, name), deadline);
            self.sum_ms += u128::from(at_ms);
        }
    }

    /// From the deadlines of all keys, in any order.
    pub(super) fn from_unordered(mut deadlines: Vec<Deadline>) -> Self {
        deadlines.sort_unstable_by(|first, second| first.compare(second.at_ms, &second.name));
        let sum_ms = deadlines.iter().map(|deadline| u128::from(deadline.at_ms)).sum();
        Self { deadlines: deadlines.into_iter().collect(), sum_ms }
    }

    /// Keys with a deadline.
    pub(super) const fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// The key with this rank, soonest first.
    pub(super) fn get(&self, rank: usize) -> Option<&Deadline> {
        self.deadlines.get(rank)
    }

    /// Keys whose deadline is at or before `now_ms`, soonest first.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = &Deadline> {
        self.deadlines.iter().take_while(move |deadline| deadline.at_ms <= now_ms)
    }

    /// The soonest deadline.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|deadline| deadline.at_ms)
    }

    /// Mean time to live of the keys that have a deadline; 0 without any.
    pub(super) fn average_ttl_ms(&self, now_ms: u64) -> u64 {
        let Some(mean) = self.sum_ms.checked_div(self.deadlines.len() as u128) else { return 0 };
        u64::try_from(mean).unwrap_or(u64::MAX).saturating_sub(now_ms)
    }
}
