//! Iteration over a range of ranks, from both ends. Descends once for each leaf.

use std::ops::Range;

use super::{Element, Tree};

/// Elements of a range of ranks, in order.
pub struct Iter<'a, E: Element> {
    tree: &'a Tree<E>,
    range: Range<usize>,
    front: &'a [E],
    back: &'a [E],
}

impl<'a, E: Element> Iter<'a, E> {
    /// `range` is within the tree.
    pub(super) const fn new(tree: &'a Tree<E>, range: Range<usize>) -> Self {
        Self { tree, range, front: &[], back: &[] }
    }
}

impl<'a, E: Element> Iterator for Iter<'a, E> {
    type Item = &'a E;

    fn next(&mut self) -> Option<&'a E> {
        if self.range.is_empty() {
            return None;
        }
        if self.front.is_empty() {
            self.front = self.tree.root.as_ref()?.leaf_from(self.range.start);
        }
        let (first, rest) = self.front.split_first()?;
        self.front = rest;
        self.range.start += 1;
        Some(first)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.range.len(), Some(self.range.len()))
    }

    fn nth(&mut self, count: usize) -> Option<&'a E> {
        let skipped = count.min(self.range.len());
        self.range.start += skipped;
        self.front = self.front.get(skipped..).unwrap_or(&[]);
        self.next()
    }
}

impl<E: Element> DoubleEndedIterator for Iter<'_, E> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.range.is_empty() {
            return None;
        }
        if self.back.is_empty() {
            self.back = self.tree.root.as_ref()?.leaf_until(self.range.end - 1);
        }
        let (last, rest) = self.back.split_last()?;
        self.back = rest;
        self.range.end -= 1;
        Some(last)
    }
}

impl<E: Element> ExactSizeIterator for Iter<'_, E> {}

impl<E: Element> Clone for Iter<'_, E> {
    fn clone(&self) -> Self {
        Self { tree: self.tree, range: self.range.clone(), front: self.front, back: self.back }
    }
}

impl<'a, E: Element> IntoIterator for &'a Tree<E> {
    type Item = &'a E;
    type IntoIter = Iter<'a, E>;

    fn into_iter(self) -> Iter<'a, E> {
        self.iter()
    }
}
