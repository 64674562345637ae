//! What a leader knows of the time of its voters.

use std::collections::BTreeMap;

use super::FollowerTime;
use super::agreement::{VoterSets, not_exceeded, reached};
use super::line::Line;
use crate::base::ids::NodeId;

/// Wall clocks that differ by more agree on nothing, microseconds.
const AGREEMENT_US_MAX: i64 = 1_000_000;

/// The voters of one term, and the followers among them that reported in it.
#[derive(Debug, Default)]
pub(super) struct Voters {
    own: NodeId,
    pub(super) term: u64,
    sets: VoterSets,
    followers: BTreeMap<NodeId, Follower>,
    /// When the leader's line was last corrected, boot clock.
    pub(super) corrected_at_us: u64,
    /// When a leader last told its time, boot clock.
    pub(super) told_at_us: u64,
}

/// A clock that was not heard of for longer says nothing of now: it may have been set meanwhile. A
/// leader that holds a lease has heard a majority much later than that.
const CLOCK_AGE_US_MAX: u64 = 1_000_000;

/// Offsets of lines.
#[derive(Debug, Clone, Copy)]
struct Follower {
    /// When it reported, boot clock.
    at_us: u64,
    /// `None` when its version does not tell.
    clock: Option<i64>,
    /// `None` when no leader has told it a time.
    told: Option<i64>,
    /// What that time belongs to.
    epoch: u32,
    /// 0 when its version does not tell.
    lease_ms: u64,
}

impl Follower {
    fn told_in(self, epoch: u32) -> Option<i64> {
        self.told.filter(|_| self.epoch == epoch)
    }

    /// The line that it will report to the next leader. One whose version does not tell is not
    /// waited for.
    fn promised(self, epoch: u32) -> i64 {
        if self.lease_ms == 0 { i64::MAX } else { self.told_in(epoch).unwrap_or(NEVER_TOLD) }
    }
}

/// Before any time, without overflows.
const NEVER_TOLD: i64 = i64::MIN / 4;

/// What a majority says: offsets of lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreed {
    /// The highest that a majority's clocks reach, and the lowest that a majority's do not exceed.
    /// `None` while fewer than a majority have reported of late.
    pub(super) clocks: Option<(i64, i64)>,
    /// The highest line that a majority was told.
    pub(super) told: i64,
    /// The highest line that any voter was told.
    pub(super) latest_told: Option<i64>,
}

impl Agreed {
    /// The wall clock of a majority, unless those that are known differ too much to tell which is
    /// right.
    pub(super) fn clock(&self) -> Option<i64> {
        let (low, high) = self.clocks?;
        let apart = high.saturating_sub(low);
        (apart <= AGREEMENT_US_MAX).then_some(low + apart / 2)
    }
}

impl Voters {
    /// Takes note of a report; whether it may change anything.
    pub(super) fn heard(&mut self, from: NodeId, term: u64, told: FollowerTime, now: u64) -> bool {
        if term < self.term {
            return false;
        }
        if term > self.term {
            // Reports come before this node has taken note that it leads.
            self.begin(term);
        }
        let line = |time_us: u64| (time_us > 0).then(|| Line::through(time_us, now));
        let (clock, time) = (line(told.clock_us), line(told.time_us));
        let FollowerTime { epoch, lease_ms, .. } = told;
        self.followers.insert(from, Follower { at_us: now, clock, told: time, epoch, lease_ms });
        !self.sets.is_empty()
    }

    pub(super) fn lead(&mut self, own: NodeId, term: u64, sets: VoterSets) {
        if term > self.term {
            self.begin(term);
        }
        (self.own, self.sets) = (own, sets);
    }

    fn begin(&mut self, term: u64) {
        self.term = term;
        self.forget();
    }

    pub(super) fn forget(&mut self) {
        self.sets.clear();
        self.followers.clear();
    }

    /// Zero with a follower that does not tell.
    pub(super) fn lease_ms_max(&self) -> u64 {
        self.voting().map(|follower| follower.lease_ms).min().unwrap_or(u64::MAX)
    }

    pub(super) fn clock_offset(&self, id: NodeId) -> Option<i64> {
        self.followers.get(&id)?.clock
    }

    fn voting(&self) -> impl Iterator<Item = &Follower> {
        let votes = |id: &NodeId| self.sets.iter().any(|set| set.contains(id));
        self.followers.iter().filter(move |(id, _)| votes(id)).map(|(_, follower)| follower)
    }

    /// `None` before a majority has reported. Times count that belong to this epoch. A follower
    /// whose version does not tell its clock is taken to agree with this node's, as all did in that
    /// version.
    pub(super) fn agree(&self, own_clock: i64, epoch: u32, now: u64) -> Option<Agreed> {
        let fresh = |follower: &&Follower| now.saturating_sub(follower.at_us) <= CLOCK_AGE_US_MAX;
        let clock = |id: NodeId| match self.followers.get(&id).filter(fresh) {
            _ if id == self.own => Some(own_clock),
            follower => follower.map(|follower| follower.clock.unwrap_or(own_clock)),
        };
        let told = |id: NodeId| match self.followers.get(&id) {
            _ if id == self.own => Some(i64::MAX),
            follower => follower.map(|follower| follower.promised(epoch)),
        };
        Some(Agreed {
            clocks: reached(&self.sets, clock).zip(not_exceeded(&self.sets, clock)),
            told: reached(&self.sets, told)?,
            latest_told: self.voting().filter_map(|follower| follower.told_in(epoch)).max(),
        })
    }
}
