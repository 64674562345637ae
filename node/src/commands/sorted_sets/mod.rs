//! Sorted sets.

mod add;
mod combine;
mod count_rank;
mod pop;
mod random;
mod range;
mod remove;
mod reply;
mod scan;

use crate::commands::declare::Family;

pub(super) const FAMILY: Family = Family {
    group: "sorted-set",
    category: "@sortedset",
    commands: &[
        add::ZADD,
        count_rank::ZCARD,
        count_rank::ZCOUNT,
        combine::ZDIFF,
        combine::ZDIFFSTORE,
        add::ZINCRBY,
        combine::ZINTER,
        combine::ZINTERCARD,
        combine::ZINTERSTORE,
        count_rank::ZLEXCOUNT,
        pop::ZMPOP,
        count_rank::ZMSCORE,
        pop::ZPOPMAX,
        pop::ZPOPMIN,
        random::ZRANDMEMBER,
        range::ZRANGE,
        range::legacy_ranges::ZRANGEBYLEX,
        range::legacy_ranges::ZRANGEBYSCORE,
        range::ZRANGESTORE,
        count_rank::ZRANK,
        remove::ZREM,
        remove::ZREMRANGEBYLEX,
        remove::ZREMRANGEBYRANK,
        remove::ZREMRANGEBYSCORE,
        range::legacy_ranges::ZREVRANGE,
        range::legacy_ranges::ZREVRANGEBYLEX,
        range::legacy_ranges::ZREVRANGEBYSCORE,
        count_rank::ZREVRANK,
        scan::ZSCAN,
        count_rank::ZSCORE,
        combine::ZUNION,
        combine::ZUNIONSTORE,
    ],
};

#[cfg(test)]
#[path = "sorted_sets_test.rs"]
mod tests;
