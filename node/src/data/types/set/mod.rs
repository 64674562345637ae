//! The set type: distinct byte strings.

mod member;

use std::sync::Arc;

use bytes::Bytes;
use either::Either;

pub use self::member::Member;
use super::hashed_member::{self, HashedMember};
use super::integer::canonical_integer;
use super::{TypedValue, conversions};
use crate::base::hash::stable_hash;
use crate::data::keyspace::Settings;
use crate::data::tree::Tree;

/// How a set is stored. It is part of the replicated state (a random member is chosen by its
/// position), so a checkpoint contains it. Conversions go only forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetEncoding {
    /// Sorted integers.
    IntSet,
    /// Few short members, in the order in which they were added.
    Listpack,
    /// Any members, ordered by hash.
    HashTable,
}

/// A `set` value.
#[derive(Debug, Clone)]
pub struct SetValue {
    storage: Storage,
    /// Sum of the lengths of the members that are stored as text.
    content_bytes: usize,
}

#[derive(Debug, Clone)]
enum Storage {
    Integers(Arc<Vec<i64>>),
    Packed(Arc<Vec<Bytes>>),
    Hashed(Tree<HashedMember>),
}

/// Heap bytes of one text member besides its content.
const MEMBER_OVERHEAD_BYTES: usize = size_of::<HashedMember>() + 16;

impl SetValue {
    /// From members in order (duplicates are dropped), in the encoding that `settings` selects.
    pub fn from_members(members: impl IntoIterator<Item = Bytes>, settings: &Settings) -> Self {
        let members: Vec<Bytes> = members.into_iter().collect();
        if members.len()
            > limit(settings.set_max_intset_entries.max(settings.set_max_listpack_entries))
        {
            return Self::from_many(members, settings);
        }
        let all_integers = members.iter().all(|member| canonical_integer(member).is_some());
        let fits = members.len() <= limit(settings.set_max_intset_entries);
        let mut set = Self::default();
        if !(all_integers && fits) {
            // Not by way of an integer set, which would sort the numbers among the members.
            set.storage = Storage::Packed(Arc::default());
        }
        for member in members {
            set.add(&member, settings);
        }
        set
    }

    /// For more members than fit into a small encoding, unless there are many duplicates.
    fn from_many(members: Vec<Bytes>, settings: &Settings) -> Self {
        let mut hashed: Vec<HashedMember> = members.into_iter().map(HashedMember::new).collect();
        hashed.sort_unstable_by(|a, b| a.order(b.hash, &b.member));
        hashed.dedup();
        if hashed.len()
            <= limit(settings.set_max_intset_entries.max(settings.set_max_listpack_entries))
        {
            let members: Vec<Bytes> = hashed.into_iter().map(|hashed| hashed.member).collect();
            return Self::from_members(members, settings);
        }
        let content_bytes = hashed.iter().map(|hashed| hashed.member.len()).sum();
        Self { storage: Storage::Hashed(hashed.into_iter().collect()), content_bytes }
    }

    /// From distinct members in the order of [`SetValue::iter`], in a given encoding, for
    /// checkpoints and snapshots. `None` if they do not fit the encoding or are out of order.
    pub fn from_stored(
        encoding: SetEncoding,
        members: impl IntoIterator<Item = Bytes>,
    ) -> Option<Self> {
        let members = members.into_iter();
        let mut content_bytes = 0;
        let count = |member: &Bytes| content_bytes += member.len();
        let storage = match encoding {
            SetEncoding::IntSet => {
                let numbers: Option<Vec<i64>> =
                    members.map(|text| canonical_integer(&text)).collect();
                Storage::Integers(Arc::new(numbers.filter(|all| all.is_sorted_by(|a, b| a < b))?))
            }
            SetEncoding::Listpack => Storage::Packed(Arc::new(members.inspect(count).collect())),
            SetEncoding::HashTable => {
                let mut ordered = true;
                let mut last: Option<HashedMember> = None;
                let hashed = members.inspect(count).map(HashedMember::new).inspect(|next| {
                    let before = last.replace(next.clone());
                    ordered &=
                        before.is_none_or(|before| before.order(next.hash, &next.member).is_lt());
                });
                let tree = hashed.collect();
                ordered.then_some(Storage::Hashed(tree))?
            }
        };
        Some(Self { storage, content_bytes })
    }

    /// How the set is stored.
    pub const fn stored_encoding(&self) -> SetEncoding {
        match self.storage {
            Storage::Integers(_) => SetEncoding::IntSet,
            Storage::Packed(_) => SetEncoding::Listpack,
            Storage::Hashed(_) => SetEncoding::HashTable,
        }
    }

    /// Members.
    pub fn len(&self) -> usize {
        match &self.storage {
            Storage::Integers(numbers) => numbers.len(),
            Storage::Packed(members) => members.len(),
            Storage::Hashed(tree) => tree.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All members in the set's own order, the same on every replica.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Member<'_>> + ExactSizeIterator {
        match &self.storage {
            Storage::Integers(numbers) => {
                Either::Left(Either::Left(numbers.iter().copied().map(Member::Integer)))
            }
            Storage::Packed(members) => {
                Either::Left(Either::Right(members.iter().map(Member::Text)))
            }
            Storage::Hashed(tree) => {
                Either::Right(tree.iter().map(|hashed| Member::Text(&hashed.member)))
            }
        }
    }

    /// The member at a position in the set's own order.
    pub fn get(&self, index: usize) -> Option<Member<'_>> {
        match &self.storage {
            Storage::Integers(numbers) => numbers.get(index).copied().map(Member::Integer),
            Storage::Packed(members) => members.get(index).map(Member::Text),
            Storage::Hashed(tree) => tree.get(index).map(|hashed| Member::Text(&hashed.member)),
        }
    }

    /// Whether `member` is in the set.
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.storage {
            Storage::Integers(numbers) => canonical_integer(member)
                .is_some_and(|number| numbers.binary_search(&number).is_ok()),
            Storage::Packed(members) => members.iter().any(|text| text.as_ref() == member),
            Storage::Hashed(tree) => {
                let hash = stable_hash(member);
                tree.find_hashed(hash, |key| key.order(hash, member)).is_some()
            }
        }
    }

    /// As [`SetValue::contains`] for a member of another set.
    pub fn contains_member(&self, member: Member<'_>) -> bool {
        match &self.storage {
            Storage::Integers(numbers) => {
                member.integer().is_some_and(|number| numbers.binary_search(&number).is_ok())
            }
            _ => self.contains(&member.text()),
        }
    }

    /// Adds a copy of `member`; false if it was there. Converts the set when it exceeds a
    /// threshold.
    pub fn add(&mut self, member: &[u8], settings: &Settings) -> bool {
        if let Storage::Integers(numbers) = &mut self.storage {
            if let Some(number) = canonical_integer(member) {
                let Err(at) = numbers.binary_search(&number) else { return false };
                Arc::make_mut(numbers).insert(at, number);
                self.expect_len(self.len(), settings);
                return true;
            }
            let longest = self.longest_number();
            self.convert(self.encoding_with(member.len().max(longest), settings));
        } else if matches!(self.storage, Storage::Packed(_)) {
            if self.contains(member) {
                return false;
            }
            self.convert(self.encoding_with(member.len(), settings));
        }
        match &mut self.storage {
            Storage::Hashed(tree) => {
                let hashed = HashedMember::new(Bytes::copy_from_slice(member));
                let hash = hashed.hash;
                if tree.upsert_by(|key| key.order(hash, member), hashed).is_some() {
                    return false;
                }
            }
            Storage::Packed(members) => {
                Arc::make_mut(members).push(Bytes::copy_from_slice(member));
            }
            Storage::Integers(_) => {}
        }
        self.content_bytes += member.len();
        true
    }

    /// Removes a member; false if it was not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let removed = match &mut self.storage {
            Storage::Integers(numbers) => {
                let found = canonical_integer(member).map(|number| numbers.binary_search(&number));
                let Some(Ok(at)) = found else { return false };
                Arc::make_mut(numbers).remove(at);
                return true;
            }
            Storage::Packed(members) => {
                let at = members.iter().position(|text| text.as_ref() == member);
                at.map(|at| drop(Arc::make_mut(members).remove(at))).is_some()
            }
            Storage::Hashed(tree) => {
                let hash = stable_hash(member);
                tree.remove_by(|key| key.order(hash, member)).is_some()
            }
        };
        if removed {
            self.content_bytes -= member.len();
        }
        removed
    }

    /// Removes the member at a position in the set's own order, which must be below the length.
    pub fn remove_at(&mut self, index: usize) -> Bytes {
        let removed = match &mut self.storage {
            Storage::Integers(numbers) => {
                return Member::Integer(Arc::make_mut(numbers).remove(index)).to_bytes();
            }
            Storage::Packed(members) => Arc::make_mut(members).remove(index),
            Storage::Hashed(tree) => tree.remove(index).member,
        };
        self.content_bytes -= removed.len();
        removed
    }

    /// Chooses the encoding of an empty set before `count` members, including `first`, are added.
    pub fn prepare(&mut self, first: &[u8], count: usize, settings: &Settings) {
        let numbers = canonical_integer(first).is_some();
        if numbers && count <= limit(settings.set_max_intset_entries) {
            return;
        }
        match count <= limit(settings.set_max_listpack_entries) {
            true => self.convert(SetEncoding::Listpack),
            false => self.convert(SetEncoding::HashTable),
        }
    }

    /// Converts the set if `len` members are too many for its encoding.
    pub fn expect_len(&mut self, len: usize, settings: &Settings) {
        let max = match self.storage {
            Storage::Integers(_) => limit(settings.set_max_intset_entries),
            Storage::Packed(_) => limit(settings.set_max_listpack_entries),
            Storage::Hashed(_) => return,
        };
        if len > max {
            self.convert(SetEncoding::HashTable);
        }
    }

    /// One page of a scan and the next cursor, 0 at the end. Small sets come in one page.
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<Bytes>) {
        match &self.storage {
            Storage::Hashed(tree) => {
                let (next, page) = hashed_member::scan(tree, cursor, count);
                (next, page.into_iter().map(|hashed| hashed.member.clone()).collect())
            }
            _ => (0, self.iter().map(Member::to_bytes).collect()),
        }
    }

    /// The encoding for one more member when the longest one has `longest_bytes`.
    fn encoding_with(&self, longest_bytes: usize, settings: &Settings) -> SetEncoding {
        let few = self.len() < limit(settings.set_max_listpack_entries);
        match few && longest_bytes <= limit(settings.set_max_listpack_value) {
            true => SetEncoding::Listpack,
            false => SetEncoding::HashTable,
        }
    }

    fn longest_number(&self) -> usize {
        // The longest number is at one end, because the numbers are sorted.
        let ends = [self.get(0), self.get(self.len().saturating_sub(1))];
        ends.iter().flatten().map(|member| member.text().len()).max().unwrap_or(0)
    }

    fn convert(&mut self, to: SetEncoding) {
        if to <= self.stored_encoding() {
            return;
        }
        let mut members: Vec<Bytes> = self.iter().map(Member::to_bytes).collect();
        self.content_bytes = members.iter().map(Bytes::len).sum();
        self.storage = if to == SetEncoding::Listpack {
            Storage::Packed(Arc::new(members))
        } else {
            let mut hashed: Vec<_> = members.drain(..).map(HashedMember::new).collect();
            hashed.sort_unstable_by(|a, b| a.order(b.hash, &b.member));
            Storage::Hashed(hashed.into_iter().collect())
        };
    }
}

fn limit(setting: u64) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}

impl Default for SetValue {
    fn default() -> Self {
        Self { storage: Storage::Integers(Arc::default()), content_bytes: 0 }
    }
}

impl TypedValue for SetValue {
    conversions!(Set);

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn heap_bytes(&self) -> usize {
        match &self.storage {
            Storage::Integers(numbers) => numbers.len() * size_of::<i64>(),
            _ => self.content_bytes + self.len() * MEMBER_OVERHEAD_BYTES,
        }
    }

    fn encoding(&self) -> &'static str {
        match self.storage {
            Storage::Integers(_) => "intset",
            Storage::Packed(_) => "listpack",
            Storage::Hashed(_) => "hashtable",
        }
    }

    fn empty(_settings: &Settings) -> Self {
        Self::default()
    }
}

#[cfg(test)]
#[path = "set_test.rs"]
mod tests;
