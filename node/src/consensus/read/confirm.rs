//! How a leader makes certain that it still leads, before it answers a read.

use std::sync::Arc;

use openraft::ReadPolicy;

use crate::base::config::{LiveConfig, ReadMode};
use crate::base::group_time::GroupTime;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::errors::ReadError;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::raft_handle::RaftHandle;
use crate::consensus::state_machine::progress::Applied;
use crate::consensus::time::ClusterTime;

/// What a read must see and when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadPoint {
    /// The state must be applied up to this log index before the read.
    pub(crate) index: u64,
    /// The leader's time; 0 when its version does not tell.
    pub(crate) time: GroupTime,
}

/// What makes it certain that a leader still leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// Its lease: depends on clocks that run alike.
    Lease,
    /// A round to a majority.
    Quorum,
}

impl Confirmation {
    /// What satisfies both the node that asks and the leader itself.
    pub(super) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Lease, Self::Lease) => Self::Lease,
            _ => Self::Quorum,
        }
    }
}

/// What a leader answers reads by.
pub(crate) struct LeaderReads {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) raft: Arc<RaftHandle>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) time: Arc<ClusterTime>,
}

impl LeaderReads {
    /// What this node's own reads need.
    pub(crate) fn confirmation(&self) -> Confirmation {
        match self.config.load().reads.mode {
            ReadMode::Quorum => Confirmation::Quorum,
            ReadMode::Lease | ReadMode::Stale => Confirmation::Lease,
        }
    }

    /// The log index that covers every acknowledged write and every completed read, if this node
    /// leads. Asks no other node for it: two that take each other for the leader would wait for
    /// each other.
    pub(crate) async fn confirm(&self, asked: Confirmation) -> Result<ReadPoint, ReadError> {
        let raft = self.raft.raft().filter(|_| self.leadership.is_leader());
        let raft = raft.ok_or(ReadError::NoLeader)?;
        // Covers what any node has acknowledged or shown under this leader. The gate, which is
        // checked afterwards, says that no other node leads.
        let shown = self.applied.shown_index();
        // Taken before anything is confirmed, so that a majority was told of it by then.
        let time = self.time.take();
        let by_lease = asked.and(self.confirmation()) == Confirmation::Lease;
        let leads_alone = by_lease && self.leadership.gate.is_open();
        let index = if leads_alone || seeded(Bug::SkipReadIndex) {
            shown
        } else {
            let confirmed = raft.get_read_log_id(ReadPolicy::ReadIndex).await;
            confirmed.map_err(|_| ReadError::NoLeader)?.0.index().max(shown)
        };
        self.time.note_answered(time);
        Ok(ReadPoint { index, time })
    }
}
