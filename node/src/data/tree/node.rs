//! Nodes of the tree and how to descend to one element.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Element;

/// Most elements of a leaf: small enough that copying a shared one is cheap.
pub(super) const LEAF_MAX: usize = 64;

/// Most children of a branch.
pub(super) const BRANCH_MAX: usize = 32;

/// A leaf with elements or a branch with children. No node inside a tree is empty, and all leaves
/// have the same depth.
#[derive(Clone)]
pub(super) enum Node<E: Element> {
    Leaf(Vec<E>),
    Branch(Vec<Child<E>>),
}

/// A subtree as its parent sees it.
#[derive(Clone)]
pub(super) struct Child<E: Element> {
    /// Key of the subtree's first element.
    pub first: E::Key,
    /// Elements in the subtree.
    pub count: usize,
    pub node: Arc<Node<E>>,
}

impl<E: Element> Child<E> {
    /// Describes `node`, which must not be empty.
    pub(super) fn of(node: Arc<Node<E>>) -> Self {
        Self { first: node.first_key().clone(), count: node.count(), node }
    }
}

impl<E: Element> Node<E> {
    /// Number of elements in the subtree.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Leaf(elements) => elements.len(),
            Self::Branch(children) => children.iter().map(|child| child.count).sum(),
        }
    }

    /// Elements of a leaf, children of a branch.
    pub(super) const fn width(&self) -> usize {
        match self {
            Self::Leaf(elements) => elements.len(),
            Self::Branch(children) => children.len(),
        }
    }

    /// The maximum of [`Node::width`].
    pub(super) const fn width_max(&self) -> usize {
        match self {
            Self::Leaf(_) => LEAF_MAX,
            Self::Branch(_) => BRANCH_MAX,
        }
    }

    /// Key of the first element; the node must not be empty.
    pub(super) fn first_key(&self) -> &E::Key {
        match self {
            Self::Leaf(elements) => elements[0].key(),
            Self::Branch(children) => &children[0].first,
        }
    }

    /// The element at `place`.
    pub(super) fn find<P: Seek<E>>(&self, mut place: P) -> Option<&E> {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(elements) => {
                    return place.element(elements).ok().and_then(|at| elements.get(at));
                }
                Self::Branch(children) => node = &children[place.child(children)].node,
            }
        }
    }

    /// The element at `place`, to change; shared nodes on the path are copied.
    pub(super) fn find_mut<P: Seek<E>>(root: &mut Arc<Self>, mut place: P) -> Option<&mut E> {
        let mut node = Arc::make_mut(root);
        loop {
            match node {
                Self::Leaf(elements) => {
                    let at = place.element(elements).ok()?;
                    return elements.get_mut(at);
                }
                Self::Branch(children) => {
                    let at = place.child(children);
                    node = Arc::make_mut(&mut children[at].node);
                }
            }
        }
    }

    /// The elements of the leaf that contains `rank`, from that rank on.
    pub(super) fn leaf_from(&self, rank: usize) -> &[E] {
        self.leaf(rank).map_or(&[], |(elements, at)| &elements[at..])
    }

    /// The elements of the leaf that contains `rank`, up to and including that rank.
    pub(super) fn leaf_until(&self, rank: usize) -> &[E] {
        self.leaf(rank).map_or(&[], |(elements, at)| &elements[..=at])
    }

    fn leaf(&self, rank: usize) -> Option<(&[E], usize)> {
        let mut place = Rank(rank);
        let mut node = self;
        loop {
            match node {
                Self::Leaf(elements) => {
                    return place.element(elements).ok().map(|at| (elements.as_slice(), at));
                }
                Self::Branch(children) => node = &children[place.child(children)].node,
            }
        }
    }

    /// Rank of the element for which `compare` is equal, or of the gap in which it would be.
    pub(super) fn rank(
        &self,
        mut compare: impl FnMut(&E::Key) -> Ordering,
    ) -> Result<usize, usize> {
        let mut before = 0;
        let mut node = self;
        loop {
            match node {
                Self::Leaf(elements) => {
                    return match elements.binary_search_by(|element| compare(element.key())) {
                        Ok(at) => Ok(before + at),
                        Err(at) => Err(before + at),
                    };
                }
                Self::Branch(children) => {
                    let at = Order(&mut compare).child(children);
                    before += children[..at].iter().map(|child| child.count).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }
}

/// A search for an element.
pub(super) trait Seek<E: Element> {
    /// The child to descend into; there is at least one.
    fn child(&mut self, children: &[Child<E>]) -> usize;

    /// The position in the leaf: an element, or the gap before one.
    fn element(&mut self, elements: &[E]) -> Result<usize, usize>;
}

/// The element with this rank.
pub(super) struct Rank(pub usize);

impl<E: Element> Seek<E> for Rank {
    fn child(&mut self, children: &[Child<E>]) -> usize {
        let last = children.len() - 1;
        for (at, child) in children[..last].iter().enumerate() {
            if self.0 < child.count {
                return at;
            }
            self.0 -= child.count;
        }
        last
    }

    fn element(&mut self, elements: &[E]) -> Result<usize, usize> {
        if self.0 < elements.len() { Ok(self.0) } else { Err(elements.len()) }
    }
}

/// The gap before the element with this rank.
pub(super) struct Gap(pub Rank);

impl<E: Element> Seek<E> for Gap {
    fn child(&mut self, children: &[Child<E>]) -> usize {
        self.0.child(children)
    }

    fn element(&mut self, elements: &[E]) -> Result<usize, usize> {
        Err(self.0.0.min(elements.len()))
    }
}

/// The element for which the function returns `Equal`; `Less` when the element comes before it.
pub(super) struct Order<F>(pub F);

impl<E: Element, F: FnMut(&E::Key) -> Ordering> Seek<E> for Order<F> {
    fn child(&mut self, children: &[Child<E>]) -> usize {
        children.partition_point(|child| self.0(&child.first).is_le()).saturating_sub(1)
    }

    fn element(&mut self, elements: &[E]) -> Result<usize, usize> {
        elements.binary_search_by(|element| self.0(element.key()))
    }
}

/// As [`Order`], for keys that start with a hash (interpolation search). In a tree of one leaf it
/// starts where the hash would be if hashes were evenly distributed, which reads one cache line
/// where a binary search reads six.
pub(super) struct Interpolation<F> {
    pub hash: Option<u64>,
    pub order: Order<F>,
}

impl<E: Element, F: FnMut(&E::Key) -> Ordering> Seek<E> for Interpolation<F> {
    fn child(&mut self, children: &[Child<E>]) -> usize {
        // Below a branch the leaf covers an unknown range of hashes.
        self.hash = None;
        self.order.child(children)
    }

    fn element(&mut self, elements: &[E]) -> Result<usize, usize> {
        let (Some(hash), false) = (self.hash, elements.is_empty()) else {
            return self.order.element(elements);
        };
        let mut at = ((u128::from(hash) * elements.len() as u128) >> 64) as usize;
        let mut order = (self.order.0)(elements[at].key());
        if order.is_gt() {
            while order.is_gt() {
                if at == 0 {
                    return Err(0);
                }
                at -= 1;
                order = (self.order.0)(elements[at].key());
            }
            return if order.is_eq() { Ok(at) } else { Err(at + 1) };
        }
        while order.is_lt() {
            at += 1;
            if at == elements.len() {
                return Err(at);
            }
            order = (self.order.0)(elements[at].key());
        }
        if order.is_eq() { Ok(at) } else { Err(at) }
    }
}
