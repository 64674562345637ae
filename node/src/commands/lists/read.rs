//! Reading elements by their index.

use crate::commands::args::{Args, numbers};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::ListValue;
use crate::resp::Reply;

pub(super) const LLEN: Command = Command {
    name: "LLEN",
    summary: "Returns the number of elements of a list.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(llen),
    ..Command::NEW
};

fn llen(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::count(ctx.get::<ListValue>(args.next()?)?.map_or(0, ListValue::len)))
}

pub(super) const LINDEX: Command = Command {
    name: "LINDEX",
    summary: "Returns the element of a list at an index.",
    since: "1.0.0",
    complexity: "O(log N), N: elements of the list",
    syntax: "key index",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    cost: ReadCost::Arguments,
    run: Run::Read(lindex),
    ..Command::NEW
};

fn lindex(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    // Redis checks the index only if there is a list.
    let Some(list) = ctx.get::<ListValue>(args.next()?)? else { return Ok(Reply::Null) };
    let index = numbers::index_of(args.integer()?, list.len());
    Ok(Reply::optional(index.and_then(|index| list.get(index)).cloned()))
}

pub(super) const LRANGE: Command = Command {
    name: "LRANGE",
    summary: "Returns the elements of a list between two indexes.",
    since: "1.0.0",
    complexity: "O(log N + M), N: elements of the list, M: elements returned",
    syntax: "key start stop",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    cost: ReadCost::Range,
    run: Run::Read(lrange),
    ..Command::NEW
};

fn lrange(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    let Some(list) = ctx.get::<ListValue>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let range = numbers::index_range(start, stop, list.len());
    Ok(Reply::Array(list.range(range).cloned().map(Reply::Bulk).collect()))
}
