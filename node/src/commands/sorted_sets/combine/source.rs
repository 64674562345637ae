//! An input of ZUNION and similar commands: a sorted set, or a set whose members all have the score
//! 1.

use bytes::Bytes;

use crate::commands::run::ReadContext;
use crate::data::types::set::Member;
use crate::data::types::sorted_set::Score;
use crate::data::types::{SetValue, SortedSetValue, Value};
use crate::resp::ReplyError;

/// The value at a key, as members with scores.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// No such key.
    Missing,
    Sorted(&'a SortedSetValue),
    Plain(&'a SetValue),
}

impl<'a> Source<'a> {
    /// WRONGTYPE for other types.
    pub(super) fn find(ctx: &ReadContext<'a>, key: &[u8]) -> Result<Self, ReplyError> {
        match ctx.object(key).map(|object| &object.value) {
            None => Ok(Self::Missing),
            Some(Value::SortedSet(set)) => Ok(Self::Sorted(set)),
            Some(Value::Set(set)) => Ok(Self::Plain(set)),
            Some(_) => Err(ReplyError::WRONG_TYPE),
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Sorted(set) => set.len(),
            Self::Plain(set) => set.len(),
        }
    }

    pub(super) fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Sorted(set) => set.score(member).map(Score::get),
            Self::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Members with scores, in the value's own order.
    pub(super) fn iter(self) -> Box<dyn Iterator<Item = (Bytes, f64)> + 'a> {
        match self {
            Self::Missing => Box::new(std::iter::empty()),
            Self::Sorted(set) => {
                Box::new(set.iter().map(|scored| (scored.member.clone(), scored.score.get())))
            }
            Self::Plain(set) => Box::new(set.iter().map(Member::to_bytes).map(|text| (text, 1.0))),
        }
    }
}
