//! Removing members by name, rank, score or lexicographic range.

use std::ops::Range;

use bytes::Bytes;

use super::range::bounds;
use crate::commands::args::{Args, numbers};
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::syntax::Kind;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::data::types::SortedSetValue;
use crate::resp::Reply;

pub(super) const ZREM: Command = Command {
    name: "ZREM",
    summary: "Removes members from a sorted set.",
    since: "1.2.0",
    complexity: "O(N log M), N: members removed, M: members of the sorted set",
    syntax: "key member [member ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Delete],
    flags: Flags::FAST,
    history: &[("2.4.0", "Several elements at once.")],
    run: Run::Write(zrem),
    ..Command::NEW
};

fn zrem(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let Some(set) = ctx.get_mut::<SortedSetValue>(key)? else { return Ok(Reply::Integer(0)) };
    let removed = args.rest().iter().filter(|member| set.remove(member).is_some()).count();
    if removed > 0 {
        ctx.changed(key, (EventClass::SortedSet, "zrem"));
    }
    Ok(Reply::count(removed))
}

pub(super) const ZREMRANGEBYRANK: Command = Command {
    name: "ZREMRANGEBYRANK",
    summary: "Removes the members of a sorted set between two ranks.",
    since: "2.0.0",
    complexity: "O(N log M), N: members removed, M: members of the sorted set",
    syntax: "key start stop",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Delete],
    run: Run::Write(zremrangebyrank),
    ..Command::NEW
};

fn zremrangebyrank(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    let range = |set: &SortedSetValue| numbers::index_range(start, stop, set.len());
    remove_range(ctx, key, range, "zremrangebyrank")
}

pub(super) const ZREMRANGEBYSCORE: Command = Command {
    name: "ZREMRANGEBYSCORE",
    summary: "Removes the members of a sorted set with a score between two bounds.",
    since: "1.2.0",
    complexity: "O(N log M), N: members removed, M: members of the sorted set",
    syntax: "key min max",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Delete],
    argument_names: &[
        ArgumentName::typed("min", Kind::Double),
        ArgumentName::typed("max", Kind::Double),
    ],
    run: Run::Write(zremrangebyscore),
    ..Command::NEW
};

fn zremrangebyscore(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let (min, max) = (bounds::score(args.next()?)?, bounds::score(args.next()?)?);
    remove_range(ctx, key, |set| set.score_range(min, max), "zremrangebyscore")
}

pub(super) const ZREMRANGEBYLEX: Command = Command {
    name: "ZREMRANGEBYLEX",
    summary: "Removes the members of a sorted set of equal scores between two members.",
    since: "2.8.9",
    complexity: "O(N log M), N: members removed, M: members of the sorted set",
    syntax: "key min max",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Delete],
    run: Run::Write(zremrangebylex),
    ..Command::NEW
};

fn zremrangebylex(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let (min, max) = (bounds::lex(args.next()?)?, bounds::lex(args.next()?)?);
    remove_range(ctx, key, |set| set.lex_range(&min, &max), "zremrangebylex")
}

fn remove_range(
    ctx: &mut WriteContext<'_>,
    key: &Bytes,
    range: impl Fn(&SortedSetValue) -> Range<usize>,
    event: &'static str,
) -> CommandResult {
    let Some(set) = ctx.get_mut::<SortedSetValue>(key)? else { return Ok(Reply::Integer(0)) };
    let range = range(set);
    let removed = range.len();
    if removed > 0 {
        set.remove_range(range);
        ctx.changed(key, (EventClass::SortedSet, event));
    }
    Ok(Reply::count(removed))
}
