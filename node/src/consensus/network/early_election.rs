//! A leader whose connection broke has most likely died: this node then asks for votes when the
//! leader's lease is over, rather than after a whole election time-out. Votes are granted by the
//! same rules as ever, so a leader that lives loses nothing by a broken connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::ServerState;
use tokio::runtime::Handle;
use tokio::time::sleep_until;

use crate::base::random::entropy;
use crate::consensus::shared::Shared;

/// Other nodes heard the leader a little later than this one; their leases end later too.
const MARGIN: Duration = Duration::from_millis(20);

/// A stream of messages from a leader; to be dropped when the stream ends.
pub(crate) struct LeaderStream {
    shared: Arc<Shared>,
    heard: bool,
}

impl LeaderStream {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, heard: false }
    }

    /// A message was accepted.
    pub(crate) fn note_contact(&mut self) {
        self.heard = true;
        self.shared.note_contact();
    }
}

impl Drop for LeaderStream {
    fn drop(&mut self) {
        if self.heard
            && let Ok(runtime) = Handle::try_current()
        {
            let shared = self.shared.clone();
            let heard = shared.contact.load(Ordering::Relaxed);
            runtime.spawn(async move { campaign_unless_heard(&shared, heard).await });
        }
    }
}

async fn campaign_unless_heard(shared: &Shared, heard: u64) {
    let Some(term) = shared.metrics().map(|metrics| metrics.current_term) else { return };
    let lease = Duration::from_millis(shared.config.load().raft.leader_lease_ms());
    // Nodes that stand at the same moment split the votes.
    let apart = Duration::from_micros(entropy() % (lease.as_micros() as u64 / 4));
    let lease_end = shared.origin + Duration::from_micros(heard) + lease;
    sleep_until(lease_end + MARGIN + apart).await;
    let (Some(raft), Some(now)) = (shared.raft(), shared.metrics()) else { return };
    let silent = shared.contact.load(Ordering::Relaxed) == heard
        && now.current_term == term
        && now.state == ServerState::Follower;
    if silent && shared.may_stand() && !shared.stopping.load(Ordering::Relaxed) {
        tracing::info!(term, "the leader's connection broke and its lease is over");
        // An error means that the core has ended, which is told elsewhere.
        let _ = raft.trigger().elect(true).await;
    }
}
