//! Adding, removing, moving and finding members.

use crate::commands::args::Args;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{ReadContext, WriteContext};
use crate::data::keyspace::EventClass;
use crate::data::types::SetValue;
use crate::data::types::set::Member;
use crate::resp::Reply;

pub(super) const SADD: Command = Command {
    name: "SADD",
    summary: "Adds members to a set.",
    since: "1.0.0",
    complexity: "O(N log M), N: members added, M: members of the set",
    syntax: "key member [member ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Insert],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    history: &[("2.4.0", "Several elements at once.")],
    run: Run::Write(sadd),
    ..Command::NEW
};

fn sadd(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let settings = ctx.settings().clone();
    let set = ctx.get_or_create::<SetValue>(key)?;
    let members = args.rest();
    match members.first() {
        Some(first) if set.is_empty() => set.prepare(first, members.len(), &settings),
        _ => set.expect_len(members.len(), &settings),
    }
    let added = members.iter().filter(|member| set.add(member, &settings)).count();
    if added > 0 {
        ctx.changed(key, (EventClass::Set, "sadd"));
    }
    Ok(Reply::count(added))
}

pub(super) const SREM: Command = Command {
    name: "SREM",
    summary: "Removes members from a set.",
    since: "1.0.0",
    complexity: "O(N log M), N: members removed, M: members of the set",
    syntax: "key member [member ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Delete],
    flags: Flags::FAST,
    history: &[("2.4.0", "Several elements at once.")],
    run: Run::Write(srem),
    ..Command::NEW
};

fn srem(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let Some(set) = ctx.get_mut::<SetValue>(key)? else { return Ok(Reply::Integer(0)) };
    let removed = args.rest().iter().filter(|member| set.remove(member)).count();
    if removed > 0 {
        ctx.changed(key, (EventClass::Set, "srem"));
    }
    Ok(Reply::count(removed))
}

pub(super) const SMOVE: Command = Command {
    name: "SMOVE",
    summary: "Moves a member from one set to another.",
    since: "1.0.0",
    complexity: "O(log N), N: members of the larger set",
    syntax: "source destination member",
    arity: Arity::Exactly(4),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    key_uses: &[KeyUse::Take, KeyUse::Insert],
    flags: Flags::FAST.with(Flags::CREATES_KEY),
    run: Run::Write(smove),
    ..Command::NEW
};

fn smove(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (source, destination, member) = (args.next()?, args.next()?, args.next()?);
    if ctx.object(source).is_none() {
        return Ok(Reply::Integer(0));
    }
    let is_member = ctx.get::<SetValue>(source)?.is_some_and(|set| set.contains(member));
    ctx.get::<SetValue>(destination)?;
    if !is_member || source == destination {
        return Ok(Reply::flag(is_member));
    }
    if let Some(set) = ctx.get_mut::<SetValue>(source)? {
        set.remove(member);
    }
    ctx.changed(source, (EventClass::Set, "srem"));
    let settings = ctx.settings().clone();
    let set = ctx.get_or_create::<SetValue>(destination)?;
    if set.add(member, &settings) {
        ctx.changed(destination, (EventClass::Set, "sadd"));
    }
    Ok(Reply::Integer(1))
}

pub(super) const SCARD: Command = Command {
    name: "SCARD",
    summary: "Returns the number of members of a set.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(scard),
    ..Command::NEW
};

fn scard(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::count(ctx.get::<SetValue>(args.next()?)?.map_or(0, SetValue::len)))
}

pub(super) const SISMEMBER: Command = Command {
    name: "SISMEMBER",
    summary: "Tells whether a set has a member.",
    since: "1.0.0",
    complexity: "O(log N), N: members of the set",
    syntax: "key member",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(sismember),
    ..Command::NEW
};

fn sismember(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let set = ctx.get::<SetValue>(args.next()?)?;
    let member = args.next()?;
    Ok(Reply::flag(set.is_some_and(|set| set.contains(member))))
}

pub(super) const SMISMEMBER: Command = Command {
    name: "SMISMEMBER",
    summary: "Tells for each of several members whether a set has it.",
    since: "6.2.0",
    complexity: "O(N log M), N: members asked for, M: members of the set",
    syntax: "key member [member ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(smismember),
    ..Command::NEW
};

fn smismember(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let set = ctx.get::<SetValue>(args.next()?)?;
    let is_in = |member| Reply::flag(set.is_some_and(|set| set.contains(member)));
    Ok(Reply::Array(args.rest().iter().map(|member| is_in(member)).collect()))
}

pub(super) const SMEMBERS: Command = Command {
    name: "SMEMBERS",
    summary: "Returns all members of a set.",
    since: "1.0.0",
    complexity: "O(N), N: members of the set",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    tips: tips::REORDERS,
    run: Run::Read(smembers),
    ..Command::NEW
};

fn smembers(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(ctx.get::<SetValue>(args.next()?)?.map_or_else(|| Reply::Set(Vec::new()), all))
}

/// All members, in the set's own order.
pub(super) fn all(set: &SetValue) -> Reply {
    Reply::Set(set.iter().map(Member::to_bytes).map(Reply::Bulk).collect())
}
