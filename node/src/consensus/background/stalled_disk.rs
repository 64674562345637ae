//! A disk that does not answer. Nothing else would notice: a leader commits with the flushes of its
//! followers and sends heartbeats without its own disk, while all that it cannot flush stays in
//! its memory. So once a write or flush has been unanswered for `log.stall_ms_max`, the leader
//! hands its leadership over, or falls silent if it cannot, and until the disk has answered for a
//! while the node does not stand for election.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::base::config::LiveConfig;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::leadership::participation::Participation;
use crate::consensus::leadership::who_leads::{LeadershipState, Publish};
use crate::consensus::lifetime::Lifetime;
use crate::consensus::membership::change::Expected;
use crate::consensus::membership::change::transfer::Transfers;
use crate::consensus::raft_handle::Raft;
use crate::consensus::raft_metrics::leads_alone;
use crate::consensus::storage::log::Log;

/// How often the disk is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long the successor has to be elected before this leader falls silent.
const HAND_OVER_PATIENCE: Duration = Duration::from_secs(1);

/// What the watch of the disk needs.
pub(crate) struct StalledDisk {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) participation: Arc<Participation>,
    pub(crate) log: Log,
    pub(crate) transfers: Arc<Transfers>,
    pub(crate) publish: Publish,
}

impl StalledDisk {
    /// Looks again and again, until the group stops; runs on the raft thread.
    pub(crate) async fn watch(self, raft: Raft) {
        let mut last_stall: Option<Instant> = None;
        while !self.lifetime.stopping.load(Ordering::Relaxed) {
            sleep(INTERVAL).await;
            let limit = Duration::from_millis(self.config.load().log.stall_ms_max);
            let silent = self.log.disk_silent_for().unwrap_or_default();
            if !limit.is_zero() && silent >= limit && !seeded(Bug::HungDiskLeads) {
                last_stall = Some(Instant::now());
                self.begin(&raft, silent);
                self.give_up(&raft).await;
            } else if let Some(at) = last_stall {
                self.resume(&raft);
                // A disk that hangs now and again must not take the leadership each time.
                if at.elapsed() >= limit {
                    last_stall = None;
                    self.end(&raft);
                }
            }
        }
    }

    fn begin(&self, raft: &Raft, silent: Duration) {
        // Each time: the end of the restart guard allows it too.
        raft.runtime_config().elect(false);
        if !self.participation.disk_stall.stalled.swap(true, Ordering::AcqRel) {
            let unflushed_bytes = self.log.unflushed_bytes();
            tracing::error!(
                silent_ms = silent.as_millis() as u64,
                unflushed_bytes,
                "the disk of the log does not answer: this node does not lead until it does"
            );
        }
    }

    /// Hands over or falls silent, once for each stall.
    async fn give_up(&self, raft: &Raft) {
        let metrics = self.participation.raft.metrics();
        let Some(metrics) = metrics.filter(|_| self.leadership.is_leader()) else { return };
        let gave_up = &self.participation.disk_stall.gave_up;
        if leads_alone(&metrics) || gave_up.swap(true, Ordering::AcqRel) {
            return;
        }
        // First of all, so that what is still confirmed by followers cannot prolong a lease for
        // reads.
        self.leadership.gate.close_for(metrics.vote.leader_id);
        (self.publish)(&metrics);
        let handing_over = self.transfers.transfer(None, Expected::Any);
        match timeout(HAND_OVER_PATIENCE, handing_over).await {
            Ok(Ok(())) => tracing::info!("leadership was handed over because of the disk"),
            Ok(Err(error)) => tracing::warn!(%error, "no hand-over: this leader falls silent"),
            Err(_) => tracing::warn!("no hand-over in time: this leader falls silent"),
        }
        raft.runtime_config().heartbeat(false);
    }

    /// The disk answers: what this node leads, if it still does, it leads again.
    fn resume(&self, raft: &Raft) {
        if !self.participation.disk_stall.gave_up.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Some(metrics) = self.participation.raft.metrics() {
            (self.publish)(&metrics);
        }
        if !self.participation.is_in_doubt() {
            raft.runtime_config().heartbeat(true);
        }
    }

    fn end(&self, raft: &Raft) {
        self.participation.disk_stall.stalled.store(false, Ordering::Release);
        raft.runtime_config().elect(self.participation.may_stand());
        tracing::info!("the disk of the log answers again");
    }
}
