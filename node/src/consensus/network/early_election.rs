//! A leader whose connection broke has most likely died: this node then asks for votes when the
//! leader's lease is over, rather than after a whole election time-out. Votes are granted by the
//! same rules as ever, so a leader that lives loses nothing by a broken connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::ServerState;
use tokio::runtime::Handle;
use tokio::time::sleep_until;

use crate::base::config::LiveConfig;
use crate::base::random::entropy;
use crate::consensus::leadership::participation::Participation;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::raft_handle::RaftHandle;

/// Other nodes heard the leader a little later than this one; their leases end later too.
const MARGIN: Duration = Duration::from_millis(20);

/// What an early election depends on.
pub(crate) struct EarlyElection {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) raft: Arc<RaftHandle>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) participation: Arc<Participation>,
    pub(crate) lifetime: Arc<Lifetime>,
}

/// A stream of messages from a leader; to be dropped when the stream ends.
pub(crate) struct LeaderStream {
    election: Arc<EarlyElection>,
    heard: bool,
}

impl LeaderStream {
    pub(crate) const fn new(election: Arc<EarlyElection>) -> Self {
        Self { election, heard: false }
    }

    /// A message was accepted.
    pub(crate) fn note_contact(&mut self) {
        self.heard = true;
        self.election.leadership.note_contact();
    }
}

impl Drop for LeaderStream {
    fn drop(&mut self) {
        if self.heard
            && let Ok(runtime) = Handle::try_current()
        {
            let election = self.election.clone();
            let heard = election.leadership.contact.load(Ordering::Relaxed);
            runtime.spawn(async move { election.campaign_unless_heard(heard).await });
        }
    }
}

impl EarlyElection {
    async fn campaign_unless_heard(&self, heard: u64) {
        let Some(term) = self.raft.metrics().map(|metrics| metrics.current_term) else { return };
        let lease = Duration::from_millis(self.config.load().raft.leader_lease_ms());
        // Nodes that stand at the same moment split the votes.
        let apart = Duration::from_micros(entropy() % (lease.as_micros() as u64 / 4));
        let lease_end = self.leadership.origin + Duration::from_micros(heard) + lease;
        sleep_until(lease_end + MARGIN + apart).await;
        let (Some(raft), Some(now)) = (self.raft.raft(), self.raft.metrics()) else { return };
        let silent = self.leadership.contact.load(Ordering::Relaxed) == heard
            && now.current_term == term
            && now.state == ServerState::Follower;
        let stopping = || self.lifetime.stopping.load(Ordering::Relaxed);
        if silent && self.participation.may_stand() && !stopping() {
            tracing::info!(term, "the leader's connection broke and its lease is over");
            // An error means that the core has ended, which is told elsewhere.
            let _ = raft.trigger().elect(true).await;
        }
    }
}
