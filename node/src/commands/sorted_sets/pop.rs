//! Removing the lowest or the highest members.

use bytes::Bytes;

use super::reply::pair;
use crate::commands::args::{Args, numbers};
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::data::types::SortedSetValue;
use crate::data::types::sorted_set::Scored;
use crate::resp::{Reply, ReplyError};

pub(super) const ZPOPMIN: Command = Command {
    name: "ZPOPMIN",
    summary: "Takes the members with the lowest scores.",
    since: "5.0.0",
    complexity: "O(N log M), N: members taken, M: members of the sorted set",
    syntax: "key [count]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Take],
    flags: Flags::FAST,
    run: Run::Write(|ctx, args| zpop(ctx, args, Extreme::Lowest)),
    ..Command::NEW
};

pub(super) const ZPOPMAX: Command = Command {
    name: "ZPOPMAX",
    summary: "Takes the members with the highest scores.",
    since: "5.0.0",
    complexity: "O(N log M), N: members taken, M: members of the sorted set",
    syntax: "key [count]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Take],
    flags: Flags::FAST,
    run: Run::Write(|ctx, args| zpop(ctx, args, Extreme::Highest)),
    ..Command::NEW
};

pub(super) const ZMPOP: Command = Command {
    name: "ZMPOP",
    summary: "Takes the extreme members of the first of several sorted sets that is not empty.",
    since: "7.0.0",
    complexity: "O(K + N log M), K: keys, N: members taken, M: members of the sorted set",
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    arity: Arity::AtLeast(4),
    keys: Keys::Counted { at: 1, also: None },
    key_uses: &[KeyUse::Take],
    argument_names: &[ArgumentName::group("min", "where")],
    run: Run::Write(zmpop),
    ..Command::NEW
};

/// Which end of a sorted set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extreme {
    Lowest,
    Highest,
}

/// Removes up to `count` members, the most extreme first, and records the event; `None` if there is
/// no such sorted set.
pub(super) fn take(
    ctx: &mut WriteContext<'_>,
    key: &Bytes,
    extreme: Extreme,
    count: usize,
) -> Result<Option<Vec<Scored>>, ReplyError> {
    let Some(set) = ctx.get_mut::<SortedSetValue>(key)? else { return Ok(None) };
    let count = count.min(set.len());
    let (range, event) = match extreme {
        Extreme::Lowest => (0..count, "zpopmin"),
        Extreme::Highest => (set.len() - count..set.len(), "zpopmax"),
    };
    let mut taken: Vec<Scored> = set.range(range.clone()).cloned().collect();
    if extreme == Extreme::Highest {
        taken.reverse();
    }
    if count > 0 {
        set.remove_range(range);
        ctx.changed(key, (EventClass::SortedSet, event));
    }
    Ok(Some(taken))
}

fn zpop(ctx: &mut WriteContext<'_>, mut args: Args<'_>, extreme: Extreme) -> CommandResult {
    let key = args.next()?;
    if args.len() > 1 {
        return Err(ReplyError::SYNTAX);
    }
    if args.is_empty() {
        let taken = take(ctx, key, extreme, 1)?.unwrap_or_default();
        // The reply is flat in both protocols; only with a count it has pairs.
        let flat = taken.iter().map(pair).flat_map(|(member, score)| [member, score]);
        return Ok(Reply::Array(flat.collect()));
    }
    let count = numbers::not_negative(&mut args)?;
    let taken = take(ctx, key, extreme, count)?.unwrap_or_default();
    Ok(Reply::Pairs(taken.iter().map(pair).collect()))
}

fn zmpop(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key_count = numbers::at_least(&mut args, 1, "ERR numkeys should be greater than 0")?;
    let keys = args.take(key_count)?;
    let extreme = match args.keyword("MIN") {
        true => Extreme::Lowest,
        false if args.keyword("MAX") => Extreme::Highest,
        false => return Err(ReplyError::SYNTAX),
    };
    let mut count = 1;
    if args.keyword("COUNT") {
        count = numbers::at_least(&mut args, 1, "ERR count should be greater than 0")?;
    }
    args.end()?;
    for key in keys {
        if let Some(taken) = take(ctx, key, extreme, count)? {
            // The reply is nested in both protocols.
            let nested = taken.iter().map(pair).map(|(member, score)| vec![member, score]);
            let members = Reply::Array(nested.map(Reply::Array).collect());
            return Ok(Reply::Array(vec![Reply::bulk(key), members]));
        }
    }
    Ok(Reply::NullArray)
}
