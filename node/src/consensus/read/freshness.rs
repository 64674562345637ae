//! How old the state of this node may be, for reads that may be stale.
//!
//! A follower stamps its answers with a clock of its own, and the leader sends the last stamp back
//! with its commit index. When such a request is accepted, everything acknowledged before the stamp
//! lies at or below that index; once that is applied, the state is no older than the stamp. Neither
//! slow messages nor clocks that differ can make it look newer, nor a suspension of the machine:
//! the clock is the boot clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ironkv_proto::raft::v1::{LeaderReport, Stamp};
use openraft::{Instant as _, ServerState};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::pauses::Pauses;
use crate::base::clock::Clock;
use crate::base::ids::NodeId;
use crate::base::random::entropy;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::shared::leads_alone;
use crate::consensus::types::Metrics;

/// Reports that wait for apply; beyond it the newest two become one.
const WAITING_MAX: usize = 64;

/// See the module. Moments are microseconds of the boot clock since the start of the process, at
/// least 1.
pub(crate) struct Freshness {
    clock: Arc<dyn Clock>,
    origin_us: u64,
    /// Tells the stamps of this process from those of one before it.
    life: u64,
    /// The state was as new as the cluster's at this moment; 0 for never since the start.
    fresh_at: AtomicU64,
    waiting: Mutex<VecDeque<Waiting>>,
    /// On a leader: when a majority last confirmed it; 0 while this node does not lead or has not
    /// applied an entry of its own term.
    confirmed_at: AtomicU64,
    /// On a leader: pauses of the machine. The core tells when a majority confirmed it by a clock
    /// that stands still meanwhile.
    pauses: Pauses,
    /// When the last one was noticed.
    paused: Mutex<Option<Instant>>,
    /// On a leader: the last stamp of each follower.
    stamps: Mutex<BTreeMap<NodeId, Stamp>>,
}

/// Once this index is applied, the state is as new as the cluster's was at that moment.
#[derive(Debug)]
struct Waiting {
    committed: u64,
    at: u64,
}

/// The only voter is confirmed at any time.
const ALWAYS: u64 = u64::MAX;

impl Freshness {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            origin_us: clock.boot_us(),
            pauses: Pauses::new(clock.clone()),
            paused: Mutex::default(),
            clock,
            life: entropy(),
            fresh_at: AtomicU64::new(0),
            waiting: Mutex::default(),
            confirmed_at: AtomicU64::new(0),
            stamps: Mutex::default(),
        }
    }

    fn now(&self) -> u64 {
        if seeded(Bug::FreshnessStandsStill) {
            return self.clock.awake_us().saturating_sub(self.origin_us).max(1);
        }
        self.clock.boot_us().saturating_sub(self.origin_us).max(1)
    }

    /// For an answer to the leader.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { life: self.life, age_us: self.now() }
    }

    /// A follower has answered this leader.
    pub(crate) fn heard_follower(&self, from: NodeId, stamp: Option<&Stamp>) {
        if let Some(stamp) = stamp {
            self.stamps.lock().insert(from, *stamp);
        }
    }

    /// Takes over what the core reports about the leadership of this node.
    pub(crate) fn update(&self, metrics: &Metrics) {
        let own = metrics.vote.leader_id;
        // Entries of former leaders may be committed without this leader knowing it before one of
        // its own is.
        let leads = metrics.state == ServerState::Leader
            && metrics.last_applied.is_some_and(|applied| applied.leader_id == own);
        let confirmed_at = if !leads {
            Some(0)
        } else if leads_alone(metrics) {
            Some(ALWAYS)
        } else {
            metrics
                .last_quorum_acked
                .map_or(Some(0), |at| self.confirmed(|| at.into_inner().elapsed()))
        };
        if let Some(confirmed_at) = confirmed_at {
            self.confirmed_at.store(confirmed_at, Ordering::Release);
        }
    }

    /// The moment of a confirmation that was sent `age` ago; `None` for one from before a pause of
    /// the machine, whose age is not known.
    fn confirmed(&self, age: impl FnOnce() -> Duration) -> Option<u64> {
        let mut paused = self.paused.lock();
        // First: a pause after it makes the confirmation look older, and one before it is noticed.
        let (now, instant) = (self.now(), Instant::now());
        if self.pauses.notice().is_some() {
            *paused = Some(Instant::now());
        }
        let age = age();
        let sent_after = |paused| instant.checked_sub(age).is_some_and(|sent| sent > paused);
        let counts = paused.is_none_or(sent_after);
        counts.then(|| now.saturating_sub(age.as_micros() as u64))
    }

    /// What goes to this follower beside the commit index.
    pub(crate) fn report_to(&self, to: NodeId, report: &mut LeaderReport) {
        let echo = self.stamps.lock().get(&to).copied();
        let confirmed_at = self.confirmed_at.load(Ordering::Acquire);
        if confirmed_at > 0 {
            report.quorum_age_us = self.now().saturating_sub(confirmed_at);
            report.echo = echo;
        }
    }

    /// The report of a leader that was accepted. One of version 0.1.0 sends no report: its commit
    /// index counts from when the request came in, `age` ago.
    pub(crate) fn heard_leader(
        &self,
        report: Option<&LeaderReport>,
        committed: u64,
        age: Duration,
        applied: u64,
    ) {
        let at = match report {
            None => self.now().saturating_sub(age.as_micros() as u64),
            Some(report) => match report.echo {
                Some(echo) if echo.life == self.life => {
                    echo.age_us.saturating_sub(report.quorum_age_us)
                }
                _ => return,
            },
        };
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING_MAX {
            waiting.pop_back();
        }
        waiting.push_back(Waiting { committed, at });
        self.settle(&mut waiting, applied);
    }

    fn settle(&self, waiting: &mut VecDeque<Waiting>, applied: u64) {
        while waiting.front().is_some_and(|first| first.committed <= applied) {
            let at = waiting.pop_front().map_or(0, |first| first.at);
            self.fresh_at.fetch_max(at, Ordering::AcqRel);
        }
    }

    /// How old what is applied may be, milliseconds; `None` when it is not known since the start.
    pub(crate) fn age_ms(&self, applied: u64, wanted_ms: u64) -> Option<u64> {
        let age_ms = self.known_age_ms();
        if age_ms.is_some_and(|age_ms| age_ms <= wanted_ms) {
            return age_ms;
        }
        self.settle(&mut self.waiting.lock(), applied);
        self.known_age_ms()
    }

    fn known_age_ms(&self) -> Option<u64> {
        let confirmed_at = self.confirmed_at.load(Ordering::Acquire);
        let at = self.fresh_at.load(Ordering::Acquire).max(confirmed_at);
        (at > 0).then(|| self.now().saturating_sub(at) / 1000)
    }
}

impl std::fmt::Debug for Freshness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Freshness").field("fresh_at", &self.fresh_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "freshness_test.rs"]
mod tests;
