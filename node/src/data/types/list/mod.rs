//! The list type: a double-ended sequence of byte strings.

mod listpack_size;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use either::Either;

use self::listpack_size::{Footprint, entry_bytes};
use super::{TypedValue, conversions};
use crate::data::keyspace::Settings;
use crate::data::tree::{Element, Tree};

/// One end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListEnd {
    /// `LEFT`: index 0.
    Head,
    /// `RIGHT`: index -1.
    Tail,
}

/// How a list is stored; part of the replicated state, so a checkpoint contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListEncoding {
    /// One compact sequence.
    Listpack,
    /// A tree of chunks.
    Quicklist,
}

/// A `list` value. The cost of a change does not depend on the length, only on the number of
/// elements in the command.
#[derive(Debug, Clone)]
pub struct ListValue {
    storage: Storage,
    /// The size of the elements in one listpack; it decides the encoding.
    listpack_bytes: usize,
    /// Sum of the elements' lengths.
    content_bytes: usize,
}

#[derive(Debug, Clone)]
enum Storage {
    Packed(Arc<VecDeque<Bytes>>),
    Chunked(Tree<Item>),
}

/// A tree element without a key: its rank is its position.
#[derive(Debug, Clone)]
struct Item(Bytes);

impl Element for Item {
    type Key = ();

    fn key(&self) -> &() {
        &()
    }
}

/// Heap bytes of one element besides its content: the handle and the header of the allocation.
const ELEMENT_OVERHEAD_BYTES: usize = size_of::<Bytes>() + 16;

impl ListValue {
    /// From elements in order, in the encoding that `settings` selects.
    pub fn from_members(members: impl IntoIterator<Item = Bytes>, settings: &Settings) -> Self {
        let mut list = Self::from_stored(ListEncoding::Listpack, members);
        if Footprint::of(&list).exceeds(settings) {
            list.make_chunked();
        }
        list
    }

    /// From elements in order, in a given encoding, for checkpoints and snapshots.
    pub fn from_stored(encoding: ListEncoding, members: impl IntoIterator<Item = Bytes>) -> Self {
        let mut list = Self::default();
        let mut count = |member: &Bytes| {
            list.listpack_bytes += entry_bytes(member);
            list.content_bytes += member.len();
        };
        let members = members.into_iter().inspect(&mut count);
        list.storage = match encoding {
            ListEncoding::Listpack => Storage::Packed(Arc::new(members.collect())),
            ListEncoding::Quicklist => Storage::Chunked(members.map(Item).collect()),
        };
        list
    }

    /// How the list is stored.
    pub const fn stored_encoding(&self) -> ListEncoding {
        match self.storage {
            Storage::Packed(_) => ListEncoding::Listpack,
            Storage::Chunked(_) => ListEncoding::Quicklist,
        }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        match &self.storage {
            Storage::Packed(items) => items.len(),
            Storage::Chunked(tree) => tree.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index` from the head.
    pub fn get(&self, index: usize) -> Option<&Bytes> {
        match &self.storage {
            Storage::Packed(items) => items.get(index),
            Storage::Chunked(tree) => tree.get(index).map(|item| &item.0),
        }
    }

    /// All elements from head to tail.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Bytes> + ExactSizeIterator {
        self.range(0..self.len())
    }

    /// The elements of a range of indexes, which must be within the list.
    pub fn range(
        &self,
        range: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = &Bytes> + ExactSizeIterator {
        match &self.storage {
            Storage::Packed(items) => Either::Left(items.range(range)),
            Storage::Chunked(tree) => Either::Right(tree.range(range).map(|item| &item.0)),
        }
    }

    /// Adds copies of `members` at one end, one after another: the last one is outermost.
    pub fn push(&mut self, end: ListEnd, members: &[Bytes], settings: &Settings) {
        self.grow(members, settings);
        for member in members {
            let member = Bytes::copy_from_slice(member);
            self.count_added(&member);
            match (&mut self.storage, end) {
                (Storage::Packed(items), ListEnd::Head) => Arc::make_mut(items).push_front(member),
                (Storage::Packed(items), ListEnd::Tail) => Arc::make_mut(items).push_back(member),
                (Storage::Chunked(tree), ListEnd::Head) => tree.insert(0, Item(member)),
                (Storage::Chunked(tree), ListEnd::Tail) => tree.push(Item(member)),
            }
        }
    }

    /// Removes up to `count` elements at one end and returns them, outermost first.
    pub fn pop(&mut self, end: ListEnd, count: usize, settings: &Settings) -> Vec<Bytes> {
        let (len, count) = (self.len(), count.min(self.len()));
        let (range, popped) = match end {
            ListEnd::Head => (0..count, self.range(0..count).cloned().collect()),
            ListEnd::Tail => {
                let range = len - count..len;
                (range.clone(), self.range(range).rev().cloned().collect())
            }
        };
        self.remove_range(range);
        self.shrink(settings);
        popped
    }

    /// Replaces the element at `index` by a copy of `member`; false if there is none.
    pub fn set(&mut self, index: usize, member: &Bytes, settings: &Settings) -> bool {
        if index >= self.len() {
            return false;
        }
        self.grow(std::slice::from_ref(member), settings);
        let member = Bytes::copy_from_slice(member);
        self.count_added(&member);
        let slot = match &mut self.storage {
            Storage::Packed(items) => Arc::make_mut(items).get_mut(index),
            Storage::Chunked(tree) => tree.get_mut(index).map(|item| &mut item.0),
        };
        let old = slot.map(|slot| std::mem::replace(slot, member)).unwrap_or_default();
        self.count_removed(&old);
        self.shrink(settings);
        true
    }

    /// Inserts a copy of `member` before the element at `index`, which is at most the length.
    pub fn insert(&mut self, index: usize, member: &Bytes, settings: &Settings) {
        self.grow(std::slice::from_ref(member), settings);
        let member = Bytes::copy_from_slice(member);
        self.count_added(&member);
        match &mut self.storage {
            Storage::Packed(items) => Arc::make_mut(items).insert(index, member),
            Storage::Chunked(tree) => tree.insert(index, Item(member)),
        }
    }

    /// Removes up to `limit` elements equal to `member`, searching from `end`; returns the number.
    pub fn remove_equal(
        &mut self,
        end: ListEnd,
        limit: usize,
        member: &[u8],
        settings: &Settings,
    ) -> usize {
        let equal = |(_, item): &(usize, &Bytes)| item.as_ref() == member;
        let mut indexes: Vec<usize> = match end {
            ListEnd::Head => {
                self.iter().enumerate().filter(equal).map(|(i, _)| i).take(limit).collect()
            }
            ListEnd::Tail => {
                self.iter().enumerate().rev().filter(equal).map(|(i, _)| i).take(limit).collect()
            }
        };
        // From the tail on, so that the other indexes stay valid during the removal.
        indexes.sort_unstable_by(|a, b| b.cmp(a));
        self.remove_indexes(&indexes);
        self.shrink(settings);
        indexes.len()
    }

    /// Keeps only a range of indexes, which must be within the list.
    pub fn trim(&mut self, keep: Range<usize>, settings: &Settings) {
        self.remove_range(keep.end..self.len());
        self.remove_range(0..keep.start);
        self.shrink(settings);
    }

    /// Removes elements by index, given in descending order.
    fn remove_indexes(&mut self, indexes: &[usize]) {
        for &index in indexes {
            let removed = match &mut self.storage {
                Storage::Packed(items) => Arc::make_mut(items).remove(index).unwrap_or_default(),
                Storage::Chunked(tree) => tree.remove(index).0,
            };
            self.count_removed(&removed);
        }
    }

    fn remove_range(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if range.len() == self.len() {
            *self = Self { storage: self.storage.emptied(), ..Self::default() };
            return;
        }
        let (mut listpack_bytes, mut content_bytes) = (0, 0);
        for member in self.range(range.clone()) {
            listpack_bytes += entry_bytes(member);
            content_bytes += member.len();
        }
        self.listpack_bytes -= listpack_bytes;
        self.content_bytes -= content_bytes;
        match &mut self.storage {
            Storage::Packed(items) => drop(Arc::make_mut(items).drain(range)),
            Storage::Chunked(tree) => tree.remove_range(range),
        }
    }

    fn count_added(&mut self, member: &[u8]) {
        self.listpack_bytes += entry_bytes(member);
        self.content_bytes += member.len();
    }

    fn count_removed(&mut self, member: &[u8]) {
        self.listpack_bytes -= entry_bytes(member);
        self.content_bytes -= member.len();
    }

    /// Before elements are added: a list that would exceed the limit becomes large.
    fn grow(&mut self, added: &[Bytes], settings: &Settings) {
        if matches!(self.storage, Storage::Packed(_))
            && Footprint::of(self).with(added).exceeds(settings)
        {
            self.make_chunked();
        }
    }

    /// After elements were removed: a large list becomes small again at half the limit, so that it
    /// does not alternate.
    fn shrink(&mut self, settings: &Settings) {
        if let Storage::Chunked(tree) = &self.storage
            && Footprint::of(self).is_within_half(settings)
        {
            let items = tree.iter().map(|item| item.0.clone()).collect();
            self.storage = Storage::Packed(Arc::new(items));
        }
    }

    fn make_chunked(&mut self) {
        let tree = self.iter().cloned().map(Item).collect();
        self.storage = Storage::Chunked(tree);
    }
}

impl Storage {
    fn emptied(&self) -> Self {
        match self {
            Self::Packed(_) => Self::Packed(Arc::default()),
            Self::Chunked(_) => Self::Chunked(Tree::new()),
        }
    }
}

impl Default for ListValue {
    fn default() -> Self {
        Self { storage: Storage::Packed(Arc::default()), listpack_bytes: 0, content_bytes: 0 }
    }
}

impl TypedValue for ListValue {
    conversions!(List);

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn heap_bytes(&self) -> usize {
        self.content_bytes + self.len() * ELEMENT_OVERHEAD_BYTES
    }

    fn encoding(&self) -> &'static str {
        match self.storage {
            Storage::Packed(_) => "listpack",
            Storage::Chunked(_) => "quicklist",
        }
    }

    fn empty(_settings: &Settings) -> Self {
        Self::default()
    }
}

#[cfg(test)]
#[path = "list_test.rs"]
mod tests;
