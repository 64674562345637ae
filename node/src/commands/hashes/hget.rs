//! Reading single fields.

use bytes::Bytes;

use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::ReadContext;
use crate::data::types::HashValue;
use crate::resp::Reply;

pub(super) const HGET: Command = Command {
    name: "HGET",
    summary: "Returns the value of a field of a hash.",
    since: "2.0.0",
    complexity: "O(1)",
    syntax: "key field",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(hget),
    ..Command::NEW
};

fn hget(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let hash = ctx.get::<HashValue>(args.next()?)?;
    let field = args.next()?;
    Ok(Reply::optional(hash.and_then(|hash| hash.get(field)).cloned()))
}

pub(super) const HMGET: Command = Command {
    name: "HMGET",
    summary: "Returns the values of several fields of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields asked for",
    syntax: "key field [field ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(hmget),
    ..Command::NEW
};

fn hmget(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let hash = ctx.get::<HashValue>(args.next()?)?;
    let value = |field| Reply::optional(hash.and_then(|hash| hash.get(field)).cloned());
    Ok(Reply::Array(args.rest().iter().map(|field| value(field)).collect()))
}

pub(super) const HEXISTS: Command = Command {
    name: "HEXISTS",
    summary: "Tells whether a hash has a field.",
    since: "2.0.0",
    complexity: "O(1)",
    syntax: "key field",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(hexists),
    ..Command::NEW
};

fn hexists(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let hash = ctx.get::<HashValue>(args.next()?)?;
    let field = args.next()?;
    Ok(Reply::flag(hash.is_some_and(|hash| hash.get(field).is_some())))
}

pub(super) const HLEN: Command = Command {
    name: "HLEN",
    summary: "Returns the number of fields of a hash.",
    since: "2.0.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(hlen),
    ..Command::NEW
};

fn hlen(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::count(ctx.get::<HashValue>(args.next()?)?.map_or(0, HashValue::len)))
}

pub(super) const HSTRLEN: Command = Command {
    name: "HSTRLEN",
    summary: "Returns the length in bytes of a field's value.",
    since: "3.2.0",
    complexity: "O(1)",
    syntax: "key field",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(hstrlen),
    ..Command::NEW
};

fn hstrlen(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let hash = ctx.get::<HashValue>(args.next()?)?;
    let field = args.next()?;
    Ok(Reply::count(hash.and_then(|hash| hash.get(field)).map_or(0, Bytes::len)))
}
