//! Random positions, for SRANDMEMBER and ZRANDMEMBER.

use std::collections::HashSet;

use super::Args;
use super::numbers;
use crate::base::limits::RANDOM_MEMBERS_MAX;
use crate::resp::ReplyError;

/// The count of a random choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum SampleCount {
    /// Up to this many, all different.
    Distinct(usize),
    /// Exactly this many, with repetitions: a negative count.
    Repeated(usize),
}

impl SampleCount {
    /// The next argument.
    pub(in crate::commands) fn parse(args: &mut Args<'_>) -> Result<Self, ReplyError> {
        let count = numbers::negatable(args)?;
        let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        match count {
            0.. => Ok(Self::Distinct(size)),
            _ if size > RANDOM_MEMBERS_MAX => Err(ReplyError::OUT_OF_RANGE),
            _ => Ok(Self::Repeated(size)),
        }
    }

    /// Random positions below `len`. `below` returns a random number below its argument.
    pub(in crate::commands) fn positions(
        self,
        len: usize,
        mut below: impl FnMut(usize) -> usize,
    ) -> Vec<usize> {
        match self {
            _ if len == 0 => Vec::new(),
            Self::Repeated(count) => (0..count).map(|_| below(len)).collect(),
            Self::Distinct(count) if count >= len => (0..len).collect(),
            Self::Distinct(count) => distinct(len, count, below),
        }
    }
}

/// `count` different positions, fewer than `len` (Floyd's sampling, Bentley and Floyd 1987).
fn distinct(len: usize, count: usize, mut below: impl FnMut(usize) -> usize) -> Vec<usize> {
    let mut taken = HashSet::with_capacity(count);
    let pick = |last: usize| {
        let position = below(last + 1);
        if taken.insert(position) {
            position
        } else {
            taken.insert(last);
            last
        }
    };
    (len - count..len).map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::run::Random;

    #[test]
    fn distinct_positions_are_distinct_and_equally_likely() {
        let mut random = Random::new(7);
        let mut hits = [0; 10];
        for _ in 0..2000 {
            let mut positions = SampleCount::Distinct(3).positions(10, |bound| random.below(bound));
            positions.iter().for_each(|position| hits[*position] += 1);
            positions.sort_unstable();
            positions.dedup();
            assert_eq!(positions.len(), 3);
        }
        assert!(hits.iter().all(|hits| (450..750).contains(hits)), "{hits:?}");
    }

    #[test]
    fn counts_past_the_length_give_all_or_repeat() {
        let none = |_: usize| 0;
        assert_eq!(SampleCount::Distinct(9).positions(3, none), [0, 1, 2]);
        assert_eq!(SampleCount::Repeated(4).positions(3, none), [0; 4]);
        assert_eq!(SampleCount::Repeated(4).positions(0, none), [0; 0]);
    }
}
