//! What leader and followers tell each other beside openraft's own messages: with every append
//! request and heartbeat, and with every answer to one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ironkv_proto::raft::v1 as proto;
use openraft::raft::AppendEntriesRequest;
use parking_lot::Mutex;

use super::convert::told_to_proto;
use crate::base::ids::NodeId;
use crate::consensus::shared::Shared;
use crate::consensus::time::{FollowerTime, LeaderTime};
use crate::consensus::types::TypeConfig;

impl Shared {
    /// What this node tells while it leads.
    pub(crate) fn leader_report(
        &self,
        to: NodeId,
        request: &AppendEntriesRequest<TypeConfig>,
    ) -> proto::LeaderReport {
        let committed_index = request.leader_commit.map_or(0, |committed| committed.index);
        let LeaderTime { time_us, epoch: time_epoch, clock_us } = self.time.leader_time();
        let mut report =
            proto::LeaderReport { time_us, time_epoch, clock_us, ..Default::default() };
        // The stamp before the index, which must cover what was acknowledged before the stamp.
        self.freshness.report_to(to, &mut report);
        report.renew = self.incarnations.is_to_renew(to);
        report.committed_index = committed_index.max(self.applied.shown_index());
        if request.entries.is_empty() {
            self.contacts.tell(&mut report);
        }
        report
    }

    /// What this node tells while it follows.
    pub(crate) fn follower_report(&self) -> proto::FollowerReport {
        let level = self.own_level();
        let (time_us, time_epoch) = self.time.follower_time();
        let mut report = proto::FollowerReport {
            clock_ms: self.clock.unix_ms(),
            time_us,
            time_epoch,
            lease_ms: self.config.load().raft.leader_lease_ms(),
            feature_level_understood: level.understands.0,
            feature_level_agreed: level.agrees_to.0,
            stamp: Some(self.freshness.stamp()),
            lineage: told_to_proto(self.incarnations.told()),
            ..proto::FollowerReport::default()
        };
        self.apply.digests.tell(&mut report);
        report
    }

    /// A report of the leader whose vote this node has just accepted.
    fn take_leader_report(&self, received: &Received) {
        let Received { report, leader, committed, at_us } = received;
        let (committed_index, told) = report.as_ref().map_or_else(Default::default, |report| {
            let proto::LeaderReport { time_us, clock_us, time_epoch: epoch, .. } = *report;
            (report.committed_index, LeaderTime { time_us, epoch, clock_us })
        });
        self.time.heard_leader(told, *at_us);
        if report.as_ref().is_some_and(|report| report.renew) {
            self.incarnations.renew_at_once();
        }
        let committed = committed_index.max(*committed);
        let age = Duration::from_micros(self.time.boot_us().saturating_sub(*at_us));
        self.freshness.heard_leader(report.as_ref(), committed, age, self.applied.index());
        if let Some(report) = report {
            self.contacts.heard(*leader, report, age);
        }
    }

    /// A report of a follower that has just accepted a request which this node sent as the leader
    /// of `term`.
    pub(crate) fn take_follower_report(
        &self,
        from: NodeId,
        term: u64,
        report: &proto::FollowerReport,
    ) {
        let told = FollowerTime {
            clock_us: report.clock_ms * 1000,
            time_us: report.time_us,
            epoch: report.time_epoch,
            lease_ms: report.lease_ms,
        };
        self.time.heard_follower(from, term, told);
        self.apply.digests.note_told(from, report);
        self.freshness.heard_follower(from, report.stamp.as_ref());
    }
}

/// What a request of a leader said beside its entries.
struct Received {
    /// Absent from a leader of version 0.1.0.
    report: Option<proto::LeaderReport>,
    /// Term and node of its vote.
    leader: (u64, NodeId),
    committed: u64,
    /// When it came, by the boot clock.
    at_us: u64,
}

/// The reports of one stream of append requests whose answers are due, oldest first. A report
/// counts only once its request was accepted: until then its sender may be a deposed leader.
#[derive(Clone, Default)]
pub(crate) struct UnansweredReports(Arc<Mutex<VecDeque<Received>>>);

impl UnansweredReports {
    /// A request came in.
    pub(crate) fn received(&self, shared: &Shared, request: &proto::AppendRequest) {
        let committed = request.committed.as_ref().map_or(0, |committed| committed.index);
        let at_us = shared.time.boot_us();
        let vote = request.vote.unwrap_or_default();
        let leader = (vote.term, NodeId(vote.node_id));
        let report = request.leader.clone();
        self.0.lock().push_back(Received { report, leader, committed, at_us });
    }

    /// The oldest request was accepted.
    pub(crate) fn accepted(&self, shared: &Shared) {
        let received = self.0.lock().pop_front();
        if let Some(received) = received {
            shared.take_leader_report(&received);
        }
    }
}
