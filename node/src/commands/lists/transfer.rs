//! Moving an element from one list to another.

use bytes::Bytes;

use super::pop::{self, popped};
use super::push::pushed;
use crate::commands::args::Args;
use crate::commands::declare::documentation::{ArgumentName, Deprecation};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
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
    key_uses: &[KeyUse::Take, KeyUse::Insert],
    flags: Flags::DENY_OOM,
    argument_names: &[
        ArgumentName::group("left", "wherefrom"),
        ArgumentName::group("left", "whereto"),
    ],
    run: Run::Write(lmove),
    ..Command::NEW
};

fn lmove(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (source, destination) = (args.next()?, args.next()?);
    let source = ListSide { key: source, end: pop::end(&mut args)? };
    let destination = ListSide { key: destination, end: pop::end(&mut args)? };
    Ok(Reply::optional(transfer(ctx, source, destination)?))
}

pub(super) const RPOPLPUSH: Command = Command {
    name: "RPOPLPUSH",
    summary: "Takes the last element of a list and adds it at the head of another.",
    since: "1.2.0",
    complexity: "O(1)",
    syntax: "source destination",
    arity: Arity::Exactly(3),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    key_uses: &[KeyUse::Take, KeyUse::Insert],
    flags: Flags::DENY_OOM,
    deprecated: Some(Deprecation { since: "6.2.0", successor: "LMOVE with RIGHT and LEFT" }),
    run: Run::Write(rpoplpush),
    ..Command::NEW
};

fn rpoplpush(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let source = ListSide { key: args.next()?, end: ListEnd::Tail };
    let destination = ListSide { key: args.next()?, end: ListEnd::Head };
    Ok(Reply::optional(transfer(ctx, source, destination)?))
}

/// One end of the list at a key.
#[derive(Debug, Clone, Copy)]
struct ListSide<'a> {
    key: &'a Bytes,
    end: ListEnd,
}

/// Moves one element between two ends, which may belong to the same list; `None` if there is no
/// source.
fn transfer(
    ctx: &mut WriteContext<'_>,
    source: ListSide<'_>,
    destination: ListSide<'_>,
) -> Result<Option<Bytes>, ReplyError> {
    if ctx.get::<ListValue>(source.key)?.is_none() {
        return Ok(None);
    }
    ctx.get::<ListValue>(destination.key)?;
    let settings = ctx.settings().clone();
    let taken = ctx.get_mut::<ListValue>(source.key)?;
    let taken = taken.map(|list| list.pop(source.end, 1, &settings));
    let Some(element) = taken.and_then(|mut taken| taken.pop()) else { return Ok(None) };
    let list = ctx.get_or_create::<ListValue>(destination.key)?;
    list.push(destination.end, std::slice::from_ref(&element), &settings);
    // Redis's order of events: the addition first, then the removal.
    ctx.changed(destination.key, pushed(destination.end));
    ctx.changed(source.key, popped(source.end));
    Ok(Some(element))
}
