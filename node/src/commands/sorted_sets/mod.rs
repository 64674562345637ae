//! Sorted sets.

mod add;
mod algebra;
mod bounds;
mod combine;
mod look;
mod options;
mod pop;
mod query;
mod random;
mod range;
mod range_forms;
mod remove;
mod scan;
mod source;

use super::command::Family;
use crate::data::types::sorted_set::Scored;
use crate::resp::Reply;

pub(super) const FAMILY: Family = Family {
    group: "sorted-set",
    category: "@sortedset",
    commands: &[
        add::ZADD,
        look::ZCARD,
        look::ZCOUNT,
        combine::ZDIFF,
        combine::ZDIFFSTORE,
        add::ZINCRBY,
        combine::ZINTER,
        combine::ZINTERCARD,
        combine::ZINTERSTORE,
        look::ZLEXCOUNT,
        pop::ZMPOP,
        look::ZMSCORE,
        pop::ZPOPMAX,
        pop::ZPOPMIN,
        random::ZRANDMEMBER,
        range::ZRANGE,
        range_forms::ZRANGEBYLEX,
        range_forms::ZRANGEBYSCORE,
        range::ZRANGESTORE,
        look::ZRANK,
        remove::ZREM,
        remove::ZREMRANGEBYLEX,
        remove::ZREMRANGEBYRANK,
        remove::ZREMRANGEBYSCORE,
        range_forms::ZREVRANGE,
        range_forms::ZREVRANGEBYLEX,
        range_forms::ZREVRANGEBYSCORE,
        look::ZREVRANK,
        scan::ZSCAN,
        look::ZSCORE,
        combine::ZUNION,
        combine::ZUNIONSTORE,
    ],
};

/// Members alone, or with their scores.
fn members_reply<'a>(members: impl Iterator<Item = &'a Scored>, with_scores: bool) -> Reply {
    match with_scores {
        true => Reply::Pairs(members.map(pair).collect()),
        false => Reply::Array(members.map(|scored| Reply::Bulk(scored.member.clone())).collect()),
    }
}

/// A member and its score.
fn pair(scored: &Scored) -> (Reply, Reply) {
    (Reply::Bulk(scored.member.clone()), Reply::Double(scored.score.get()))
}

#[cfg(test)]
#[path = "sorted_sets_test.rs"]
mod tests;

#[cfg(test)]
#[path = "combine_test.rs"]
mod combine_tests;
