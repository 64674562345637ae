//! Members in replies.

use crate::data::types::sorted_set::Scored;
use crate::resp::Reply;

/// Members alone, or with their scores.
pub(super) fn members_reply<'a>(
    members: impl Iterator<Item = &'a Scored>,
    with_scores: bool,
) -> Reply {
    match with_scores {
        true => Reply::Pairs(members.map(pair).collect()),
        false => Reply::Array(members.map(|scored| Reply::Bulk(scored.member.clone())).collect()),
    }
}

/// A member and its score.
pub(super) fn pair(scored: &Scored) -> (Reply, Reply) {
    (Reply::Bulk(scored.member.clone()), Reply::Double(scored.score.get()))
}
