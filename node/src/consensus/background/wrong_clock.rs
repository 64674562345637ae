//! A node whose wall clock is far from a majority's should not lead: the cluster's time survives
//! one wrong clock, but not a second one. Such a node does not stand for election while others
//! may, and hands leadership over. When no other node comes to lead, it stands after all: a cluster
//! without a leader is worse.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::config::LiveConfig;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::leadership::participation::Participation;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::membership::change::Expected;
use crate::consensus::membership::change::transfer::Transfers;
use crate::consensus::raft_handle::Raft;
use crate::consensus::time::ClusterTime;
use crate::consensus::types::Metrics;

const INTERVAL: Duration = Duration::from_millis(100);

/// Between two attempts to hand leadership over.
const TRANSFER_INTERVAL: Duration = Duration::from_secs(10);

/// Longest election timeouts without a leader after which a node stands whatever its clock says.
const ELECTIONS_LEFT_TO_OTHERS: u64 = 3;

/// What the watch of the clock needs.
pub(crate) struct WrongClock {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) participation: Arc<Participation>,
    pub(crate) time: Arc<ClusterTime>,
    pub(crate) transfers: Arc<Transfers>,
}

impl WrongClock {
    /// Watches this node's clock while the core runs; on the raft thread.
    pub(crate) async fn watch(self, raft: Raft) {
        let mut transferred: Option<Instant> = None;
        while !self.lifetime.stopping.load(Ordering::Relaxed) {
            tokio::time::sleep(INTERVAL).await;
            let Some(metrics) = self.participation.raft.metrics() else { return };
            let wrong = self.judge();
            self.bar(&raft, &metrics, wrong);
            let due = transferred.is_none_or(|at| at.elapsed() >= TRANSFER_INTERVAL);
            if wrong && due && self.leadership.is_leader() {
                transferred = Some(Instant::now());
                self.give_way(&metrics).await;
            }
        }
    }

    /// Whether the clock is wrong; told once at each change.
    fn judge(&self) -> bool {
        let offset_ms = self.time.clock_offset_ms();
        let wrong = !self.transfers.is_right(offset_ms);
        let offset_ms = offset_ms.unwrap_or(0);
        let was_wrong = &self.participation.eligibility.clock_wrong;
        match (was_wrong.swap(wrong, Ordering::Relaxed), wrong) {
            (false, true) => tracing::error!(
                offset_ms,
                "this machine's clock is far ahead of a majority's, or behind it: set it right; \
                 until then the node leads only if no other can"
            ),
            (true, false) => tracing::info!(offset_ms, "this machine's clock is right again"),
            _ => {}
        }
        wrong
    }

    fn bar(&self, raft: &Raft, metrics: &Metrics, wrong: bool) {
        let alone = metrics.membership_config.voter_ids().all(|voter| voter == metrics.id);
        let longest_ms = self.config.load().raft.election_timeout_max_ms;
        let left_ms = ELECTIONS_LEFT_TO_OTHERS.saturating_mul(longest_ms);
        let silent_ms = self.leadership.contact_age_ms();
        let heard = silent_ms.is_some_and(|silent_ms| silent_ms <= left_ms)
            || seeded(Bug::ClockBarsForever);
        let barred = wrong && heard && !alone;
        let was_barred = &self.participation.eligibility.barred;
        if was_barred.swap(barred, Ordering::Relaxed) == barred {
            return;
        }
        if wrong && !barred {
            tracing::warn!("no other node has come to lead: this one stands in spite of its clock");
        }
        raft.runtime_config().elect(self.participation.may_stand());
    }

    /// Hands leadership to a voter whose clock is right, if there is one that can take it.
    async fn give_way(&self, metrics: &Metrics) {
        let Ok(successor) = self.transfers.pick_successor(metrics, None) else { return };
        if !self.transfers.may_lead(successor) || self.time.offset_of(successor).is_none() {
            tracing::warn!("no voter with a right clock can lead: this node goes on leading");
            return;
        }
        match self.transfers.transfer(Some(successor), Expected::Any).await {
            Ok(()) => tracing::info!(%successor, "leadership went to a node with a right clock"),
            Err(error) => tracing::warn!(%error, "leadership was not handed over"),
        }
    }
}
