//! What a group tells about itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};

use super::shared::{Ended, Leadership, Shared, leads_alone};
use super::types::{LogId, Metrics, Raft};
use crate::base::ids::NodeId;
use crate::services::cluster::topology::FlushTimes;
use crate::services::cluster::{Member, MemberRole, RaftRole, RaftStatus};

/// Reports closer together than this are taken as one. The gate does not suffer: a lease that is
/// not renewed for so short a time is still good, and one that must end ends by itself.
const REPORT_INTERVAL: Duration = Duration::from_millis(5);

/// A member counts as reachable when it answered a heartbeat within this.
const REACHABLE_WITHIN: Duration = Duration::from_millis(1500);

/// Follows the core's reports; runs on the raft thread and ends with the core.
pub(crate) async fn observe(shared: Arc<Shared>, raft: Raft) {
    let mut reports = raft.metrics();
    let mut term = 0;
    let mut told = None;
    loop {
        let metrics = reports.borrow_and_update().clone();
        shared.gate.update(&metrics, shared.lease());
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

/// What a report must differ in to be told on.
type Told = (u64, ServerState, Option<NodeId>, Option<LogId>);

fn publish(shared: &Shared, metrics: &Metrics, told: &mut Option<Told>) {
    let is_self = metrics.state == ServerState::Leader;
    shared.leads.store(is_self, Ordering::Release);
    let membership = *metrics.membership_config.log_id();
    let now = (metrics.current_term, metrics.state, metrics.current_leader, membership);
    if *told == Some(now) {
        return;
    }
    *told = Some(now);
    shared.statuses.send_replace(status(shared));
    let (term, leader) = (metrics.current_term, metrics.current_leader);
    shared.leadership.send_replace(Leadership { term, leader, is_self });
}

/// The group at this moment.
pub(crate) fn status(shared: &Shared) -> RaftStatus {
    let facts = shared.meta.facts();
    let log = shared.log.stats();
    let checkpoints = &shared.checkpoints.stats;
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
        elections: shared.counters.elections.load(Ordering::Relaxed),
        log_bytes: log.bytes,
        log_cache_bytes: log.ring_bytes as u64,
        log_segments: log.segments as u64,
        flush: flush_times(shared),
        disk_free_bytes: shared.room.free_bytes(),
        disk_full: shared.disk_full(),
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
    status.leader = metrics.current_leader;
    status.last_log = metrics.last_log_index.unwrap_or(0);
    status.committed = index(&metrics.cluster_committed).max(index(&metrics.last_applied));
    status.purged = index(&metrics.purged);
    status.role = match metrics.state {
        _ if shared.ended.borrow().is_some() => RaftRole::Stopped,
        ServerState::Leader => RaftRole::Leader,
        ServerState::Candidate => RaftRole::Candidate,
        ServerState::Follower => RaftRole::Follower,
        ServerState::Learner => RaftRole::Learner,
        ServerState::Shutdown => RaftRole::Stopped,
    };
    let is_leader = metrics.state == ServerState::Leader;
    status.leader_contact_ms =
        if is_leader { quorum_age_ms(metrics) } else { shared.contact_age_ms() };
    let membership = metrics.membership_config.membership();
    let voters: std::collections::BTreeSet<_> = membership.voter_ids().collect();
    status.members = membership
        .nodes()
        .map(|(id, addresses)| Member {
            node_id: *id,
            role: if voters.contains(id) { MemberRole::Voter } else { MemberRole::Learner },
            raft_address: addresses.raft.clone(),
            client_address: addresses.client.clone(),
            http_address: addresses.http.clone(),
            matched: matched(metrics, *id),
            reachable: is_reachable(metrics, *id),
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

/// As far as this node can tell: the leader knows of everyone, others of their leader.
pub(crate) fn is_reachable(metrics: &Metrics, id: NodeId) -> bool {
    if id == metrics.id || (metrics.current_leader == Some(id)) {
        return true;
    }
    let Some(heartbeats) = &metrics.heartbeat else { return metrics.current_leader.is_some() };
    let answered = heartbeats.get(&id).copied().flatten();
    answered.is_some_and(|at| at.into_inner().elapsed() < REACHABLE_WITHIN)
}

fn flush_times(shared: &Shared) -> FlushTimes {
    let histogram = shared.log.flush_histogram();
    FlushTimes {
        count: histogram.len(),
        total_us: (histogram.mean() * histogram.len() as f64) as u64,
        p50_us: histogram.value_at_quantile(0.5),
        p99_us: histogram.value_at_quantile(0.99),
        max_us: histogram.max(),
    }
}
