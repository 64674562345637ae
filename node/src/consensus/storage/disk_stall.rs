//! A disk that does not answer. Nothing else would notice: a leader commits with the flushes of its
//! followers and sends heartbeats without its own disk, while all that it cannot flush stays in
//! its memory. So once a write or flush has been unanswered for `log.stall_ms_max`, the leader
//! hands its leadership over, or falls silent if it cannot, and until the disk has answered for a
//! while the node does not stand for election.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::base::seeded::{Bug, seeded};
use crate::consensus::membership::change::{self, Expected};
use crate::consensus::shared::{Shared, leads_alone};
use crate::consensus::status;
use crate::consensus::types::Raft;

/// How often the disk is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long the successor has to be elected before this leader falls silent.
const HAND_OVER_PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the disk.
#[derive(Debug, Default)]
pub(crate) struct DiskStall {
    stalled: AtomicBool,
    gave_up: AtomicBool,
}

impl DiskStall {
    /// Whether this node must not stand for election because of its disk.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    /// Whether this leader has given its leadership up: nothing may enter its log.
    pub(crate) fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::Acquire)
    }
}

/// Looks again and again, until the group stops; runs on the raft thread.
pub(crate) async fn watch(shared: Arc<Shared>, raft: Raft) {
    let mut last_stall: Option<Instant> = None;
    while !shared.stopping.load(Ordering::Relaxed) {
        sleep(INTERVAL).await;
        let limit = Duration::from_millis(shared.config.load().log.stall_ms_max);
        let silent = shared.log.disk_silent_for().unwrap_or_default();
        if !limit.is_zero() && silent >= limit && !seeded(Bug::HungDiskLeads) {
            last_stall = Some(Instant::now());
            begin(&shared, &raft, silent);
            give_up(&shared, &raft).await;
        } else if let Some(at) = last_stall {
            resume(&shared, &raft);
            // A disk that hangs now and again must not take the leadership each time.
            if at.elapsed() >= limit {
                last_stall = None;
                end(&shared, &raft);
            }
        }
    }
}

fn begin(shared: &Shared, raft: &Raft, silent: Duration) {
    // Each time: the end of the restart guard allows it too.
    raft.runtime_config().elect(false);
    if !shared.disk_stall.stalled.swap(true, Ordering::AcqRel) {
        let unflushed_bytes = shared.log.unflushed_bytes();
        tracing::error!(
            silent_ms = silent.as_millis() as u64,
            unflushed_bytes,
            "the disk of the log does not answer: this node does not lead until it does"
        );
    }
}

/// Hands over or falls silent, once for each stall.
async fn give_up(shared: &Arc<Shared>, raft: &Raft) {
    let Some(metrics) = shared.metrics().filter(|_| shared.is_leader()) else { return };
    if leads_alone(&metrics) || shared.disk_stall.gave_up.swap(true, Ordering::AcqRel) {
        return;
    }
    // First of all, so that what is still confirmed by followers cannot prolong a lease for reads.
    shared.gate.close_for(metrics.vote.leader_id);
    status::observe_leadership(shared, &metrics);
    let handing_over = change::transfer(shared, None, Expected::Any);
    match timeout(HAND_OVER_PATIENCE, handing_over).await {
        Ok(Ok(())) => tracing::info!("leadership was handed over because of the disk"),
        Ok(Err(error)) => tracing::warn!(%error, "no hand-over: this leader falls silent"),
        Err(_) => tracing::warn!("no hand-over in time: this leader falls silent"),
    }
    raft.runtime_config().heartbeat(false);
}

/// The disk answers: what this node leads, if it still does, it leads again.
fn resume(shared: &Shared, raft: &Raft) {
    if !shared.disk_stall.gave_up.swap(false, Ordering::AcqRel) {
        return;
    }
    if let Some(metrics) = shared.metrics() {
        status::observe_leadership(shared, &metrics);
    }
    if !shared.is_in_doubt() {
        raft.runtime_config().heartbeat(true);
    }
}

fn end(shared: &Shared, raft: &Raft) {
    shared.disk_stall.stalled.store(false, Ordering::Release);
    raft.runtime_config().elect(shared.may_stand());
    tracing::info!("the disk of the log answers again");
}
