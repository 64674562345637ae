//! A node whose wall clock is far from a majority's should not lead: the cluster's time survives
//! one wrong clock, but not a second one. Such a node does not stand for election while others
//! may, and hands leadership over. When no other node comes to lead, it stands after all: a cluster
//! without a leader is worse.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::change::{self, Expected};
use crate::base::ids::NodeId;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::shared::Shared;
use crate::consensus::types::{Metrics, Raft};

const INTERVAL: Duration = Duration::from_millis(100);

/// Between two attempts to hand leadership over.
const TRANSFER_INTERVAL: Duration = Duration::from_secs(10);

/// Longest election timeouts without a leader after which a node stands whatever its clock says.
const ELECTIONS_LEFT_TO_OTHERS: u64 = 3;

/// What is known of this node's clock.
#[derive(Debug, Default)]
pub(crate) struct Eligibility {
    /// Its clock is too far off.
    clock_wrong: AtomicBool,
    /// For that reason it does not stand for election.
    barred: AtomicBool,
}

impl Eligibility {
    pub(crate) fn is_clock_wrong(&self) -> bool {
        self.clock_wrong.load(Ordering::Relaxed)
    }

    pub(crate) fn is_barred(&self) -> bool {
        self.barred.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Whether a clock that is so far ahead of a majority's is right enough to lead. One of which
    /// nothing is known is.
    fn is_right(&self, offset_ms: Option<i64>) -> bool {
        let bound_ms = self.config.load().raft.clock_offset_max_ms;
        offset_ms.is_none_or(|offset_ms| offset_ms.unsigned_abs() <= bound_ms)
    }

    /// Whether nothing keeps this node from standing for election.
    pub(crate) fn may_stand(&self) -> bool {
        !self.guard.is_active()
            && !self.disk_stall.is_stalled()
            && !self.eligibility.is_barred()
            && !self.is_in_doubt()
            && !self.has_objection()
    }

    /// Whether another voter's clock allows it to lead, as far as this leader knows.
    pub(crate) fn may_lead(&self, id: NodeId) -> bool {
        self.is_right(self.time.offset_of(id))
    }
}

/// Watches this node's clock while the core runs; on the raft thread.
pub(crate) async fn watch(shared: Arc<Shared>, raft: Raft) {
    let mut transferred: Option<Instant> = None;
    while !shared.stopping.load(Ordering::Relaxed) {
        tokio::time::sleep(INTERVAL).await;
        let Some(metrics) = shared.metrics() else { return };
        let wrong = judge(&shared);
        bar(&shared, &raft, &metrics, wrong);
        let due = transferred.is_none_or(|at| at.elapsed() >= TRANSFER_INTERVAL);
        if wrong && due && shared.is_leader() {
            transferred = Some(Instant::now());
            give_way(&shared, &metrics).await;
        }
    }
}

/// Whether the clock is wrong; told once at each change.
fn judge(shared: &Shared) -> bool {
    let offset_ms = shared.time.clock_offset_ms();
    let wrong = !shared.is_right(offset_ms);
    let offset_ms = offset_ms.unwrap_or(0);
    match (shared.eligibility.clock_wrong.swap(wrong, Ordering::Relaxed), wrong) {
        (false, true) => tracing::error!(
            offset_ms,
            "this machine's clock is far ahead of a majority's, or behind it: set it right; until \
             then the node leads only if no other can"
        ),
        (true, false) => tracing::info!(offset_ms, "this machine's clock is right again"),
        _ => {}
    }
    wrong
}

fn bar(shared: &Shared, raft: &Raft, metrics: &Metrics, wrong: bool) {
    let alone = metrics.membership_config.voter_ids().all(|voter| voter == metrics.id);
    let longest_ms = shared.config.load().raft.election_timeout_max_ms;
    let left_ms = ELECTIONS_LEFT_TO_OTHERS.saturating_mul(longest_ms);
    let heard = shared.contact_age_ms().is_some_and(|silent_ms| silent_ms <= left_ms)
        || seeded(Bug::ClockBarsForever);
    let barred = wrong && heard && !alone;
    if shared.eligibility.barred.swap(barred, Ordering::Relaxed) == barred {
        return;
    }
    if wrong && !barred {
        tracing::warn!("no other node has come to lead: this one stands in spite of its clock");
    }
    raft.runtime_config().elect(shared.may_stand());
}

/// Hands leadership to a voter whose clock is right, if there is one that can take it.
async fn give_way(shared: &Arc<Shared>, metrics: &Metrics) {
    let Ok(successor) = change::pick_successor(shared, metrics, None) else { return };
    if !shared.may_lead(successor) || shared.time.offset_of(successor).is_none() {
        tracing::warn!("no voter with a right clock can lead: this node goes on leading");
        return;
    }
    match change::transfer(shared, Some(successor), Expected::Any).await {
        Ok(()) => tracing::info!(%successor, "leadership went to a node with a right clock"),
        Err(error) => tracing::warn!(%error, "leadership was not handed over"),
    }
}
