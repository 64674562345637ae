//! The large encoding: one tree by score for ranks and ranges, one by hash for a member's score.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;

use super::{Score, Scored};
use crate::base::hash::stable_hash;
use crate::data::tree::{Element, Tree};
use crate::data::types::hashed_member::{self, HashedMember};

/// Both trees hold the same members.
#[derive(Debug, Clone, Default)]
pub(super) struct Indexed {
    pub(super) by_score: Tree<Scored>,
    by_member: Tree<MemberScore>,
}

/// A member's entry in the index.
#[derive(Debug, Clone)]
struct MemberScore {
    key: HashedMember,
    score: Score,
}

/// Heap bytes of one member besides its content.
pub(super) const OVERHEAD_BYTES: usize = size_of::<Scored>() + size_of::<MemberScore>() + 32;

impl Element for Scored {
    type Key = Self;

    fn key(&self) -> &Self {
        self
    }
}

impl Element for MemberScore {
    type Key = HashedMember;

    fn key(&self) -> &HashedMember {
        &self.key
    }
}

impl Indexed {
    /// From distinct members in order of score.
    pub(super) fn from_sorted(members: Vec<Scored>) -> Self {
        let index = |scored: &Scored| MemberScore {
            key: HashedMember::new(scored.member.clone()),
            score: scored.score,
        };
        let mut by_member: Vec<MemberScore> = members.iter().map(index).collect();
        by_member.sort_unstable_by(|a, b| a.key.order(b.key.hash, &b.key.member));
        Self { by_score: members.into_iter().collect(), by_member: by_member.into_iter().collect() }
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<Score> {
        let hash = stable_hash(member);
        let found = self.by_member.find_hashed(hash, |key| key.order(hash, member));
        found.map(|entry| entry.score)
    }

    /// Adds a copy of `member` or changes its score; returns the previous score.
    pub(super) fn insert(&mut self, member: &[u8], score: Score) -> Option<Score> {
        let hash = stable_hash(member);
        let entry = self.by_member.find_hashed_mut(hash, |key| key.order(hash, member));
        let old = entry.map(|entry| {
            // An equal score may differ in the sign of zero; the first one is kept.
            let new = if entry.score == score { entry.score } else { score };
            std::mem::replace(&mut entry.score, new)
        });
        match old {
            Some(old) if old == score => {}
            Some(old) => self.move_by_score(member, old, score),
            None => {
                // Both trees share one copy.
                let member = Bytes::copy_from_slice(member);
                let key = HashedMember { hash, member: member.clone() };
                let entry = MemberScore { key, score };
                self.by_member.upsert_by(|key| key.order(hash, &member), entry);
                self.insert_by_score(Scored { score, member });
            }
        }
        old
    }

    fn move_by_score(&mut self, member: &[u8], old: Score, new: Score) {
        if let Some(scored) = self.by_score.remove_by(|key| key.order(old, member)) {
            self.insert_by_score(Scored { score: new, ..scored });
        }
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<Score> {
        let score = self.forget(member)?;
        self.by_score.remove_by(|key| key.order(score, member));
        Some(score)
    }

    pub(super) fn remove_range(&mut self, range: Range<usize>) {
        let members: Vec<Bytes> =
            self.by_score.range(range.clone()).map(|scored| scored.member.clone()).collect();
        if members.len() == self.by_score.len() {
            *self = Self::default();
            return;
        }
        for member in members {
            self.forget(&member);
        }
        self.by_score.remove_range(range);
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, Score)> {
        let score = self.score(member)?;
        let rank = self.by_score.search_by(|key| key.order(score, member)).ok()?;
        Some((rank, score))
    }

    /// Number of members before the first one for which `is_past` is true.
    pub(super) fn partition_point(&self, is_past: impl Fn(&Scored) -> bool) -> usize {
        let compare = |key: &Scored| match is_past(key) {
            true => Ordering::Greater,
            false => Ordering::Less,
        };
        self.by_score.search_by(compare).unwrap_or_else(|rank| rank)
    }

    /// One page of a scan in hash order and the next cursor.
    pub(super) fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<Scored>) {
        let (next, page) = hashed_member::scan(&self.by_member, cursor, count);
        let scored =
            |entry: &MemberScore| Scored { score: entry.score, member: entry.key.member.clone() };
        (next, page.into_iter().map(scored).collect())
    }

    fn insert_by_score(&mut self, scored: Scored) {
        let (score, member) = (scored.score, scored.member.clone());
        self.by_score.upsert_by(|key| key.order(score, &member), scored);
    }

    fn forget(&mut self, member: &[u8]) -> Option<Score> {
        let hash = stable_hash(member);
        self.by_member.remove_by(|key| key.order(hash, member)).map(|entry| entry.score)
    }
}
