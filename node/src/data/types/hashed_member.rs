//! The order of large sets and of a large sorted set's member index: by a fixed-seed hash, then by
//! the member itself. It is the same on every replica and after every restart, and SCAN can use a
//! number as a position in it.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::base::hash::stable_hash;
use crate::data::tree::{Element, Tree};

/// A member and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HashedMember {
    /// The first field, so that most comparisons end here.
    pub(super) hash: u64,
    /// The member.
    pub(super) member: Bytes,
}

impl HashedMember {
    /// Hashes `member`.
    pub(super) fn new(member: Bytes) -> Self {
        Self { hash: stable_hash(&member), member }
    }

    /// How this member compares to another one.
    pub(super) fn order(&self, hash: u64, member: &[u8]) -> Ordering {
        self.hash.cmp(&hash).then_with(|| self.member.as_ref().cmp(member))
    }

    /// The position for SCAN: 48 bits, because some clients store cursors in a double.
    const fn position(&self) -> u64 {
        self.hash >> 16
    }
}

impl Element for HashedMember {
    type Key = Self;

    fn key(&self) -> &Self {
        self
    }
}

/// One page of a scan over a tree in hash order: at least `count` elements if there are so many,
/// from `cursor` on, and the next cursor, 0 at the end. Elements with the same position are in the
/// same page, so a cursor stays valid whatever is added or removed between two calls.
pub(super) fn scan<E: Element<Key = HashedMember>>(
    tree: &Tree<E>,
    cursor: u64,
    count: usize,
) -> (u64, Vec<&E>) {
    let search = |key: &HashedMember| match key.position() < cursor {
        true => Ordering::Less,
        false => Ordering::Greater,
    };
    let start = tree.search_by(search).unwrap_or_else(|index| index);
    let mut page: Vec<&E> = Vec::with_capacity(count.min(tree.len() - start));
    for element in tree.range(start..tree.len()) {
        let last = page.last().map(|last| last.key().position());
        if page.len() >= count && last != Some(element.key().position()) {
            return (last.map_or(0, |last| last + 1), page);
        }
        page.push(element);
    }
    (0, page)
}
