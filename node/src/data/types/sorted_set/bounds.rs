//! Ends of score and lexicographic ranges.

use bytes::Bytes;

/// One end of a score range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScoreBound {
    /// This score belongs to the range.
    Inclusive(f64),
    /// `(`: this score does not belong to the range.
    Exclusive(f64),
}

impl ScoreBound {
    /// As the lower end: whether `score` is at or above it.
    pub(super) fn admits_from_below(self, score: f64) -> bool {
        match self {
            Self::Inclusive(bound) => score >= bound,
            Self::Exclusive(bound) => score > bound,
        }
    }

    /// As the upper end: whether `score` is at or below it.
    pub(super) fn admits_from_above(self, score: f64) -> bool {
        match self {
            Self::Inclusive(bound) => score <= bound,
            Self::Exclusive(bound) => score < bound,
        }
    }
}

/// One end of a range of members of equal score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LexBound {
    /// `-`: before every member.
    Lowest,
    /// `+`: after every member.
    Highest,
    /// `[`: this member belongs to the range.
    Inclusive(Bytes),
    /// `(`: this member does not belong to the range.
    Exclusive(Bytes),
}

impl LexBound {
    /// As the lower end: whether `member` is at or above it.
    pub(super) fn admits_from_below(&self, member: &[u8]) -> bool {
        match self {
            Self::Lowest => true,
            Self::Highest => false,
            Self::Inclusive(bound) => member >= bound.as_ref(),
            Self::Exclusive(bound) => member > bound.as_ref(),
        }
    }

    /// As the upper end: whether `member` is at or below it.
    pub(super) fn admits_from_above(&self, member: &[u8]) -> bool {
        match self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::Inclusive(bound) => member <= bound.as_ref(),
            Self::Exclusive(bound) => member < bound.as_ref(),
        }
    }
}
