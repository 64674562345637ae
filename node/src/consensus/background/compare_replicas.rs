//! Has all replicas compared while they run, see `state_machine/digests.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::config::LiveConfig;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::proposal::entry::GroupEntry;
use crate::consensus::raft_handle::Raft;
use crate::consensus::state_machine::digests::Digests;
use crate::consensus::types::GroupEntryBytes;

/// How often a leader looks whether a comparison is due.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// What a comparison needs.
pub(crate) struct Comparison {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) digests: Arc<Digests>,
}

impl Comparison {
    /// Runs beside the core: on the leader, one comparison in every interval.
    pub(crate) async fn run(self, raft: Raft) {
        let mut leads = false;
        let mut compared_at = Instant::now();
        while !self.lifetime.stopping.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_INTERVAL).await;
            // Read each time: a shorter interval counts from the last comparison on.
            let interval = Duration::from_secs(self.config.load().cluster.digest_interval_s);
            if self.leadership.is_leader() != leads {
                leads = self.leadership.is_leader();
                self.digests.forget();
                compared_at = Instant::now();
            }
            if leads && !interval.is_zero() && compared_at.elapsed() >= interval {
                compared_at = Instant::now();
                mark_digest(&raft).await;
            }
        }
    }
}

/// Puts the entry into the log at which all replicas take a digest. Its time is 0, so that it moves
/// no clock.
async fn mark_digest(raft: &Raft) {
    let entry = GroupEntry { now_ms: 0, seed: 0, items: Vec::new() };
    // On an error the core has stopped.
    let _ = raft.client_write_ff(GroupEntryBytes(entry.encode()), None).await;
}
