//! How much a write may add to memory and how much work it is, as far as its declaration
//! determines it. Both are estimated before the write is proposed and never decide anything when
//! it is applied: replicas need not agree on them.

/// The rule by which the growth and the work of a write are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// The bytes of its arguments; it does as much work as it has arguments.
    Arguments,
    /// As [`Growth::Arguments`], and it may compare its arguments with the whole value of its key.
    Searched,
    /// SETRANGE: up to `offset` and the length of the text.
    Overwritten,
    /// RESTORE: what the payload unpacks to.
    Restored,
    /// COPY: the value of the first key. It is shared, so it is no work.
    Copied,
    /// ZRANGESTORE: the part of the value of the second key.
    Ranged,
    /// The values of all keys after the first.
    Union(Repeated),
    /// The smallest value of the keys after the first.
    Intersection(Repeated),
    /// The value of the second key; those after it are read.
    Difference(Repeated),
}

/// What it means that a key is named several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// The value is read once.
    ReadOnce,
    /// The value is read each time.
    ReadAgain,
}
