//! Changes: insert with splits, remove with merges. Nodes on the path that a clone shares are
//! copied.

use std::ops::Range;
use std::sync::Arc;

use super::Element;
use super::node::{BRANCH_MAX, Child, LEAF_MAX, Node, Seek};

/// What an insert did to a subtree.
pub(super) enum Inserted<E: Element> {
    /// An equal element existed and was replaced.
    Replaced(E),
    /// One element was added; `front` if it is the first of the subtree.
    Grown { front: bool, split: Option<Arc<Node<E>>> },
}

impl<E: Element> Node<E> {
    /// Puts `element` at `place`: into the gap, or in place of the equal element.
    pub(super) fn insert<P: Seek<E>>(
        node: &mut Arc<Self>,
        mut place: P,
        element: E,
    ) -> Inserted<E> {
        Self::insert_below(node, &mut place, element)
    }

    fn insert_below<P: Seek<E>>(node: &mut Arc<Self>, place: &mut P, element: E) -> Inserted<E> {
        match Arc::make_mut(node) {
            Self::Leaf(elements) => match place.element(elements) {
                Ok(at) => Inserted::Replaced(std::mem::replace(&mut elements[at], element)),
                Err(at) => Inserted::Grown {
                    front: at == 0,
                    split: insert_or_split(elements, at, element, LEAF_MAX).map(Self::leaf_of),
                },
            },
            Self::Branch(children) => {
                let at = place.child(children);
                match Self::insert_below(&mut children[at].node, place, element) {
                    replaced @ Inserted::Replaced(_) => replaced,
                    Inserted::Grown { front, split } => {
                        let split = Self::update_child(children, at, front, split);
                        Inserted::Grown { front: front && at == 0, split }
                    }
                }
            }
        }
    }

    /// After child `at` grew by one element: updates its count and first key and adds its new right
    /// neighbour.
    fn update_child(
        children: &mut Vec<Child<E>>,
        at: usize,
        front: bool,
        split: Option<Arc<Self>>,
    ) -> Option<Arc<Self>> {
        let child = &mut children[at];
        child.count += 1;
        if front {
            child.first = child.node.first_key().clone();
        }
        let right = Child::of(split?);
        child.count -= right.count;
        insert_or_split(children, at + 1, right, BRANCH_MAX).map(Self::branch_of)
    }

    fn leaf_of(elements: Vec<E>) -> Arc<Self> {
        Arc::new(Self::Leaf(elements))
    }

    fn branch_of(children: Vec<Child<E>>) -> Arc<Self> {
        Arc::new(Self::Branch(children))
    }

    /// Removes the element at `place`; `None` if there is none. The node may be empty afterwards.
    pub(super) fn remove<P: Seek<E>>(node: &mut Arc<Self>, place: &mut P) -> Option<E> {
        match Arc::make_mut(node) {
            Self::Leaf(elements) => {
                let at = place.element(elements).ok()?;
                let removed = elements.remove(at);
                give_back_room(elements);
                Some(removed)
            }
            Self::Branch(children) => {
                let at = place.child(children);
                let child = &mut children[at];
                let removed = Self::remove(&mut child.node, place)?;
                child.count -= 1;
                rebalance(children, at);
                Some(removed)
            }
        }
    }

    /// Removes the elements with these ranks. The node may be empty afterwards.
    pub(super) fn remove_range(node: &mut Arc<Self>, range: Range<usize>) {
        match Arc::make_mut(node) {
            Self::Leaf(elements) => {
                elements.drain(range);
                give_back_room(elements);
            }
            Self::Branch(children) => {
                let mut start = 0;
                let mut touched = None;
                for (at, child) in children.iter_mut().enumerate() {
                    let end = start + child.count;
                    let (from, to) = (range.start.clamp(start, end), range.end.clamp(start, end));
                    if to - from == child.count {
                        child.count = 0;
                    } else if from < to {
                        Self::remove_range(&mut child.node, from - start..to - start);
                        child.count -= to - from;
                    }
                    if from < to {
                        touched.get_or_insert(at);
                    }
                    start = end;
                }
                children.retain(|child| child.count > 0);
                // At most two adjacent children lost a part of their elements; all others are
                // removed or unchanged.
                if let Some(at) = touched {
                    rebalance(children, at + 1);
                    rebalance(children, at);
                }
            }
        }
    }
}

/// After child `at` lost elements: removes it when it is empty, otherwise updates its first key and
/// joins it with a neighbour when it is too small.
fn rebalance<E: Element>(children: &mut Vec<Child<E>>, at: usize) {
    let Some(child) = children.get_mut(at) else { return };
    if child.count == 0 {
        children.remove(at);
        return;
    }
    child.first = child.node.first_key().clone();
    if child.node.width() >= child.node.width_max() / 4 {
        return;
    }
    let left = if at > 0 { at - 1 } else { at };
    if left + 1 < children.len() && !merge(children, left) && left + 2 < children.len() && at > 0 {
        merge(children, at);
    }
}

/// Merges child `at` with the one after it if both fit into one node that can still grow.
fn merge<E: Element>(children: &mut Vec<Child<E>>, at: usize) -> bool {
    let (left, right) = (&children[at].node, &children[at + 1].node);
    if left.width() + right.width() > left.width_max() * 3 / 4 {
        return false;
    }
    let right = children.remove(at + 1);
    let left = &mut children[at];
    left.count += right.count;
    match (Arc::make_mut(&mut left.node), Arc::unwrap_or_clone(right.node)) {
        (Node::Leaf(elements), Node::Leaf(more)) => elements.extend(more),
        (Node::Branch(children), Node::Branch(more)) => children.extend(more),
        // All leaves are equally deep, so neighbours are of one kind.
        _ => unreachable!("neighbours at different depths"),
    }
    true
}

/// Inserts, or splits first when the node is full and returns the right part. A run of inserts at
/// either end leaves full nodes behind instead of half-full ones.
fn insert_or_split<T>(items: &mut Vec<T>, at: usize, item: T, max: usize) -> Option<Vec<T>> {
    if items.len() < max {
        items.insert(at, item);
        return None;
    }
    let middle = match at {
        0 => 0,
        at if at == items.len() => at,
        _ => items.len() / 2,
    };
    let mut right = items.split_off(middle);
    if at < middle || (at == 0 && middle == 0) {
        items.insert(at, item);
    } else {
        right.insert(at - middle, item);
    }
    Some(right)
}

fn give_back_room<T>(items: &mut Vec<T>) {
    if items.capacity() > 16 && items.len() * 4 < items.capacity() {
        items.shrink_to(items.len() * 2);
    }
}
