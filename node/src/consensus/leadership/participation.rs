//! Whether this node takes part in its cluster, and whether it may stand for election.

use std::sync::Arc;

use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::membership::eligibility::Eligibility;
use crate::consensus::membership::incarnation::{Doubt, Incarnations};
use crate::consensus::raft_handle::RaftHandle;
use crate::consensus::read::lease::RestartGuard;
use crate::consensus::storage::disk_stall::DiskStall;

/// What may keep a node from taking part.
pub(crate) struct Participation {
    pub(crate) raft: Arc<RaftHandle>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) incarnations: Arc<Incarnations>,
    pub(crate) guard: RestartGuard,
    pub(crate) disk_stall: DiskStall,
    pub(crate) eligibility: Eligibility,
}

impl Participation {
    /// Whether this node cannot find a leader for now, so that its clients must not wait for one:
    /// it belongs to no cluster yet, its data has to be confirmed, or its disk hangs.
    pub(crate) fn takes_no_part(&self) -> bool {
        self.raft.core().is_none() || self.is_in_doubt() || self.disk_stall.gave_up()
    }

    /// Whether nothing keeps this node from standing for election.
    pub(crate) fn may_stand(&self) -> bool {
        !self.guard.is_active()
            && !self.disk_stall.is_stalled()
            && !self.eligibility.is_barred()
            && !self.is_in_doubt()
            && !self.has_objection()
    }

    /// Whether this node takes no part until its data is confirmed.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.incarnations.doubts().any()
    }

    /// Whether this node votes and stands for no new leader until it is known who is right.
    pub(crate) fn has_objection(&self) -> bool {
        self.incarnations.doubts().has_objection()
    }

    /// Has the core heed whether this node may stand.
    pub(crate) fn allow_election(&self) {
        if let Some(raft) = self.raft.raft() {
            raft.runtime_config().elect(self.may_stand());
        }
    }

    /// From now on this node takes no part. A leader falls silent, so that another one comes.
    pub(crate) fn doubt(&self, doubt: Doubt) {
        let text = doubt.to_string();
        if !self.incarnations.doubts().set(doubt) {
            return;
        }
        tracing::error!(reason = text, "this node takes no part until its data is confirmed");
        self.incarnations.doubts().asked.notify_one();
        let Some(raft) = self.raft.raft() else { return };
        raft.runtime_config().elect(false);
        raft.runtime_config().heartbeat(false);
        if let Some(metrics) = self.raft.metrics().filter(|_| self.leadership.is_leader()) {
            self.leadership.gate.close_for(metrics.vote.leader_id);
        }
    }

    /// A doubt of this kind was dispelled.
    pub(crate) fn end_doubt(&self, kind: impl FnOnce(&Doubt) -> bool) {
        if !self.incarnations.doubts().clear(kind) {
            return;
        }
        tracing::info!("the data of this node is confirmed: it takes part again");
        if let Some(raft) = self.raft.raft() {
            raft.runtime_config().heartbeat(!self.disk_stall.gave_up());
            raft.runtime_config().elect(self.may_stand());
        }
    }
}
