//! The times of log entries that are on their way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::base::group_time::GroupTime;
use crate::base::seeded::{Bug, seeded};

/// The stamps of entries that were proposed and are not applied, oldest first. A read must not use
/// a later time than the oldest of them: the entry may keep a key alive (PERSIST) that the read,
/// which does not see the entry's effect, would call expired.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    stamps: Mutex<Stamps>,
    /// The bits of the oldest stamp plus one; 0 when there is none.
    oldest: AtomicU64,
}

#[derive(Debug, Default)]
struct Stamps {
    queue: VecDeque<(u64, GroupTime)>,
    next_id: u64,
}

/// One entry on its way; to be dropped when it is applied or its fate is unknown.
#[derive(Debug)]
pub(crate) struct Stamped {
    in_flight: Arc<InFlight>,
    id: u64,
}

impl InFlight {
    /// Takes the stamp of a new entry from `stamp`, which must not be lower than any time that a
    /// read has registered before the call.
    pub(super) fn begin(
        self: &Arc<Self>,
        stamp: impl FnOnce() -> GroupTime,
    ) -> (GroupTime, Stamped) {
        let mut stamps = self.stamps.lock();
        if stamps.queue.is_empty() {
            // Before the stamp is taken: a read that registers its time too late for the stamp to
            // be above it sees that there is an entry and takes an earlier time.
            self.oldest.store(1, Ordering::SeqCst);
        }
        let stamp = stamp();
        stamps.next_id += 1;
        let id = stamps.next_id;
        stamps.queue.push_back((id, stamp));
        self.publish(&stamps);
        (stamp, Stamped { in_flight: self.clone(), id })
    }

    /// The latest time that a read may use now.
    pub(super) fn limit(&self) -> GroupTime {
        GroupTime::from_bits(match self.oldest.load(Ordering::SeqCst) {
            _ if seeded(Bug::ReadPastStamps) => u64::MAX,
            0 => u64::MAX,
            oldest => oldest - 1,
        })
    }

    fn publish(&self, stamps: &Stamps) {
        let oldest = stamps.queue.front().map_or(0, |(_, stamp)| stamp.to_bits() + 1);
        self.oldest.store(oldest, Ordering::SeqCst);
    }
}

impl Drop for Stamped {
    fn drop(&mut self) {
        let mut stamps = self.in_flight.stamps.lock();
        // Entries are applied in their order, so this is nearly always the first.
        if let Some(place) = stamps.queue.iter().position(|(id, _)| *id == self.id) {
            stamps.queue.remove(place);
        }
        self.in_flight.publish(&stamps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_wait_with_their_time_for_the_oldest_entry() {
        let in_flight = Arc::new(InFlight::default());
        let at = |ms| GroupTime::new(0, ms);
        let none = GroupTime::from_bits(u64::MAX);
        assert_eq!(in_flight.limit(), none);
        let (_, first) = in_flight.begin(|| {
            assert_eq!(in_flight.limit(), at(0));
            at(10)
        });
        let (_, second) = in_flight.begin(|| at(20));
        assert_eq!(in_flight.limit(), at(10));
        drop(first);
        assert_eq!(in_flight.limit(), at(20));
        drop(second);
        assert_eq!(in_flight.limit(), none);
    }
}
