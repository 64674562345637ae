//! What a group tells about itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hdrhistogram::Histogram;
use openraft::ServerState;

use super::parts::Parts;
use crate::consensus::background::disk_space::disk_full;
use crate::consensus::leadership::who_leads::Publish;
use crate::consensus::raft_metrics::{lost_majority, quorum_age_ms};
use crate::consensus::types::{LogId, Metrics};
use crate::services::cluster::topology::Timings;
use crate::services::cluster::{Member, MemberRole, RaftRole, RaftStatus};

/// Lets everything in this process know what the core reports about leadership.
pub(super) fn publisher(parts: Arc<Parts>) -> Publish {
    Arc::new(move |metrics: &Metrics| {
        parts.cluster.leadership.publish(metrics, parts.resigned(metrics), || status(&parts));
    })
}

impl Parts {
    /// Whether this node does not lead, whatever its core says: its disk hangs, or no majority has
    /// answered for so long that the others may have elected another leader.
    fn resigned(&self, metrics: &Metrics) -> bool {
        let silence_max = self.own.config.load().raft.majority_silence();
        self.cluster.participation.disk_stall.gave_up() || lost_majority(metrics, silence_max)
    }

    /// Waits until this node hears a leader, no longer than an election may take. A node that
    /// takes no part in a cluster waits for nothing.
    pub(super) async fn wait_to_hear_leader(&self) {
        let heartbeat = Duration::from_millis(self.own.config.load().raft.heartbeat_ms);
        let mut leadership = self.cluster.leadership.leadership.subscribe();
        let timeout = self.own.config.load().raft.leader_patience();
        let has_ended = || self.own.lifetime.ended.borrow().is_some();
        let takes_part = || self.cluster.raft.core().is_some() && !has_ended();
        let heard = async {
            while takes_part() && !status(self).hears_leader() {
                // A leader that is heard again changes nothing that could be awaited.
                let _ = tokio::time::timeout(heartbeat, leadership.changed()).await;
            }
        };
        let _ = tokio::time::timeout(timeout, heard).await;
    }
}

/// The group at this moment.
pub(super) fn status(parts: &Parts) -> RaftStatus {
    let facts = parts.own.meta.facts();
    let log = parts.data.log.stats();
    let checkpoints = &parts.data.checkpoints.stats;
    let time_ahead_ms = parts.data.time.ahead().map(|(ahead_ms, _)| ahead_ms);
    let mut status = RaftStatus {
        node_id: facts.node_id,
        cluster_id: facts.cluster_id,
        group: Some(parts.own.group_id),
        role: RaftRole::Stopped,
        applied: parts.data.applied.index(),
        applying_ms: parts.data.applied.applying().map_or(0, |(_, took)| took.as_millis() as u64),
        checkpoint_index: parts.data.checkpoints.index().unwrap_or(0),
        checkpoint_bytes: checkpoints.bytes.load(Ordering::Relaxed),
        checkpoint_ms: checkpoints.duration_ms.load(Ordering::Relaxed),
        checkpoints: checkpoints.written.load(Ordering::Relaxed),
        checkpoint_at_ms: checkpoints.finished_at_ms.load(Ordering::Relaxed),
        checkpoint_running: checkpoints.running.load(Ordering::Relaxed),
        checkpoint_no_room: checkpoints.no_room.load(Ordering::Relaxed)
            || parts.data.incoming.lacks_room(),
        elections: parts.cluster.leadership.elections.load(Ordering::Relaxed),
        forwarded: parts.requests.forwards.sent.load(Ordering::Relaxed),
        log_bytes: log.bytes,
        log_cache_bytes: log.ring_bytes as u64,
        log_segments: log.segments as u64,
        flush: timings(&parts.data.log.flush_histogram()),
        apply: timings(&parts.data.applied.times()),
        disk_free_bytes: parts.data.room.free_bytes(),
        disk_full: disk_full(&parts.data.log, &parts.data.room),
        feature_level: parts.data.applied.feature_level(),
        disk_stalled: parts.cluster.participation.disk_stall.is_stalled(),
        disk_silent_ms: parts.data.log.disk_silent_for().map_or(0, |it| it.as_millis() as u64),
        log_unflushed_bytes: parts.data.log.unflushed_bytes(),
        queued_bytes: parts.requests.queued.waiting(),
        queue_refusals: parts.requests.queued.refused(),
        log_reversions: parts.cluster.reversions.count(),
        incarnation_index: parts.cluster.trust.incarnations.registered_at(),
        unconfirmed: parts.cluster.trust.incarnations.doubts().now().map(|doubt| doubt.to_string()),
        clock_offset_ms: parts.data.time.clock_offset_ms(),
        clock_wrong: parts.cluster.participation.eligibility.is_clock_wrong(),
        time_ahead_ms,
        time_spoiled: time_ahead_ms
            .is_some_and(|ahead_ms| parts.control.resets.is_spoiled(ahead_ms)),
        ..RaftStatus::default()
    };
    if let Some(metrics) = parts.cluster.raft.metrics() {
        fill(&mut status, parts, &metrics);
    }
    status
}

fn fill(status: &mut RaftStatus, parts: &Parts, metrics: &Metrics) {
    let index = |id: &Option<LogId>| id.map_or(0, |id| id.index);
    status.term = metrics.current_term;
    let resigned = parts.resigned(metrics);
    status.leader = metrics.current_leader.filter(|leader| !resigned || *leader != metrics.id);
    status.last_log = metrics.last_log_index.unwrap_or(0);
    status.committed = index(&metrics.cluster_committed)
        .max(index(&metrics.last_applied))
        .max(parts.cluster.contacts.committed());
    status.purged = index(&metrics.purged);
    status.role = match metrics.state {
        _ if parts.own.lifetime.ended.borrow().is_some() => RaftRole::Stopped,
        ServerState::Leader if resigned => RaftRole::Follower,
        ServerState::Leader => RaftRole::Leader,
        ServerState::Candidate => RaftRole::Candidate,
        ServerState::Follower => RaftRole::Follower,
        ServerState::Learner => RaftRole::Learner,
        ServerState::Shutdown => RaftRole::Stopped,
    };
    let is_leader = status.is_leader();
    status.leader_contact_ms =
        if is_leader { quorum_age_ms(metrics) } else { parts.cluster.leadership.contact_age_ms() };
    status.feature_levels = parts.cluster.levels.member_levels(metrics);
    let members = metrics.membership_config.nodes().map(|(id, _)| *id);
    status.digests = parts.data.apply.digests.report(members);
    parts.cluster.contacts.lead(metrics);
    let seen = |id| parts.cluster.contacts.of(metrics, status.leader_contact_ms, id);
    let membership = metrics.membership_config.membership();
    let own = &parts.own.addresses;
    status.known_as = membership.get_node(&metrics.id).and_then(|known| {
        let addresses = [(&known.raft, &own.raft), (&known.client, &own.client)];
        addresses.into_iter().find(|(known, own)| known != own).map(|(known, _)| known.clone())
    });
    let voters: std::collections::BTreeSet<_> = membership.voter_ids().collect();
    status.members = membership
        .nodes()
        .map(|(id, addresses)| {
            let (contact, matched) = seen(*id);
            Member {
                node_id: *id,
                role: if voters.contains(id) { MemberRole::Voter } else { MemberRole::Learner },
                raft_address: addresses.raft.clone(),
                client_address: addresses.client.clone(),
                http_address: addresses.http.clone(),
                matched,
                contact,
            }
        })
        .collect();
}

/// Of microseconds.
fn timings(histogram: &Histogram<u64>) -> Timings {
    Timings {
        count: histogram.len(),
        total_us: (histogram.mean() * histogram.len() as f64) as u64,
        p50_us: histogram.value_at_quantile(0.5),
        p99_us: histogram.value_at_quantile(0.99),
        max_us: histogram.max(),
    }
}
