//! Room on the disk of the data directory: below `data.free_bytes_min` writes are refused, so that
//! what must be written without being asked, such as a vote or a checkpoint, still fits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::consensus::shared::Shared;

const INTERVAL: Duration = Duration::from_millis(250);

/// What was found at the last look.
#[derive(Debug, Default)]
pub(crate) struct Room {
    free_bytes: AtomicU64,
    low: AtomicBool,
    give_back: AtomicU64,
}

impl Room {
    /// Whether less is free than the configuration asks for.
    pub(crate) fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// Free bytes; 0 before the first look.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// Entries up to this one must leave the log for want of room, even if a follower is being sent
    /// some of them: the core lets them go only when no stream of entries needs them.
    pub(crate) fn give_back(&self, last: u64) {
        self.give_back.fetch_max(last, Ordering::Relaxed);
    }

    /// Whether a follower whose log matches up to `matched` needs entries that must go. It gets a
    /// snapshot instead.
    pub(crate) fn wants_back(&self, matched: u64) -> bool {
        matched < self.give_back.load(Ordering::Relaxed)
    }

    fn note(&self, free_bytes: u64, free_bytes_min: u64) {
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        // Around one limit every checkpoint would turn writes off and on.
        let was_low = self.is_low();
        let more = if was_low { free_bytes_min / 8 } else { 0 };
        let low = free_bytes < free_bytes_min.saturating_add(more);
        if low == was_low {
            return;
        }
        self.low.store(low, Ordering::Relaxed);
        if low {
            tracing::error!(free_bytes, free_bytes_min, "too little free disk, refusing writes");
        } else {
            tracing::info!(free_bytes, free_bytes_min, "enough free disk again");
        }
    }
}

/// Looks again and again, until the group stops.
pub(crate) async fn watch(shared: Arc<Shared>) {
    while !shared.stopping.load(Ordering::Relaxed) {
        match shared.disk.free_bytes(&shared.directory) {
            Ok(free) => shared.room.note(free, shared.config.load().data.free_bytes_min),
            Err(error) => tracing::warn!(%error, "cannot tell how much disk is free"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_in_need_of_entries_that_must_go_is_told_from_others() {
        let room = Room::default();
        assert!(!room.wants_back(0));
        room.give_back(7);
        room.give_back(5);
        assert_eq!([6, 7, 8].map(|matched| room.wants_back(matched)), [true, false, false]);
    }

    #[test]
    fn what_was_low_is_enough_only_when_an_eighth_more_is_free() {
        let room = Room::default();
        let looks = [(800, false), (799, true), (800, true), (899, true), (900, false)];
        for (free_bytes, is_low) in looks {
            room.note(free_bytes, 800);
            assert_eq!(room.is_low(), is_low, "{free_bytes}");
        }
    }
}
