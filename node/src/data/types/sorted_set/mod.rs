//! The sorted set type: distinct members ordered by score, then by bytes.

mod bounds;
mod indexed;
mod score;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use either::Either;

pub use self::bounds::{LexBound, ScoreBound};
use self::indexed::Indexed;
pub use self::score::Score;
use super::{TypedValue, conversions};
use crate::data::keyspace::Settings;

/// How a sorted set is stored. Conversions go only forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortedSetEncoding {
    /// Few short members.
    Listpack,
    /// Any members, found by score and by member.
    Skiplist,
}

/// A member and its score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scored {
    /// The first order.
    pub score: Score,
    /// The order of members with equal scores.
    pub member: Bytes,
}

impl Scored {
    /// How this member compares to another one.
    fn order(&self, score: Score, member: &[u8]) -> Ordering {
        self.score.cmp(&score).then_with(|| self.member.as_ref().cmp(member))
    }
}

/// A `zset` value.
#[derive(Debug, Clone)]
pub struct SortedSetValue {
    storage: Storage,
    /// Sum of the members' lengths.
    content_bytes: usize,
}

#[derive(Debug, Clone)]
enum Storage {
    /// Sorted.
    Packed(Arc<Vec<Scored>>),
    Indexed(Indexed),
}

impl SortedSetValue {
    /// From members in any order (the last of duplicates counts), in the encoding that `settings`
    /// selects.
    pub fn from_members(members: impl IntoIterator<Item = Scored>, settings: &Settings) -> Self {
        let mut members: Vec<Scored> = members.into_iter().collect();
        // A stable sort keeps the order of duplicates, and because of the reversal the last one
        // wins.
        members.reverse();
        members.sort_by(|a, b| a.member.cmp(&b.member));
        members.dedup_by(|a, b| a.member == b.member);
        Self::from_distinct(members, settings)
    }

    /// From distinct members in any order, in the encoding that `settings` selects.
    pub fn from_distinct(mut members: Vec<Scored>, settings: &Settings) -> Self {
        members.sort_unstable_by(|a, b| a.order(b.score, &b.member));
        let longest = members.iter().map(|scored| scored.member.len()).max().unwrap_or(0);
        let content_bytes = members.iter().map(|scored| scored.member.len()).sum();
        let storage = match is_small(members.len(), longest, settings) {
            true => Storage::Packed(Arc::new(members.into_iter().map(packed).collect())),
            false => Storage::Indexed(Indexed::from_sorted(members)),
        };
        Self { storage, content_bytes }
    }

    /// From distinct members in the order of [`SortedSetValue::iter`], in a given encoding, for
    /// checkpoints and snapshots. `None` if they are out of order.
    pub fn from_stored(
        encoding: SortedSetEncoding,
        members: impl IntoIterator<Item = Scored>,
    ) -> Option<Self> {
        let members: Vec<Scored> = members.into_iter().collect();
        if !members.is_sorted_by(|a, b| a.order(b.score, &b.member).is_lt()) {
            return None;
        }
        let content_bytes = members.iter().map(|scored| scored.member.len()).sum();
        let storage = match encoding {
            SortedSetEncoding::Listpack => Storage::Packed(Arc::new(members)),
            SortedSetEncoding::Skiplist => Storage::Indexed(Indexed::from_sorted(members)),
        };
        Some(Self { storage, content_bytes })
    }

    /// How the sorted set is stored.
    pub const fn stored_encoding(&self) -> SortedSetEncoding {
        match self.storage {
            Storage::Packed(_) => SortedSetEncoding::Listpack,
            Storage::Indexed(_) => SortedSetEncoding::Skiplist,
        }
    }

    /// Members.
    pub fn len(&self) -> usize {
        match &self.storage {
            Storage::Packed(members) => members.len(),
            Storage::Indexed(indexed) => indexed.by_score.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All members, lowest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Scored> + ExactSizeIterator {
        self.range(0..self.len())
    }

    /// The members of a range of ranks, which must be within the sorted set, lowest first.
    pub fn range(
        &self,
        range: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = &Scored> + ExactSizeIterator {
        match &self.storage {
            Storage::Packed(members) => Either::Left(members[range].iter()),
            Storage::Indexed(indexed) => Either::Right(indexed.by_score.range(range)),
        }
    }

    /// The member of this rank, lowest 0.
    pub fn get(&self, rank: usize) -> Option<&Scored> {
        match &self.storage {
            Storage::Packed(members) => members.get(rank),
            Storage::Indexed(indexed) => indexed.by_score.get(rank),
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<Score> {
        match &self.storage {
            Storage::Packed(members) => find(members, member).map(|at| members[at].score),
            Storage::Indexed(indexed) => indexed.score(member),
        }
    }

    /// The rank, lowest 0, and the score of a member.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, Score)> {
        match &self.storage {
            Storage::Packed(members) => find(members, member).map(|at| (at, members[at].score)),
            Storage::Indexed(indexed) => indexed.rank(member),
        }
    }

    /// The ranks of the members with a score between two bounds.
    pub fn score_range(&self, min: ScoreBound, max: ScoreBound) -> Range<usize> {
        let start = self.partition_point(|scored| min.admits_from_below(scored.score.get()));
        let end = self.partition_point(|scored| !max.admits_from_above(scored.score.get()));
        start..end.max(start)
    }

    /// The ranks of the members between two bounds, if all members have one score.
    pub fn lex_range(&self, min: &LexBound, max: &LexBound) -> Range<usize> {
        let start = self.partition_point(|scored| min.admits_from_below(&scored.member));
        let end = self.partition_point(|scored| !max.admits_from_above(&scored.member));
        start..end.max(start)
    }

    /// Adds a copy of `member` or changes its score; returns the previous score.
    pub fn insert(&mut self, member: &[u8], score: Score, settings: &Settings) -> Option<Score> {
        if let Storage::Packed(members) = &mut self.storage {
            if let Some(at) = find(members, member) {
                let old = members[at].score;
                if old != score {
                    let members = Arc::make_mut(members);
                    let scored = members.remove(at);
                    insert_sorted(members, Scored { score, ..scored });
                }
                return Some(old);
            }
            self.expect(self.len() + 1, member.len(), settings);
        }
        let old = match &mut self.storage {
            Storage::Packed(members) => {
                let added = Scored { score, member: Bytes::copy_from_slice(member) };
                insert_sorted(Arc::make_mut(members), added);
                None
            }
            Storage::Indexed(indexed) => indexed.insert(member, score),
        };
        if old.is_none() {
            self.content_bytes += member.len();
        }
        old
    }

    /// Removes a member; returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<Score> {
        let removed = match &mut self.storage {
            Storage::Packed(members) => {
                find(members, member).map(|at| Arc::make_mut(members).remove(at).score)
            }
            Storage::Indexed(indexed) => indexed.remove(member),
        };
        if removed.is_some() {
            self.content_bytes -= member.len();
        }
        removed
    }

    /// Removes the members of a range of ranks, which must be within the sorted set.
    pub fn remove_range(&mut self, range: Range<usize>) {
        let removed: usize = self.range(range.clone()).map(|scored| scored.member.len()).sum();
        self.content_bytes -= removed;
        match &mut self.storage {
            Storage::Packed(members) => drop(Arc::make_mut(members).drain(range)),
            Storage::Indexed(indexed) => indexed.remove_range(range),
        }
    }

    /// Converts the sorted set if it is too small for `len` members of up to `longest_bytes`.
    pub fn expect(&mut self, len: usize, longest_bytes: usize, settings: &Settings) {
        if let Storage::Packed(members) = &mut self.storage
            && !is_small(len, longest_bytes, settings)
        {
            let members = std::mem::take(Arc::make_mut(members));
            self.storage = Storage::Indexed(Indexed::from_sorted(members));
        }
    }

    /// One page of a scan and the next cursor, 0 at the end. Small sorted sets come in one page.
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<Scored>) {
        match &self.storage {
            Storage::Packed(members) => (0, members.to_vec()),
            Storage::Indexed(indexed) => indexed.scan(cursor, count),
        }
    }

    fn partition_point(&self, is_past: impl Fn(&Scored) -> bool) -> usize {
        match &self.storage {
            Storage::Packed(members) => members.partition_point(|scored| !is_past(scored)),
            Storage::Indexed(indexed) => indexed.partition_point(is_past),
        }
    }
}

fn find(members: &[Scored], member: &[u8]) -> Option<usize> {
    members.iter().position(|scored| scored.member.as_ref() == member)
}

fn insert_sorted(members: &mut Vec<Scored>, added: Scored) {
    let added = packed(added);
    let at = members.partition_point(|scored| scored.order(added.score, &added.member).is_lt());
    members.insert(at, added);
}

/// The member as the small encoding stores it.
fn packed(scored: Scored) -> Scored {
    Scored { score: scored.score.without_negative_zero(), ..scored }
}

fn is_small(len: usize, longest_bytes: usize, settings: &Settings) -> bool {
    let (len, longest_bytes) = (len as u64, longest_bytes as u64);
    len <= settings.zset_max_listpack_entries && longest_bytes <= settings.zset_max_listpack_value
}

impl Default for SortedSetValue {
    fn default() -> Self {
        Self { storage: Storage::Packed(Arc::default()), content_bytes: 0 }
    }
}

impl TypedValue for SortedSetValue {
    conversions!(SortedSet);

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn heap_bytes(&self) -> usize {
        let overhead = match self.storage {
            Storage::Packed(_) => size_of::<Scored>() + 16,
            Storage::Indexed(_) => indexed::OVERHEAD_BYTES,
        };
        self.content_bytes + self.len() * overhead
    }

    fn encoding(&self) -> &'static str {
        match self.storage {
            Storage::Packed(_) => "listpack",
            Storage::Indexed(_) => "skiplist",
        }
    }

    fn empty(_settings: &Settings) -> Self {
        Self::default()
    }
}

#[cfg(test)]
#[path = "sorted_set_test.rs"]
mod tests;
