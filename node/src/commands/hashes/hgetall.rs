//! Reading whole hashes.

use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::ReadContext;
use crate::data::types::HashValue;
use crate::resp::Reply;

pub(super) const HGETALL: Command = Command {
    name: "HGETALL",
    summary: "Returns all fields of a hash with their values.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(hgetall),
};

fn hgetall(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let hash = ctx.get::<HashValue>(args.next()?)?;
    let pairs = hash.into_iter().flat_map(HashValue::iter);
    let bulk = |(field, value): (&bytes::Bytes, &bytes::Bytes)| {
        (Reply::Bulk(field.clone()), Reply::Bulk(value.clone()))
    };
    Ok(Reply::Map(pairs.map(bulk).collect()))
}

pub(super) const HKEYS: Command = Command {
    name: "HKEYS",
    summary: "Returns all fields of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(hkeys),
};

fn hkeys(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let hash = ctx.get::<HashValue>(args.next()?)?;
    let pairs = hash.into_iter().flat_map(HashValue::iter);
    Ok(Reply::Array(pairs.map(|(field, _)| Reply::Bulk(field.clone())).collect()))
}

pub(super) const HVALS: Command = Command {
    name: "HVALS",
    summary: "Returns all values of a hash.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(hvals),
};

fn hvals(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let hash = ctx.get::<HashValue>(args.next()?)?;
    let pairs = hash.into_iter().flat_map(HashValue::iter);
    Ok(Reply::Array(pairs.map(|(_, value)| Reply::Bulk(value.clone())).collect()))
}
