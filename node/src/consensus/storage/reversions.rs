//! Followers whose log went back below what they had acknowledged: their disk lost what was
//! flushed, or an older copy of it was put in its place.
//!
//! openraft (0.10.0-alpha.37) only asserts in debug builds that this does not happen. In a release
//! build the leader goes on counting the old position and asks for the entry after it for ever. So
//! the leader says what it found and lets openraft forget that position, which begins replication
//! to this follower anew. What was committed stays committed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::base::ids::NodeId;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::shared::Shared;
use crate::consensus::types::LogId;

/// What was found since the start.
#[derive(Debug, Default)]
pub(crate) struct Reversions {
    count: AtomicU64,
    /// The last position of each follower that was lost, so that each is told of once.
    lost: Mutex<BTreeMap<NodeId, LogId>>,
}

impl Reversions {
    /// How many were found.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether this loss was not yet told of.
    fn note(&self, follower: NodeId, matched: LogId) -> bool {
        let is_new = self.lost.lock().insert(follower, matched) != Some(matched);
        self.count.fetch_add(u64::from(is_new), Ordering::Relaxed);
        is_new
    }
}

impl Shared {
    /// A follower says that it does not hold `conflict`. To be called before openraft learns it.
    pub(crate) async fn heed_conflict(&self, follower: NodeId, conflict: &LogId) {
        let (Some(raft), Some(metrics)) = (self.raft(), self.metrics()) else { return };
        let known = metrics.replication.as_ref().and_then(|all| all.get(&follower).copied());
        let Some(matched) = known.flatten().filter(|matched| matched.index >= conflict.index)
        else {
            return;
        };
        if self.counters.reversions.note(follower, matched) {
            tracing::error!(
                %follower,
                acknowledged = matched.index,
                missing = conflict.index,
                "a follower lost log entries that it had acknowledged: its disk lost what was \
                 flushed, or was put back; what it holds is sent to it again"
            );
        }
        if seeded(Bug::ReversionIgnored) {
            return;
        }
        // An error means that this node leads no more, and then nothing is counted here.
        let _ = raft.trigger().allow_next_revert(&follower, true).await;
    }
}
