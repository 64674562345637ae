//! Who leads, as far as this node knows, and when it last heard a leader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use openraft::ServerState;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::ids::NodeId;
use crate::consensus::raft_handle::RaftHandle;
use crate::consensus::raft_metrics;
use crate::consensus::read::lease::ReadGate;
use crate::consensus::types::Metrics;
use crate::services::cluster::RaftStatus;

/// Who leads, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Leadership {
    pub(crate) term: u64,
    pub(crate) leader: Option<NodeId>,
    pub(crate) is_self: bool,
}

/// Lets everything in this process know what the core reports about leadership.
pub(crate) type Publish = Arc<dyn Fn(&Metrics) + Send + Sync>;

/// See the module.
pub(crate) struct LeadershipState {
    config: Arc<LiveConfig>,
    raft: Arc<RaftHandle>,
    pub(crate) gate: ReadGate,
    pub(crate) leads: AtomicBool,
    pub(crate) leadership: watch::Sender<Leadership>,
    pub(crate) statuses: watch::Sender<RaftStatus>,
    /// When a leader was last heard, microseconds after `origin`; 0 for never.
    pub(crate) contact: AtomicU64,
    pub(crate) origin: Instant,
    /// Terms that were seen to begin since the start.
    pub(crate) elections: AtomicU64,
}

impl LeadershipState {
    pub(crate) fn new(
        config: Arc<LiveConfig>,
        raft: Arc<RaftHandle>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            config,
            raft,
            gate: ReadGate::new(clock),
            leads: AtomicBool::new(false),
            leadership: watch::Sender::default(),
            statuses: watch::Sender::default(),
            contact: AtomicU64::new(0),
            origin: Instant::now(),
            elections: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    pub(crate) async fn wait_for_leader(&self) -> Option<NodeId> {
        let mut leadership = self.leadership.subscribe();
        let known = leadership.wait_for(|now| now.leader.is_some());
        let timeout = self.config.load().raft.leader_patience();
        let found = tokio::time::timeout(timeout, known).await;
        found.ok()?.ok()?.leader
    }

    /// Whether this node leads, or follows a leader that it heard a moment ago.
    pub(crate) fn hears_leader(&self) -> bool {
        let silence_ms_max = self.config.load().raft.leader_silence_ms();
        let heard = || self.contact_age_ms().is_some_and(|age_ms| age_ms <= silence_ms_max);
        self.is_leader() || (self.leadership.borrow().leader.is_some() && heard())
    }

    /// A leader of this cluster was heard.
    pub(crate) fn note_contact(&self) {
        let now = self.origin.elapsed().as_micros() as u64;
        self.contact.store(now.max(1), Ordering::Relaxed);
    }

    /// Milliseconds since a leader was heard; 0 on a leader that its followers still acknowledge.
    pub(crate) fn contact_age_ms(&self) -> Option<u64> {
        let reports = || self.raft.metrics();
        let leads_alone =
            || self.is_leader() && reports().as_ref().is_some_and(raft_metrics::leads_alone);
        if self.gate.is_open() || leads_alone() {
            return Some(0);
        }
        match self.contact.load(Ordering::Relaxed) {
            0 => None,
            heard => Some((self.origin.elapsed().as_micros() as u64).saturating_sub(heard) / 1000),
        }
    }

    /// Takes over what the core reports about leadership. A leader that has resigned knows of no
    /// leader: its core notes another one only when it is heard and the disk answers.
    pub(crate) fn publish(
        &self,
        metrics: &Metrics,
        resigned: bool,
        status: impl FnOnce() -> RaftStatus,
    ) {
        let is_self = metrics.state == ServerState::Leader && !resigned;
        let leader = metrics.current_leader.filter(|leader| !resigned || *leader != metrics.id);
        self.leads.store(is_self, Ordering::Release);
        let status = status();
        let moved = status.moved();
        let before = self.statuses.send_replace(status).moved();
        if let Some(moved) = moved.filter(|_| before.is_none()) {
            tracing::warn!("{moved}");
        }
        let term = metrics.current_term;
        let before = self.leadership.send_replace(Leadership { term, leader, is_self });
        if before.leader != leader || before.term != term {
            match leader {
                Some(leader) if is_self => tracing::info!(term, %leader, "this node leads"),
                Some(leader) => tracing::info!(term, %leader, "follows a leader"),
                None if resigned => tracing::warn!(term, "this node does not lead any more"),
                None => tracing::info!(term, "no leader is known"),
            }
        }
    }
}
