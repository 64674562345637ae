//! What a group tells about itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hdrhistogram::Histogram;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};

use crate::base::ids::NodeId;
use crate::base::limits::MEMBER_SILENCE_MAX;
use crate::consensus::shared::{Ended, Leadership, Shared, leads_alone};
use crate::consensus::types::{LogId, Metrics, Raft};
use crate::services::cluster::topology::Timings;
use crate::services::cluster::{Member, MemberRole, RaftRole, RaftStatus};

/// Reports closer together than this are taken as one. The gate does not suffer: a lease that is
/// not renewed for so short a time is still good, and one that must end ends by itself.
const REPORT_INTERVAL: Duration = Duration::from_millis(5);

/// Follows the core's reports; runs on the raft thread and ends with the core.
pub(crate) async fn observe(shared: Arc<Shared>, raft: Raft) {
    let mut reports = raft.metrics();
    let mut term = 0;
    let mut told = None;
    loop {
        let metrics = reports.borrow_and_update().clone();
        follow_leadership(&shared, &metrics);
        shared.gate.update(&metrics, shared.lease());
        shared.freshness.update(&metrics);
        shared.contacts.lead(&metrics);
        if let Err(error) = &metrics.running_state {
            // On an orderly stop the word was given before.
            if !shared.stopping.load(Ordering::Acquire) {
                shared.end(Ended::Failed(error.to_string()));
            }
            break;
        }
        if metrics.current_term > term {
            term = metrics.current_term;
            shared.counters.elections.fetch_add(1, Ordering::Relaxed);
        }
        publish(&shared, &metrics, &mut told);
        tokio::time::sleep(REPORT_INTERVAL).await;
        if reports.changed().await.is_err() {
            break;
        }
    }
    shared.leads.store(false, Ordering::Release);
}

/// Whether this node keeps the time, and for whom.
fn follow_leadership(shared: &Shared, metrics: &Metrics) {
    if metrics.state == ServerState::Leader {
        let voters = metrics.membership_config.get_joint_config().clone();
        shared.time.lead(metrics.id, metrics.current_term, voters);
    } else {
        shared.time.follow();
    }
}

/// What a report must differ in to be told on.
type Told = (u64, ServerState, Option<NodeId>, Option<LogId>);

fn publish(shared: &Shared, metrics: &Metrics, told: &mut Option<Told>) {
    let membership = *metrics.membership_config.log_id();
    let now = (metrics.current_term, metrics.state, metrics.current_leader, membership);
    if *told == Some(now) {
        return;
    }
    *told = Some(now);
    observe_leadership(shared, metrics);
}

/// Lets everything in this process know what the core reports about leadership. A leader that gave
/// its leadership up because its disk hangs knows of no leader: its core cannot note another one
/// before the disk answers.
pub(crate) fn observe_leadership(shared: &Shared, metrics: &Metrics) {
    let gave_up = shared.disk_stall.gave_up();
    let is_self = metrics.state == ServerState::Leader && !gave_up;
    let leader = metrics.current_leader.filter(|leader| !gave_up || *leader != metrics.id);
    shared.leads.store(is_self, Ordering::Release);
    let status = status(shared);
    let moved = status.moved();
    let before = shared.statuses.send_replace(status).moved();
    if let Some(moved) = moved.filter(|_| before.is_none()) {
        tracing::warn!("{moved}");
    }
    let term = metrics.current_term;
    shared.leadership.send_replace(Leadership { term, leader, is_self });
}

impl Shared {
    /// Waits until this node hears a leader, no longer than an election may take. A node that
    /// takes no part in a cluster waits for nothing.
    pub(crate) async fn wait_to_hear_leader(&self) {
        let heartbeat = Duration::from_millis(self.config.load().raft.heartbeat_ms);
        let mut leadership = self.leadership.subscribe();
        let takes_part = || self.core.get().is_some() && self.ended.borrow().is_none();
        let heard = async {
            while takes_part() && !status(self).hears_leader() {
                // A leader that is heard again changes nothing that could be awaited.
                let _ = tokio::time::timeout(heartbeat, leadership.changed()).await;
            }
        };
        let _ = tokio::time::timeout(self.leader_patience(), heard).await;
    }
}

/// The group at this moment.
pub(crate) fn status(shared: &Shared) -> RaftStatus {
    let facts = shared.meta.facts();
    let log = shared.log.stats();
    let checkpoints = &shared.checkpoints.stats;
    let time_ahead_ms = shared.time.ahead().map(|(ahead_ms, _)| ahead_ms);
    let mut status = RaftStatus {
        node_id: facts.node_id,
        cluster_id: facts.cluster_id,
        group: Some(shared.group_id),
        role: RaftRole::Stopped,
        applied: shared.applied.index(),
        checkpoint_index: shared.checkpoints.index().unwrap_or(0),
        checkpoint_bytes: checkpoints.bytes.load(Ordering::Relaxed),
        checkpoint_ms: checkpoints.duration_ms.load(Ordering::Relaxed),
        checkpoints: checkpoints.written.load(Ordering::Relaxed),
        checkpoint_at_ms: checkpoints.finished_at_ms.load(Ordering::Relaxed),
        checkpoint_running: checkpoints.running.load(Ordering::Relaxed),
        checkpoint_no_room: checkpoints.no_room.load(Ordering::Relaxed)
            || shared.incoming.lacks_room(),
        elections: shared.counters.elections.load(Ordering::Relaxed),
        forwarded: shared.counters.forwarded.load(Ordering::Relaxed),
        log_bytes: log.bytes,
        log_cache_bytes: log.ring_bytes as u64,
        log_segments: log.segments as u64,
        flush: timings(&shared.log.flush_histogram()),
        apply: timings(&shared.applied.times()),
        disk_free_bytes: shared.room.free_bytes(),
        disk_full: shared.disk_full(),
        feature_level: shared.applied.feature_level(),
        disk_stalled: shared.disk_stall.is_stalled(),
        disk_silent_ms: shared.log.disk_silent_for().map_or(0, |it| it.as_millis() as u64),
        log_unflushed_bytes: shared.log.unflushed_bytes(),
        queued_bytes: shared.queued.waiting(),
        queue_refusals: shared.queued.refused(),
        log_reversions: shared.counters.reversions.count(),
        incarnation_index: shared.incarnations.registered_at(),
        unconfirmed: shared.incarnations.doubts().now().map(|doubt| doubt.to_string()),
        clock_offset_ms: shared.time.clock_offset_ms(),
        clock_wrong: shared.eligibility.is_clock_wrong(),
        time_ahead_ms,
        time_spoiled: time_ahead_ms.is_some_and(|ahead_ms| shared.is_spoiled(ahead_ms)),
        ..RaftStatus::default()
    };
    if let Some(metrics) = shared.metrics() {
        fill(&mut status, shared, &metrics);
    }
    status
}

fn fill(status: &mut RaftStatus, shared: &Shared, metrics: &Metrics) {
    let index = |id: &Option<LogId>| id.map_or(0, |id| id.index);
    status.term = metrics.current_term;
    let gave_up = shared.disk_stall.gave_up();
    status.leader = metrics.current_leader.filter(|leader| !gave_up || *leader != metrics.id);
    status.last_log = metrics.last_log_index.unwrap_or(0);
    status.committed = index(&metrics.cluster_committed)
        .max(index(&metrics.last_applied))
        .max(shared.contacts.committed());
    status.purged = index(&metrics.purged);
    status.role = match metrics.state {
        _ if shared.ended.borrow().is_some() => RaftRole::Stopped,
        ServerState::Leader if gave_up => RaftRole::Follower,
        ServerState::Leader => RaftRole::Leader,
        ServerState::Candidate => RaftRole::Candidate,
        ServerState::Follower => RaftRole::Follower,
        ServerState::Learner => RaftRole::Learner,
        ServerState::Shutdown => RaftRole::Stopped,
    };
    let is_leader = status.is_leader();
    status.leader_contact_ms =
        if is_leader { quorum_age_ms(metrics) } else { shared.contact_age_ms() };
    status.feature_levels = shared.member_levels(metrics);
    let members = metrics.membership_config.nodes().map(|(id, _)| *id);
    status.digests = shared.apply.digests.report(members);
    shared.contacts.lead(metrics);
    let seen = |id| shared.contacts.of(metrics, status.leader_contact_ms, id);
    let membership = metrics.membership_config.membership();
    let own = &shared.addresses;
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

pub(crate) fn matched(metrics: &Metrics, id: NodeId) -> Option<u64> {
    if id == metrics.id {
        return metrics.last_log_index;
    }
    metrics.replication.as_ref()?.get(&id).copied().flatten().map(|id| id.index)
}

/// Milliseconds since a majority last acknowledged this leader.
pub(crate) fn quorum_age_ms(metrics: &Metrics) -> Option<u64> {
    if leads_alone(metrics) {
        return Some(0);
    }
    let at = metrics.last_quorum_acked.filter(|_| metrics.state == ServerState::Leader);
    at.map(|at| at.into_inner().elapsed().as_millis() as u64)
}

/// Whether a member answers this leader.
pub(crate) fn is_reachable(metrics: &Metrics, id: NodeId) -> bool {
    answered_since(metrics, id, MEMBER_SILENCE_MAX)
}

/// Whether a member has answered something that this leader sent less than `ago` ago.
pub(crate) fn answered_since(metrics: &Metrics, id: NodeId, ago: Duration) -> bool {
    if id == metrics.id {
        return true;
    }
    let heartbeats = metrics.heartbeat.as_ref();
    let answered = heartbeats.and_then(|all| all.get(&id).copied().flatten());
    answered.is_some_and(|at| at.into_inner().elapsed() < ago)
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
