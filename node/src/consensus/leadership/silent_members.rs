//! Logs which members do not answer the leader: once when a member falls silent and once when it
//! answers again.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::ServerState;
use tokio::time::Instant;

use crate::base::ids::NodeId;
use crate::base::limits::MEMBER_SILENCE_MAX;
use crate::consensus::raft_metrics::is_reachable;
use crate::consensus::types::Metrics;

/// How often the answers are checked.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a leader has logged in its term.
pub(crate) struct SilentMembers {
    term: u64,
    silent: BTreeSet<NodeId>,
    next_check: Instant,
}

impl SilentMembers {
    pub(crate) fn new() -> Self {
        Self { term: 0, silent: BTreeSet::new(), next_check: Instant::now() }
    }

    /// Logs what has changed.
    pub(crate) fn check(&mut self, metrics: &Metrics) {
        if metrics.state != ServerState::Leader {
            return;
        }
        if metrics.current_term != self.term {
            // A new leader has heard of no member yet.
            self.silent.clear();
            self.term = metrics.current_term;
            self.next_check = Instant::now() + MEMBER_SILENCE_MAX;
        }
        if Instant::now() < self.next_check {
            return;
        }
        self.next_check = Instant::now() + INTERVAL;
        let members = metrics.membership_config.nodes().map(|(id, _)| *id);
        let silent: BTreeSet<_> = members.filter(|id| !is_reachable(metrics, *id)).collect();
        for id in silent.difference(&self.silent) {
            tracing::warn!(member = %id, "a member does not answer");
        }
        for id in self.silent.difference(&silent) {
            tracing::info!(member = %id, "a member answers again, or was removed");
        }
        self.silent = silent;
    }
}
