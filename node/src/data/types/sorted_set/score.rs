//! Scores: doubles that are never NaN, with a total order.

use std::cmp::Ordering;

/// A score. 0.0 and -0.0 are equal, as in IEEE 754.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score(f64);

impl Score {
    /// `None` for NaN.
    pub fn new(score: f64) -> Option<Self> {
        (!score.is_nan()).then_some(Self(score))
    }

    /// Replaces -0.0 by 0.0, as in a Redis listpack, where whole scores are integers.
    pub(super) fn without_negative_zero(self) -> Self {
        Self(self.0 + 0.0)
    }

    /// The double.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}
