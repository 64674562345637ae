//! Moving an element from one list to another.

use bytes::Bytes;

use super::pop::{self, popped};
use super::push::pushed;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::WriteContext;
use crate::data::types::ListValue;
use crate::data::types::list::ListEnd;
use crate::resp::{Reply, ReplyError};

pub(super) const LMOVE: Command = Command {
    name: "LMOVE",
    summary: "Takes an element from one end of a list and adds it at one end of another.",
    since: "6.2.0",
    complexity: "O(1)",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    arity: Arity::Exactly(5),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    flags: Flags::DENY_OOM,
    run: Run::Write(lmove),
};

fn lmove(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (source, destination) = (args.next()?, args.next()?);
    let (from, to) = (pop::end(&mut args)?, pop::end(&mut args)?);
    Ok(Reply::optional(transfer(ctx, (source, from), (destination, to))?))
}

pub(super) const RPOPLPUSH: Command = Command {
    name: "RPOPLPUSH",
    summary: "Takes the last element of a list and adds it at the head of another.",
    since: "1.2.0",
    complexity: "O(1)",
    syntax: "source destination",
    arity: Arity::Exactly(3),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    flags: Flags::DENY_OOM,
    run: Run::Write(rpoplpush),
};

fn rpoplpush(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (source, destination) = (args.next()?, args.next()?);
    let moved = transfer(ctx, (source, ListEnd::Tail), (destination, ListEnd::Head))?;
    Ok(Reply::optional(moved))
}

/// Moves one element between two ends, which may be of one list; `None` without a source.
pub(super) fn transfer(
    ctx: &mut WriteContext<'_>,
    (source, from): (&Bytes, ListEnd),
    (destination, to): (&Bytes, ListEnd),
) -> Result<Option<Bytes>, ReplyError> {
    if ctx.get::<ListValue>(source)?.is_none() {
        return Ok(None);
    }
    ctx.get::<ListValue>(destination)?;
    let settings = ctx.settings().clone();
    let taken = ctx.get_mut::<ListValue>(source)?.map(|list| list.pop(from, 1, &settings));
    let Some(element) = taken.and_then(|mut taken| taken.pop()) else { return Ok(None) };
    let list = ctx.get_or_create::<ListValue>(destination)?;
    list.push(to, std::slice::from_ref(&element), &settings);
    // Redis' order of events: what was added first, then what was taken.
    ctx.changed(destination, pushed(to));
    ctx.changed(source, popped(from));
    Ok(Some(element))
}
