//! An iterator that is one of two: a value's small or its large encoding.

/// One of two iterators over the same items.
#[derive(Debug, Clone)]
pub(super) enum Either<S, L> {
    /// Over a small encoding.
    Small(S),
    /// Over a large encoding.
    Large(L),
}

impl<S, L> Iterator for Either<S, L>
where
    S: Iterator,
    L: Iterator<Item = S::Item>,
{
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        match self {
            Self::Small(items) => items.next(),
            Self::Large(items) => items.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Small(items) => items.size_hint(),
            Self::Large(items) => items.size_hint(),
        }
    }
}

impl<S, L> DoubleEndedIterator for Either<S, L>
where
    S: DoubleEndedIterator,
    L: DoubleEndedIterator<Item = S::Item>,
{
    fn next_back(&mut self) -> Option<S::Item> {
        match self {
            Self::Small(items) => items.next_back(),
            Self::Large(items) => items.next_back(),
        }
    }
}

impl<S, L> ExactSizeIterator for Either<S, L>
where
    S: ExactSizeIterator,
    L: ExactSizeIterator<Item = S::Item>,
{
}
