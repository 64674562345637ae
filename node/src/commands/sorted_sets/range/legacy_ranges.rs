//! The older forms of ZRANGE, whose names contain what ZRANGE has as options.

use super::query::{By, Direction, Form};
use super::read;
use crate::commands::declare::documentation::{ArgumentName, Deprecation};
use crate::commands::declare::syntax::Kind;
use crate::commands::declare::{Arity, Command, Keys, ReadCost, Run};

const fn form(by: By, direction: Direction) -> Form {
    Form { by: Some(by), direction: Some(direction), may_have_scores: true }
}

pub(in crate::commands::sorted_sets) const ZREVRANGE: Command = Command {
    name: "ZREVRANGE",
    summary: "Returns the members of a sorted set between two ranks, the highest score first.",
    since: "1.2.0",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key start stop [WITHSCORES]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    cost: ReadCost::Range,
    deprecated: Some(Deprecation { since: "6.2.0", successor: "ZRANGE with REV" }),
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Rank, Direction::Reverse))),
    ..Command::NEW
};

pub(in crate::commands::sorted_sets) const ZRANGEBYSCORE: Command = Command {
    name: "ZRANGEBYSCORE",
    summary: "Returns the members of a sorted set with a score between two bounds.",
    since: "1.0.5",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key min max [WITHSCORES] [LIMIT offset count]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    cost: ReadCost::Limit,
    history: &[("2.0.0", "WITHSCORES.")],
    deprecated: Some(Deprecation { since: "6.2.0", successor: "ZRANGE with BYSCORE" }),
    argument_names: &[
        ArgumentName::typed("min", Kind::Double),
        ArgumentName::typed("max", Kind::Double),
        ArgumentName::group("limit", "offset_count"),
    ],
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Score, Direction::Forward))),
    ..Command::NEW
};

pub(in crate::commands::sorted_sets) const ZREVRANGEBYSCORE: Command = Command {
    name: "ZREVRANGEBYSCORE",
    summary: "Returns the members with a score between two bounds, the highest score first.",
    since: "2.2.0",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key max min [WITHSCORES] [LIMIT offset count]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    cost: ReadCost::Limit,
    history: &[("2.1.6", "Bounds that do not belong to the range.")],
    deprecated: Some(Deprecation { since: "6.2.0", successor: "ZRANGE with REV and BYSCORE" }),
    argument_names: &[
        ArgumentName::typed("min", Kind::Double),
        ArgumentName::typed("max", Kind::Double),
        ArgumentName::group("limit", "offset_count"),
    ],
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Score, Direction::Reverse))),
    ..Command::NEW
};

pub(in crate::commands::sorted_sets) const ZRANGEBYLEX: Command = Command {
    name: "ZRANGEBYLEX",
    summary: "Returns the members of a sorted set of equal scores between two members.",
    since: "2.8.9",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key min max [LIMIT offset count]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    cost: ReadCost::Limit,
    deprecated: Some(Deprecation { since: "6.2.0", successor: "ZRANGE with BYLEX" }),
    argument_names: &[ArgumentName::group("limit", "offset_count")],
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Lex, Direction::Forward))),
    ..Command::NEW
};

pub(in crate::commands::sorted_sets) const ZREVRANGEBYLEX: Command = Command {
    name: "ZREVRANGEBYLEX",
    summary: "Returns the members of equal scores between two members, the last one first.",
    since: "2.8.9",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key max min [LIMIT offset count]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    cost: ReadCost::Limit,
    deprecated: Some(Deprecation { since: "6.2.0", successor: "ZRANGE with REV and BYLEX" }),
    argument_names: &[ArgumentName::group("limit", "offset_count")],
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Lex, Direction::Reverse))),
    ..Command::NEW
};
