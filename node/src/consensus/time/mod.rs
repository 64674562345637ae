//! The time of the group: what entries are stamped with and what reads compare deadlines with.
//!
//! Time is a line, `boot clock + offset`, which the leader keeps and tells with every message. Its
//! rate is that of the leader's boot clock; a majority of the voters' wall clocks corrects it, so
//! no single clock moves it. Four rules make it safe to show a time to a client:
//!
//! 1. The leader shows no time that a majority of voters was not told: followers keep the line that
//!    they were told and report it, and a new leader begins at the latest line of a majority.
//! 2. It shows no time after the stamp of an entry that is not applied yet.
//! 3. It stamps no entry before a time that it has shown or may show.
//! 4. It neither stamps nor shows anything before a majority has reported in its term, and the
//!    first entry of its term is applied.
//!
//! So a key that one linearizable read called expired is expired for every later read and entry,
//! whichever node leads. `docs/consistency.md` says what this rests on.

pub(crate) mod reset;
mod agreement;
mod in_flight;
mod line;
#[cfg(test)]
mod tests;
mod voters;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

pub(crate) use self::agreement::VoterSets;
use self::in_flight::InFlight;
pub(crate) use self::in_flight::Stamped;
use self::line::{Line, slewed};
use self::voters::Voters;
use crate::base::clock::Clock;
use crate::base::group_time::GroupTime;
use crate::base::ids::NodeId;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::state_machine::progress::Applied;

/// What a node has heard about time from another one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FollowerTime {
    /// Its wall clock, Unix microseconds; 0 when it does not tell.
    pub(crate) clock_us: u64,
    /// The leader's time as it reckons it, Unix microseconds; 0 when it does not tell.
    pub(crate) time_us: u64,
    /// How many times the time had been set back.
    pub(crate) epoch: u32,
    /// For how long it keeps from voting, milliseconds; 0 when it does not tell.
    pub(crate) lease_ms: u64,
}

/// What a leader tells about time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LeaderTime {
    /// Its time, Unix microseconds; 0 when it knows none.
    pub(crate) time_us: u64,
    /// How many times the time had been set back.
    pub(crate) epoch: u32,
    /// The wall clock of a majority, Unix microseconds; 0 when there is none.
    pub(crate) clock_us: u64,
}

/// See the module.
pub(crate) struct ClusterTime {
    clock: Arc<dyn Clock>,
    applied: Arc<Applied>,
    /// While this node leads and a majority has reported: what it may show.
    shown_line: Line,
    /// While this node leads and a majority has reported: its time.
    leader_line: Line,
    /// What the leader told last, and what this node kept itself while it led.
    told_line: Line,
    /// What a majority's wall clocks agree on.
    clock_line: Line,
    /// How many times the time had been set back that the three lines are of. They are cleared
    /// before it rises, so a line that is read after it is no older than it says.
    epoch: AtomicU32,
    /// The latest time taken for a read, answered or not: a [`GroupTime`].
    taken: AtomicU64,
    /// The latest time of a linearizable read that was answered: a [`GroupTime`].
    answered: AtomicU64,
    /// The term that `leader_line` belongs to.
    settled_term: AtomicU64,
    lease_ms_max: AtomicU64,
    in_flight: Arc<InFlight>,
    voters: Mutex<Voters>,
}

impl ClusterTime {
    pub(crate) fn new(clock: Arc<dyn Clock>, applied: Arc<Applied>) -> Self {
        Self {
            clock,
            applied,
            shown_line: Line::default(),
            leader_line: Line::default(),
            told_line: Line::default(),
            clock_line: Line::default(),
            epoch: AtomicU32::new(0),
            taken: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            settled_term: AtomicU64::new(0),
            lease_ms_max: AtomicU64::new(u64::MAX),
            in_flight: Arc::default(),
            voters: Mutex::default(),
        }
    }

    /// The time for a linearizable read on this leader. To be used only when it turns out
    /// afterwards that no other node led; [`ClusterTime::note_answered`] then comes before the
    /// answer.
    pub(crate) fn take(&self) -> GroupTime {
        self.heed_reset();
        let least = self.known();
        let Some(line) = self.on(&self.shown_line) else { return least };
        let time = line.min(self.in_flight.limit()).max(least);
        self.taken.fetch_max(time.to_bits(), Ordering::SeqCst);
        // An entry that was stamped before the line above is in flight by now.
        time.min(self.in_flight.limit()).max(least)
    }

    /// A linearizable read with this time is about to be answered here or on another node.
    pub(crate) fn note_answered(&self, time: GroupTime) {
        if self.answered.load(Ordering::Acquire) < time.to_bits() {
            self.answered.fetch_max(time.to_bits(), Ordering::AcqRel);
        }
    }

    /// What no read on this node may be before.
    pub(crate) fn known(&self) -> GroupTime {
        let answered = GroupTime::from_bits(self.answered.load(Ordering::Acquire));
        self.applied.time().max(answered)
    }

    /// The time for reads that may be stale: what the leader told and what has passed since.
    pub(crate) fn stale(&self) -> GroupTime {
        let known = self.known();
        if seeded(Bug::FollowerClockReads) {
            return GroupTime::new(known.epoch(), self.clock.unix_ms()).max(known);
        }
        let line = self.on(&self.shown_line).or_else(|| self.on(&self.told_line));
        line.map_or(known, |line| line.min(self.in_flight.limit()).max(known))
    }

    /// Where one of the three lines is now.
    fn on(&self, line: &Line) -> Option<GroupTime> {
        // First, see the field.
        let epoch = self.epoch.load(Ordering::Acquire);
        let time_us = line.at(self.clock.boot_us())?;
        Some(GroupTime::new(epoch, time_us / 1000))
    }

    /// The stamp of a new entry of the leader of `term`; `None` while its time is not known.
    pub(crate) fn stamp(&self, term: u64) -> Option<(GroupTime, Stamped)> {
        self.heed_reset();
        if self.settled_term.load(Ordering::Acquire) != term {
            return None;
        }
        let line = self.on(&self.leader_line)?;
        Some(self.in_flight.begin(|| {
            let taken = GroupTime::from_bits(self.taken.load(Ordering::SeqCst));
            let stamp = line.max(taken).max(self.known());
            // The next stamp is not below this one.
            self.taken.fetch_max(stamp.to_bits(), Ordering::SeqCst);
            stamp
        }))
    }

    /// Whether a majority has reported to this leader of `term`.
    pub(crate) fn is_settled(&self, term: u64) -> bool {
        self.settled_term.load(Ordering::Acquire) == term
    }

    /// The shortest time for which those that this leader has heard keep from voting,
    /// milliseconds.
    pub(crate) fn lease_ms_max(&self) -> u64 {
        self.lease_ms_max.load(Ordering::Acquire)
    }

    /// How far this node's wall clock is ahead of a majority's, milliseconds.
    pub(crate) fn clock_offset_ms(&self) -> Option<i64> {
        let right_us = self.clock_line.at(self.clock.boot_us())?;
        Some((self.clock.unix_us() as i64).saturating_sub(right_us as i64) / 1000)
    }

    /// How far another voter's wall clock is ahead of a majority's, milliseconds; known to the
    /// leader.
    pub(crate) fn offset_of(&self, id: NodeId) -> Option<i64> {
        let right = self.clock_line.offset()?;
        Some(self.voters.lock().clock_offset(id)?.saturating_sub(right) / 1000)
    }

    /// What this node tells while it leads.
    pub(crate) fn leader_time(&self) -> LeaderTime {
        let now = self.clock.boot_us();
        let clock_us = self.clock_line.at(now).unwrap_or(0);
        let epoch = self.epoch.load(Ordering::Acquire);
        let Some(line_us) = self.leader_line.at(now) else {
            return LeaderTime { time_us: 0, epoch, clock_us };
        };
        let taken = GroupTime::from_bits(self.taken.load(Ordering::SeqCst));
        if taken > GroupTime::new(epoch, line_us / 1000) {
            return LeaderTime { time_us: taken.ms() * 1000, epoch: taken.epoch(), clock_us };
        }
        LeaderTime { time_us: line_us, epoch, clock_us }
    }

    /// What this node tells while it follows: the time, and how often it had been set back.
    pub(crate) fn follower_time(&self) -> (u64, u32) {
        let epoch = self.epoch.load(Ordering::Acquire);
        (self.told_line.at(self.clock.boot_us()).unwrap_or(0), epoch)
    }

    /// How far this leader's time is ahead of a majority's clocks, and what these show, Unix
    /// milliseconds; `None` while they do not agree, or this node does not lead.
    pub(crate) fn ahead(&self) -> Option<(i64, u64)> {
        let now = self.clock.boot_us();
        let (time_us, clock_us) = (self.leader_line.at(now)?, self.clock_line.at(now)?);
        let log_us = self.applied.time().ms().saturating_mul(1000);
        let ahead_us = i128::from(time_us.max(log_us)) - i128::from(clock_us);
        Some((i64::try_from(ahead_us / 1000).unwrap_or(i64::MAX), clock_us / 1000))
    }

    /// The boot clock, to note when a message came.
    pub(crate) fn boot_us(&self) -> u64 {
        self.clock.boot_us()
    }

    /// What a leader told whose message, received at `at_us` of the boot clock, was accepted.
    pub(crate) fn heard_leader(&self, told: LeaderTime, at_us: u64) {
        let mut voters = self.voters.lock();
        self.stop_leading(&mut voters);
        // A leader of a version that does not tell, or one that has just been elected.
        if told.time_us == 0 {
            return;
        }
        let clock = (told.clock_us > 0).then(|| Line::through(told.clock_us, at_us));
        self.clock_line.set(clock);
        self.enter_epoch(told.epoch.max(self.applied.time().epoch()));
        // A leader that has not applied yet what it leads: its time is one that was set back.
        if told.epoch < self.epoch.load(Ordering::Acquire) {
            return;
        }
        let offset = Line::through(told.time_us, at_us);
        let elapsed_us = at_us.saturating_sub(std::mem::replace(&mut voters.told_at_us, at_us));
        let kept = self.told_line.offset().map(|old| slewed(old, offset, elapsed_us));
        self.told_line.set(Some(kept.unwrap_or(offset)));
    }

    /// What a follower told that accepted a request which this node sent as the leader of `term`.
    pub(crate) fn heard_follower(&self, from: NodeId, term: u64, told: FollowerTime) {
        let now = self.clock.boot_us();
        let mut voters = self.voters.lock();
        if voters.heard(from, term, told, now) {
            self.correct(&mut voters, now);
        }
    }

    /// This node leads, in `term`, these voters.
    pub(crate) fn lead(&self, own: NodeId, term: u64, sets: VoterSets) {
        let now = self.clock.boot_us();
        let mut voters = self.voters.lock();
        voters.lead(own, term, sets);
        self.correct(&mut voters, now);
    }

    /// This node does not lead.
    pub(crate) fn follow(&self) {
        self.stop_leading(&mut self.voters.lock());
    }

    fn stop_leading(&self, voters: &mut Voters) {
        if self.settled_term.swap(0, Ordering::AcqRel) == 0 {
            return;
        }
        let led = self.leader_line.offset();
        self.told_line.set(led.max(self.told_line.offset()));
        voters.told_at_us = self.clock.boot_us();
        self.shown_line.set(None);
        self.leader_line.set(None);
        self.clock_line.set(None);
        voters.forget();
        self.lease_ms_max.store(u64::MAX, Ordering::Release);
    }

    /// Forgets the times before the time was set back. With the lock of the voters held.
    fn enter_epoch(&self, epoch: u32) {
        if epoch <= self.epoch.load(Ordering::Acquire) {
            return;
        }
        for line in [&self.shown_line, &self.leader_line, &self.told_line] {
            line.set(None);
        }
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Makes up for an entry, applied a moment ago, that sets the time back.
    fn heed_reset(&self) {
        if self.applied.time().epoch() > self.epoch.load(Ordering::Acquire) {
            self.correct(&mut self.voters.lock(), self.clock.boot_us());
        }
    }

    /// Corrects the leader's line by what is known of the voters.
    fn correct(&self, voters: &mut Voters, now: u64) {
        self.lease_ms_max.store(voters.lease_ms_max(), Ordering::Release);
        let own_clock = Line::through(self.clock.unix_us(), now);
        let applied = self.applied.time();
        self.enter_epoch(applied.epoch());
        let epoch = self.epoch.load(Ordering::Acquire);
        let Some(agreed) = voters.agree(own_clock, epoch, now) else { return };
        self.clock_line.set(agreed.clock());
        let settled = self.settled_term.load(Ordering::Acquire) == voters.term;
        if !settled && agreed.clocks.is_none() {
            return;
        }
        let before = self.leader_line.offset().filter(|_| settled);
        // What it leads may hold an entry, not applied yet, that sets the time back.
        let log_us = if applied.epoch() == epoch { applied.ms().saturating_mul(1000) } else { 0 };
        let log = Line::through(log_us, now);
        let begin = || agreed.latest_told.max(self.told_line.offset());
        let base = before.or_else(begin).map_or(log, |base| base.max(log));
        let elapsed_us = now.saturating_sub(std::mem::replace(&mut voters.corrected_at_us, now));
        let elapsed_us = if settled { elapsed_us } else { 0 };
        let line = agreed
            .clocks
            .map_or(base, |(low, high)| slewed(base, high.min(base), elapsed_us).max(low));
        let line = if seeded(Bug::UnboundedStamp) { base.max(own_clock) } else { line };
        if before.is_some_and(|before| line > before + JUMP_US) {
            let ahead_ms = (line - base) / 1000;
            tracing::warn!(ahead_ms, "the cluster's time jumps ahead: a majority's clocks say so");
        }
        self.leader_line.set(Some(line));
        self.shown_line.set(Some(line.min(agreed.told)));
        self.settled_term.store(voters.term, Ordering::Release);
    }
}

/// A jump that is worth a line in the log.
const JUMP_US: i64 = 1_000_000;
