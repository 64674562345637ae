//! Bulk load: leaves first, then level by level, in one pass and without comparisons.

use std::sync::Arc;

use super::node::{BRANCH_MAX, Child, LEAF_MAX, Node};
use super::{Element, Tree};

/// Every node gets free space, so that the first inserts after a load do not all split.
const LEAF_FILL: usize = LEAF_MAX * 3 / 4;
const BRANCH_FILL: usize = BRANCH_MAX * 3 / 4;

impl<E: Element> FromIterator<E> for Tree<E> {
    /// The caller gives the elements in their order.
    fn from_iter<I: IntoIterator<Item = E>>(elements: I) -> Self {
        let mut elements = elements.into_iter();
        let mut level = Vec::new();
        let mut len = 0;
        loop {
            let leaf: Vec<E> = elements.by_ref().take(LEAF_FILL).collect();
            if leaf.is_empty() {
                break;
            }
            len += leaf.len();
            level.push(Arc::new(Node::Leaf(leaf)));
        }
        while level.len() > 1 {
            level = parents(level);
        }
        Self { root: level.pop(), len }
    }
}

fn parents<E: Element>(level: Vec<Arc<Node<E>>>) -> Vec<Arc<Node<E>>> {
    let mut level = level.into_iter();
    let mut above = Vec::with_capacity(level.len().div_ceil(BRANCH_FILL));
    while level.len() > 0 {
        let children = level.by_ref().take(BRANCH_FILL).map(Child::of).collect();
        above.push(Arc::new(Node::Branch(children)));
    }
    above
}
