//! Commands on several sets.

use bytes::Bytes;

use super::{algebra, members};
use crate::commands::args::{Args, numbers};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{Expiry, ReadContext, WriteContext};
use crate::data::keyspace::EventClass;
use crate::data::types::set::Member;
use crate::data::types::{SetValue, TypedValue};
use crate::resp::{Reply, ReplyError};

pub(super) const SINTER: Command = Command {
    name: "SINTER",
    summary: "Returns the members that all of several sets have.",
    since: "1.0.0",
    complexity: "O(N*M), N: members of the smallest set, M: sets",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: Keys::Range { first: 1, last: -1, step: 1 },
    tips: tips::REORDERS,
    run: Run::Read(sinter),
    ..Command::NEW
};

pub(super) const SINTERSTORE: Command = Command {
    name: "SINTERSTORE",
    summary: "Stores the members that all of several sets have.",
    since: "1.0.0",
    complexity: "O(N*M), N: members of the smallest set, M: sets",
    syntax: "destination key [key ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 1, last: -1, step: 1 },
    key_uses: &[KeyUse::Update, KeyUse::Read],
    flags: Flags::DENY_OOM,
    run: Run::Write(sinterstore),
    ..Command::NEW
};

pub(super) const SINTERCARD: Command = Command {
    name: "SINTERCARD",
    summary: "Returns the number of members that all of several sets have.",
    since: "7.0.0",
    complexity: "O(N*M), N: members of the smallest set, M: sets",
    syntax: "numkeys key [key ...] [LIMIT limit]",
    arity: Arity::AtLeast(3),
    keys: Keys::Counted { at: 1, also: None },
    run: Run::Read(sintercard),
    ..Command::NEW
};

pub(super) const SUNION: Command = Command {
    name: "SUNION",
    summary: "Returns the members that any of several sets has.",
    since: "1.0.0",
    complexity: "O(N), N: members of all sets",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: Keys::Range { first: 1, last: -1, step: 1 },
    tips: tips::REORDERS,
    run: Run::Read(sunion),
    ..Command::NEW
};

pub(super) const SUNIONSTORE: Command = Command {
    name: "SUNIONSTORE",
    summary: "Stores the members that any of several sets has.",
    since: "1.0.0",
    complexity: "O(N), N: members of all sets",
    syntax: "destination key [key ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 1, last: -1, step: 1 },
    key_uses: &[KeyUse::Overwrite, KeyUse::Read],
    flags: Flags::DENY_OOM,
    run: Run::Write(sunionstore),
    ..Command::NEW
};

pub(super) const SDIFF: Command = Command {
    name: "SDIFF",
    summary: "Returns the members of a set that none of several others has.",
    since: "1.0.0",
    complexity: "O(N), N: members of all sets",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: Keys::Range { first: 1, last: -1, step: 1 },
    tips: tips::REORDERS,
    run: Run::Read(sdiff),
    ..Command::NEW
};

pub(super) const SDIFFSTORE: Command = Command {
    name: "SDIFFSTORE",
    summary: "Stores the members of a set that none of several others has.",
    since: "1.0.0",
    complexity: "O(N), N: members of all sets",
    syntax: "destination key [key ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 1, last: -1, step: 1 },
    key_uses: &[KeyUse::Overwrite, KeyUse::Read],
    flags: Flags::DENY_OOM,
    run: Run::Write(sdiffstore),
    ..Command::NEW
};

/// The sets at `keys`; WRONGTYPE if any key holds another type.
fn sets<'a>(
    ctx: &ReadContext<'a>,
    keys: &[Bytes],
) -> Result<Vec<Option<&'a SetValue>>, ReplyError> {
    keys.iter().map(|key| ctx.get::<SetValue>(key)).collect()
}

fn intersection<'a>(
    ctx: &ReadContext<'a>,
    keys: &[Bytes],
    limit: usize,
) -> Result<Vec<Member<'a>>, ReplyError> {
    let sets: Option<Vec<_>> = sets(ctx, keys)?.into_iter().collect();
    Ok(sets.map_or_else(Vec::new, |sets| algebra::intersection(sets, limit)))
}

fn union(ctx: &ReadContext<'_>, keys: &[Bytes]) -> Result<SetValue, ReplyError> {
    let sets: Vec<_> = sets(ctx, keys)?.into_iter().flatten().collect();
    Ok(algebra::union(&sets, ctx.settings()))
}

fn difference(ctx: &ReadContext<'_>, keys: &[Bytes]) -> Result<SetValue, ReplyError> {
    let sets = sets(ctx, keys)?;
    let Some((Some(first), others)) = sets.split_first() else { return Ok(SetValue::default()) };
    let others = others.iter().copied().flatten().collect();
    Ok(algebra::difference(first, others, ctx.settings()))
}

/// Stores a result, or removes the key when the result is empty. Returns the number of members.
fn store(ctx: &mut WriteContext<'_>, key: &Bytes, result: SetValue, event: &'static str) -> Reply {
    let len = result.len();
    if len > 0 {
        ctx.put(key, result.into_value(), Expiry::Clear, (EventClass::Set, event));
    } else if ctx.remove(key).is_some() {
        ctx.notify(key, (EventClass::Generic, "del"));
    }
    Reply::count(len)
}

fn sinter(ctx: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    let members = intersection(ctx, args.rest(), usize::MAX)?;
    Ok(Reply::Set(members.into_iter().map(Member::to_bytes).map(Reply::Bulk).collect()))
}

fn sinterstore(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let members = intersection(&ctx.read(), args.rest(), usize::MAX)?;
    let members: Vec<Bytes> = members.into_iter().map(Member::to_bytes).collect();
    let result = SetValue::from_members(members, ctx.settings());
    Ok(store(ctx, key, result, "sinterstore"))
}

fn sintercard(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key_count = numbers::at_least(&mut args, 1, "ERR numkeys should be greater than 0")?;
    let too_many = "ERR Number of keys can't be greater than number of args";
    let keys = args.take(key_count).map_err(|_| ReplyError::new(too_many))?;
    let mut limit = 0;
    while !args.is_empty() {
        if !args.keyword("LIMIT") {
            return Err(ReplyError::SYNTAX);
        }
        limit = numbers::at_least(&mut args, 0, "ERR LIMIT can't be negative")?;
    }
    let limit = if limit == 0 { usize::MAX } else { limit };
    Ok(Reply::count(intersection(ctx, keys, limit)?.len()))
}

fn sunion(ctx: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    Ok(members::all(&union(ctx, args.rest())?))
}

fn sunionstore(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let result = union(&ctx.read(), args.rest())?;
    Ok(store(ctx, key, result, "sunionstore"))
}

fn sdiff(ctx: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    Ok(members::all(&difference(ctx, args.rest())?))
}

fn sdiffstore(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let result = difference(&ctx.read(), args.rest())?;
    Ok(store(ctx, key, result, "sdiffstore"))
}
