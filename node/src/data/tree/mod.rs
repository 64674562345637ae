//! A persistent, counted B+tree: the structure of key tables and large collections.
//!
//! A clone costs one reference count and shares every node. A later change copies only the shared
//! nodes on the path to the element; without a clone it changes them in place.

mod build;
mod edit;
mod iter;
mod node;

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use edit::Inserted;
pub use iter::Iter;
use node::{Child, Gap, Interpolation, Node, Order, Rank, Seek};

/// The elements of a tree.
pub trait Element: Clone {
    /// The key by which elements are ordered; `()` for a plain sequence.
    type Key: Clone;

    /// The key; must not change while the element is in a tree.
    fn key(&self) -> &Self::Key;
}

/// A sequence of elements, all operations O(log n). It is ordered by key only if the caller keeps
/// it so.
///
/// `compare` functions return how an element's key compares to the searched one, as for
/// [`slice::binary_search_by`].
pub struct Tree<E: Element> {
    root: Option<Arc<Node<E>>>,
    len: usize,
}

impl<E: Element> Tree<E> {
    /// An empty tree; allocates nothing.
    pub const fn new() -> Self {
        Self { root: None, len: 0 }
    }

    /// Number of elements.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Approximate bytes of the nodes, without what elements own elsewhere. O(1).
    pub const fn heap_bytes(&self) -> usize {
        // Leaves are three quarters full on average.
        self.len * size_of::<E>() * 4 / 3 + self.len / 48 * size_of::<Child<E>>() + 48
    }

    /// The element with this rank.
    pub fn get(&self, rank: usize) -> Option<&E> {
        self.root.as_ref()?.find(Rank(rank))
    }

    /// The element with this rank, to change everything except its key.
    pub fn get_mut(&mut self, rank: usize) -> Option<&mut E> {
        Node::find_mut(self.root.as_mut()?, Rank(rank))
    }

    /// The first element.
    pub fn first(&self) -> Option<&E> {
        self.get(0)
    }

    /// The last element.
    pub fn last(&self) -> Option<&E> {
        self.get(self.len.checked_sub(1)?)
    }

    /// The rank of the equal element, or the rank it would get.
    pub fn search_by(&self, compare: impl FnMut(&E::Key) -> Ordering) -> Result<usize, usize> {
        self.root.as_ref().map_or(Err(0), |root| root.rank(compare))
    }

    /// The equal element.
    pub fn find_by(&self, compare: impl FnMut(&E::Key) -> Ordering) -> Option<&E> {
        self.root.as_ref()?.find(Order(compare))
    }

    /// As [`Tree::find_by`] for keys that are ordered by an evenly distributed `hash` first: faster
    /// while the tree is small.
    pub fn find_hashed(&self, hash: u64, compare: impl FnMut(&E::Key) -> Ordering) -> Option<&E> {
        self.root.as_ref()?.find(Interpolation { hash: Some(hash), order: Order(compare) })
    }

    /// As [`Tree::find_hashed`], to change everything except its key.
    pub fn find_hashed_mut(
        &mut self,
        hash: u64,
        compare: impl FnMut(&E::Key) -> Ordering,
    ) -> Option<&mut E> {
        let place = Interpolation { hash: Some(hash), order: Order(compare) };
        Node::find_mut(self.root.as_mut()?, place)
    }

    /// Inserts before the element with this rank, or at the end if the rank is the length or more.
    pub fn insert(&mut self, rank: usize, element: E) {
        self.insert_at(Gap(Rank(rank.min(self.len))), element);
    }

    /// Inserts at the end.
    pub fn push(&mut self, element: E) {
        self.insert(self.len, element);
    }

    /// Inserts in order, or replaces the equal element and returns it. Descends once.
    pub fn upsert_by(&mut self, compare: impl FnMut(&E::Key) -> Ordering, element: E) -> Option<E> {
        self.insert_at(Order(compare), element)
    }

    fn insert_at<P: Seek<E>>(&mut self, place: P, element: E) -> Option<E> {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![element])));
            self.len = 1;
            return None;
        };
        match Node::insert(root, place, element) {
            Inserted::Replaced(old) => Some(old),
            Inserted::Grown { split, .. } => {
                self.len += 1;
                if let Some(right) = split {
                    let left = Child::of(root.clone());
                    *root = Arc::new(Node::Branch(vec![left, Child::of(right)]));
                }
                None
            }
        }
    }

    /// Removes the element with this rank and returns it.
    ///
    /// # Panics
    /// If there is no such rank, as [`Vec::remove`].
    pub fn remove(&mut self, rank: usize) -> E {
        assert!(rank < self.len, "rank {rank} of {}", self.len);
        self.remove_at(Rank(rank)).expect("the rank is below the length")
    }

    /// Removes the equal element and returns it. Descends once.
    pub fn remove_by(&mut self, compare: impl FnMut(&E::Key) -> Ordering) -> Option<E> {
        self.remove_at(Order(compare))
    }

    fn remove_at<P: Seek<E>>(&mut self, mut place: P) -> Option<E> {
        let removed = Node::remove(self.root.as_mut()?, &mut place)?;
        self.len -= 1;
        self.collapse_root();
        Some(removed)
    }

    /// Removes the elements with these ranks; ranks past the end are ignored.
    pub fn remove_range(&mut self, range: Range<usize>) {
        let range = range.start.min(self.len)..range.end.min(self.len);
        let Some(root) = self.root.as_mut().filter(|_| !range.is_empty()) else { return };
        Node::remove_range(root, range.clone());
        self.len -= range.len();
        self.collapse_root();
    }

    /// Keeps the first `len` elements.
    pub fn truncate(&mut self, len: usize) {
        self.remove_range(len..self.len);
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Removes levels that have only one child after a removal.
    fn collapse_root(&mut self) {
        if self.len == 0 {
            self.root = None;
        }
        while let Some(Node::Branch(children)) = self.root.as_deref()
            && let [only] = children.as_slice()
        {
            self.root = Some(only.node.clone());
        }
    }

    /// All elements in order.
    pub fn iter(&self) -> Iter<'_, E> {
        Iter::new(self, 0..self.len)
    }

    /// The elements with these ranks; ranks past the end are ignored.
    pub fn range(&self, range: Range<usize>) -> Iter<'_, E> {
        let end = range.end.min(self.len);
        Iter::new(self, range.start.min(end)..end)
    }
}

impl<E: Element> Default for Tree<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Element> Clone for Tree<E> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<E: Element + fmt::Debug> fmt::Debug for Tree<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<E: Element> Extend<E> for Tree<E> {
    fn extend<I: IntoIterator<Item = E>>(&mut self, elements: I) {
        elements.into_iter().for_each(|element| self.push(element));
    }
}

#[cfg(test)]
#[path = "tree_test.rs"]
mod tests;
