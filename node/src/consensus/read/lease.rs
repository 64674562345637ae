//! Who may answer reads alone, and for how long a restarted node must not vote.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use openraft::{Instant as _, ServerState};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::pauses::Pauses;
use crate::base::clock::Clock;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::types::{LeaderId, Metrics};

/// The gate in front of local reads. Open while no other node can have become leader: a quorum
/// acknowledged this one within the lease, an entry of its own term is applied, it has not begun to
/// hand over leadership, and its machine was not paused since it sent what was acknowledged.
pub(crate) struct ReadGate {
    origin: Instant,
    /// Nanoseconds after `origin`; 0 when closed.
    open_until: AtomicU64,
    pauses: Pauses,
    closed: Mutex<Closed>,
}

/// What keeps the gate closed whatever is acknowledged.
#[derive(Debug, Default)]
struct Closed {
    /// The leadership that was handed over. A hand-over overrides leases on other nodes at an
    /// unknown time, so the gate stays closed for the rest of that leadership even if it seems to
    /// have failed.
    handed_over: Option<LeaderId>,
    /// When it was noticed that the machine had been paused. What was sent before counts no more:
    /// the lease is measured by a clock that stood still.
    paused: Option<Instant>,
}

impl ReadGate {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let (open_until, closed) = (AtomicU64::new(0), Mutex::default());
        Self { origin: Instant::now(), open_until, pauses: Pauses::new(clock), closed }
    }

    /// Whether what was read until now may be answered.
    pub(crate) fn is_open(&self) -> bool {
        let until = self.open_until.load(Ordering::Acquire);
        if until == 0 || self.nanoseconds(Instant::now()) >= until {
            return false;
        }
        // Last: a pause before this is seen here, and one after it comes after the question.
        if !self.pauses.may_have_been() {
            return true;
        }
        let mut closed = self.closed.lock();
        self.heed_pause(&mut closed);
        self.open_until.load(Ordering::Acquire) != 0
    }

    /// Takes over what the core reports; `lease` counts from the quorum's last acknowledgement.
    pub(crate) fn update(&self, metrics: &Metrics, lease: Duration) {
        let mut closed = self.closed.lock();
        self.heed_pause(&mut closed);
        let end = lease_end(metrics, lease, &closed);
        let until = end.map_or(0, |end| self.nanoseconds(end));
        self.open_until.store(until, Ordering::Release);
    }

    /// Closes the gate for the rest of this leadership. To be called before the hand-over begins.
    pub(crate) fn close_for(&self, leader: LeaderId) {
        self.closed.lock().handed_over = Some(leader);
        self.open_until.store(0, Ordering::Release);
    }

    fn heed_pause(&self, closed: &mut Closed) {
        if let Some(pause) = self.pauses.notice() {
            closed.paused = Some(Instant::now());
            self.open_until.store(0, Ordering::Release);
            tracing::info!(?pause, "the machine was paused; reads wait for a majority's answer");
        }
    }

    fn nanoseconds(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.origin).as_nanos() as u64
    }
}

fn lease_end(metrics: &Metrics, lease: Duration, closed: &Closed) -> Option<Instant> {
    let own = metrics.vote.leader_id;
    let leads = metrics.state == ServerState::Leader
        && metrics.vote.committed
        && own.node_id == metrics.id
        && metrics.membership_config.voter_ids().any(|voter| voter == metrics.id);
    // Entries of former leaders may be committed without this leader knowing it before one of
    // its own is.
    let current = metrics.last_applied.is_some_and(|applied| applied.leader_id == own);
    if !leads || !current || closed.handed_over == Some(own) {
        return None;
    }
    let now = Instant::now();
    // `now` is from before the age was measured, so what was sent then seems no younger than it is.
    let age = metrics.last_quorum_acked?.into_inner().elapsed();
    let sent_after = |at: Instant| now.checked_sub(age).is_some_and(|sent| sent > at);
    let counts = closed.paused.is_none_or(sent_after);
    (counts && age < lease).then(|| now + (lease - age))
}

/// Keeps a restarted node from voting until every lease that it may have granted before is over: a
/// restart forgets them, and a leader may still be answering reads on its strength.
#[derive(Debug)]
pub(crate) struct RestartGuard {
    until: Option<Instant>,
    lifted: AtomicBool,
}

impl RestartGuard {
    /// `lease_max` covers the longest lease with a margin. A brand-new directory has granted
    /// nothing.
    pub(crate) fn new(brand_new: bool, lease_max: Duration) -> Self {
        let until =
            (!brand_new && !seeded(Bug::NoRestartGuard)).then(|| Instant::now() + lease_max);
        Self { until, lifted: AtomicBool::new(false) }
    }

    /// Whether this node must not vote, pre-vote or campaign.
    pub(crate) fn is_active(&self) -> bool {
        !self.lifted.load(Ordering::Acquire)
            && self.until.is_some_and(|until| Instant::now() < until)
    }

    /// Ends the guard early: this node is the only voter, so it has no leader but itself to
    /// protect.
    pub(crate) fn lift(&self) {
        self.lifted.store(true, Ordering::Release);
    }

    /// Returns when the guard is over.
    pub(crate) async fn over(&self) {
        if let Some(until) = self.until
            && self.is_active()
        {
            tokio::time::sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_restarted_node_keeps_from_voting_for_one_lease() {
        let guard = RestartGuard::new(false, Duration::from_millis(100));
        assert!(guard.is_active());
        guard.over().await;
        assert!(!guard.is_active());
        assert!(!RestartGuard::new(true, Duration::from_millis(100)).is_active());
    }
}
