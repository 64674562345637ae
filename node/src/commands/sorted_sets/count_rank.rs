//! Counts, scores and ranks of members.

use super::range::bounds;
use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::syntax::Kind;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::ReadContext;
use crate::data::types::SortedSetValue;
use crate::data::types::sorted_set::Score;
use crate::resp::{Reply, ReplyError};

pub(super) const ZCARD: Command = Command {
    name: "ZCARD",
    summary: "Returns the number of members of a sorted set.",
    since: "1.2.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(zcard),
    ..Command::NEW
};

fn zcard(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::count(ctx.get::<SortedSetValue>(args.next()?)?.map_or(0, SortedSetValue::len)))
}

pub(super) const ZCOUNT: Command = Command {
    name: "ZCOUNT",
    summary: "Returns how many members have a score between two bounds.",
    since: "2.0.0",
    complexity: "O(log N), N: members of the sorted set",
    syntax: "key min max",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    flags: Flags::FAST,
    argument_names: &[
        ArgumentName::typed("min", Kind::Double),
        ArgumentName::typed("max", Kind::Double),
    ],
    run: Run::Read(zcount),
    ..Command::NEW
};

fn zcount(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let (min, max) = (bounds::score(args.next()?)?, bounds::score(args.next()?)?);
    let set = ctx.get::<SortedSetValue>(key)?;
    Ok(Reply::count(set.map_or(0, |set| set.score_range(min, max).len())))
}

pub(super) const ZLEXCOUNT: Command = Command {
    name: "ZLEXCOUNT",
    summary: "Returns how many members of equal scores are between two members.",
    since: "2.8.9",
    complexity: "O(log N), N: members of the sorted set",
    syntax: "key min max",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(zlexcount),
    ..Command::NEW
};

fn zlexcount(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let (min, max) = (bounds::lex(args.next()?)?, bounds::lex(args.next()?)?);
    let set = ctx.get::<SortedSetValue>(key)?;
    Ok(Reply::count(set.map_or(0, |set| set.lex_range(&min, &max).len())))
}

pub(super) const ZSCORE: Command = Command {
    name: "ZSCORE",
    summary: "Returns the score of a member of a sorted set.",
    since: "1.2.0",
    complexity: "O(log N), N: members of the sorted set",
    syntax: "key member",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(zscore),
    ..Command::NEW
};

fn zscore(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let set = ctx.get::<SortedSetValue>(args.next()?)?;
    let member = args.next()?;
    Ok(score_reply(set.and_then(|set| set.score(member))))
}

pub(super) const ZMSCORE: Command = Command {
    name: "ZMSCORE",
    summary: "Returns the scores of several members of a sorted set.",
    since: "6.2.0",
    complexity: "O(N log M), N: members asked for, M: members of the sorted set",
    syntax: "key member [member ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(zmscore),
    ..Command::NEW
};

fn zmscore(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let set = ctx.get::<SortedSetValue>(args.next()?)?;
    let score = |member| score_reply(set.and_then(|set| set.score(member)));
    Ok(Reply::Array(args.rest().iter().map(|member| score(member)).collect()))
}

fn score_reply(score: Option<Score>) -> Reply {
    score.map_or(Reply::Null, |score| Reply::Double(score.get()))
}

pub(super) const ZRANK: Command = Command {
    name: "ZRANK",
    summary: "Returns the rank of a member of a sorted set, the lowest score first.",
    since: "2.0.0",
    complexity: "O(log N), N: members of the sorted set",
    syntax: "key member [WITHSCORE]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(|ctx, args| rank(ctx, args, ZRANK.name, |rank, _| rank)),
    ..Command::NEW
};

pub(super) const ZREVRANK: Command = Command {
    name: "ZREVRANK",
    summary: "Returns the rank of a member of a sorted set, the highest score first.",
    since: "2.0.0",
    complexity: "O(log N), N: members of the sorted set",
    syntax: "key member [WITHSCORE]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(|ctx, args| rank(ctx, args, ZREVRANK.name, |rank, len| len - 1 - rank)),
    ..Command::NEW
};

fn rank(
    ctx: &ReadContext<'_>,
    mut args: Args<'_>,
    name: &str,
    direction: fn(usize, usize) -> usize,
) -> CommandResult {
    let (key, member) = (args.next()?, args.next()?);
    if args.len() > 1 {
        return Err(ReplyError::arity(name));
    }
    let with_score = args.keyword("WITHSCORE");
    args.end()?;
    let set = ctx.get::<SortedSetValue>(key)?;
    let found = set.and_then(|set| set.rank(member).map(|(rank, score)| (set.len(), rank, score)));
    Ok(match found {
        None if with_score => Reply::NullArray,
        None => Reply::Null,
        Some((len, rank, score)) => {
            let rank = Reply::count(direction(rank, len));
            match with_score {
                true => Reply::Array(vec![rank, Reply::Double(score.get())]),
                false => rank,
            }
        }
    })
}
