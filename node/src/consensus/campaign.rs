//! A leader whose connection broke has most likely died: this node then asks for votes when the
//! leader's lease is over, rather than after a whole election time-out. Votes are granted by the
//! same rules as ever, so a leader that lives loses nothing by a broken connection.
//!
//! Or it has removed this node and told it nothing more. A follower learns that when it asks for
//! votes; a learner never does, so it asks the members.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::network::RPCOption;
use openraft::raft::VoteRequest;
use openraft::{RaftNetworkV2, ServerState};
use tokio::runtime::Handle;
use tokio::time::{sleep, sleep_until};

use super::network::Peer;
use super::shared::Shared;
use super::types::Vote;
use crate::base::random::entropy;

/// Other nodes heard the leader a little later than this one; their leases end later too.
const MARGIN: Duration = Duration::from_millis(20);
/// Between two questions of a learner, and how long it waits for an answer.
const QUESTION_INTERVAL: Duration = Duration::from_millis(100);

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
            runtime.spawn(async move {
                tokio::join!(
                    campaign_unless_heard(&shared, heard),
                    ask_unless_heard(&shared, heard)
                )
            });
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
    if silent && !shared.guard.is_active() && !shared.stopping.load(Ordering::Relaxed) {
        tracing::info!(term, "the leader's connection broke and its lease is over");
        // An error means that the core has ended, which is told elsewhere.
        let _ = raft.trigger().elect(true).await;
    }
}

/// Asks every member as a candidate would at first, which changes nothing there; one that knows
/// this node to be removed says so.
async fn ask_unless_heard(shared: &Arc<Shared>, heard: u64) {
    loop {
        let (Some(core), Some(now)) = (shared.core.get(), shared.metrics()) else { return };
        let silent = shared.contact.load(Ordering::Relaxed) == heard;
        if !silent || now.state != ServerState::Learner || shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        let request = VoteRequest::new(Vote::new(now.current_term, now.id), now.last_applied);
        let others = now.membership_config.nodes().filter(|(id, _)| **id != now.id);
        let questions = others.map(|(id, addresses)| {
            let mut peer = Peer::new(shared.clone(), core.identity.clone(), *id, addresses);
            let request = request.clone();
            async move { peer.pre_vote(request, RPCOption::new(QUESTION_INTERVAL)).await }
        });
        futures::future::join_all(questions).await;
        sleep(QUESTION_INTERVAL).await;
    }
}
