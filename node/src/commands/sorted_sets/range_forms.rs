//! The older forms of ZRANGE, with what ZRANGE has as options in their names.

use super::query::{By, Direction, Form};
use super::range::read;
use crate::commands::command::{Arity, Command, Flags, Keys, Run};

const fn form(by: By, direction: Direction) -> Form {
    Form { by: Some(by), direction: Some(direction), may_have_scores: true }
}

pub(super) const ZREVRANGE: Command = Command {
    name: "ZREVRANGE",
    summary: "Returns the members of a sorted set between two ranks, the highest score first.",
    since: "1.2.0",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key start stop [WITHSCORES]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Rank, Direction::Reverse))),
};

pub(super) const ZRANGEBYSCORE: Command = Command {
    name: "ZRANGEBYSCORE",
    summary: "Returns the members of a sorted set with a score between two bounds.",
    since: "1.0.5",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key min max [WITHSCORES] [LIMIT offset count]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Score, Direction::Forward))),
};

pub(super) const ZREVRANGEBYSCORE: Command = Command {
    name: "ZREVRANGEBYSCORE",
    summary: "Returns the members with a score between two bounds, the highest score first.",
    since: "2.2.0",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key max min [WITHSCORES] [LIMIT offset count]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Score, Direction::Reverse))),
};

pub(super) const ZRANGEBYLEX: Command = Command {
    name: "ZRANGEBYLEX",
    summary: "Returns the members of a sorted set of equal scores between two members.",
    since: "2.8.9",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key min max [LIMIT offset count]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Lex, Direction::Forward))),
};

pub(super) const ZREVRANGEBYLEX: Command = Command {
    name: "ZREVRANGEBYLEX",
    summary: "Returns the members of equal scores between two members, the last one first.",
    since: "2.8.9",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key max min [LIMIT offset count]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(|ctx, args| read(ctx, args, form(By::Lex, Direction::Reverse))),
};
