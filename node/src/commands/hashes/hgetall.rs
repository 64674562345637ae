//! Reading whole hashes.

use crate::commands::args::Args;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Keys, Run};
use crate::commands::run::ReadContext;
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
    tips: tips::REORDERS,
    run: Run::Read(hgetall),
    ..Command::NEW
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
    tips: tips::REORDERS,
    run: Run::Read(hkeys),
    ..Command::NEW
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
    tips: tips::REORDERS,
    run: Run::Read(hvals),
    ..Command::NEW
};

fn hvals(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let hash = ctx.get::<HashValue>(args.next()?)?;
    let pairs = hash.into_iter().flat_map(HashValue::iter);
    Ok(Reply::Array(pairs.map(|(_, value)| Reply::Bulk(value.clone())).collect()))
}
