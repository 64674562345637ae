//! Follows what the core reports.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::timeout;

use super::silent_members::SilentMembers;
use super::who_leads::{LeadershipState, Publish};
use crate::base::config::LiveConfig;
use crate::base::ids::NodeId;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::lifetime::{Ended, Lifetime};
use crate::consensus::network::contacts::Contacts;
use crate::consensus::raft_handle::Raft;
use crate::consensus::raft_metrics;
use crate::consensus::read::freshness::Freshness;
use crate::consensus::time::ClusterTime;
use crate::consensus::types::{LogId, Metrics};

/// Reports closer together than this are taken as one. The gate does not suffer: a lease that is
/// not renewed for so short a time is still good, and one that must end ends by itself.
const REPORT_INTERVAL: Duration = Duration::from_millis(5);

/// What follows the reports of the core.
pub(crate) struct Observer {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) time: Arc<ClusterTime>,
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) contacts: Arc<Contacts>,
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) publish: Publish,
}

/// What a report must differ in to be told on.
type Told = (u64, ServerState, Option<NodeId>, Option<LogId>, bool);

impl Observer {
    /// Runs on the raft thread and ends with the core.
    pub(crate) async fn observe(self, raft: Raft) {
        let mut reports = raft.metrics();
        let mut term = 0;
        let (mut told, mut silent) = (None, SilentMembers::new());
        loop {
            let metrics = reports.borrow_and_update().clone();
            self.follow_leadership(&metrics);
            self.leadership.gate.update(&metrics, self.lease());
            self.freshness.update(&metrics);
            self.contacts.lead(&metrics);
            if let Err(error) = &metrics.running_state {
                // On an orderly stop the word was given before.
                if !self.lifetime.stopping.load(Ordering::Acquire) {
                    self.lifetime.end(Ended::Failed(error.to_string()));
                }
                break;
            }
            if metrics.current_term > term {
                term = metrics.current_term;
                self.leadership.elections.fetch_add(1, Ordering::Relaxed);
            }
            self.publish(&metrics, &mut told);
            silent.check(&metrics);
            tokio::time::sleep(REPORT_INTERVAL).await;
            // A majority that falls silent changes nothing that the core reports.
            let silence_max = self.config.load().raft.majority_silence();
            if let Ok(Err(_)) = timeout(silence_max, reports.changed()).await {
                break;
            }
        }
        self.leadership.leads.store(false, Ordering::Release);
    }

    /// Whether this node keeps the time, and for whom.
    fn follow_leadership(&self, metrics: &Metrics) {
        if metrics.state == ServerState::Leader {
            let voters = metrics.membership_config.get_joint_config().clone();
            self.time.lead(metrics.id, metrics.current_term, voters);
        } else {
            self.time.follow();
        }
    }

    /// How long after a quorum's acknowledgement this node may answer reads alone. Shorter than
    /// the silence after which any of those that acknowledge votes for another, by their settings
    /// and not only by this node's, so that clocks may run at different rates.
    fn lease(&self) -> Duration {
        let raft = &self.config.load().raft;
        let percent = u64::from(raft.lease_percent.min(100));
        let granted_ms = match self.time.lease_ms_max() {
            _ if seeded(Bug::LeaseOfOwnConfig) => raft.leader_lease_ms(),
            granted_ms => granted_ms.min(raft.leader_lease_ms()),
        };
        Duration::from_millis(granted_ms * percent / 100)
    }

    fn publish(&self, metrics: &Metrics, told: &mut Option<Told>) {
        let membership = *metrics.membership_config.log_id();
        let silence_max = self.config.load().raft.majority_silence();
        let alone = raft_metrics::lost_majority(metrics, silence_max);
        let now = (metrics.current_term, metrics.state, metrics.current_leader, membership, alone);
        if *told == Some(now) {
            return;
        }
        *told = Some(now);
        (self.publish)(metrics);
    }
}
