//! How much a read may examine, as far as its declaration determines it.

/// The rule by which the cost of a read is estimated before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadCost {
    /// The whole values of its keys.
    Values,
    /// As much as it has arguments, independent of the values.
    Arguments,
    /// `start` and `stop` after the key, or LIMIT with BYSCORE and BYLEX.
    Range,
    /// `LIMIT offset count`.
    Limit,
    /// COUNT of the options.
    Scan,
    /// `count` after the key, 1 without it.
    Sample,
    /// The length of the first string times the length of the second.
    Product,
    /// All keys of the selected database.
    Database,
    /// All keys of all databases with their values.
    Keyspace,
}
