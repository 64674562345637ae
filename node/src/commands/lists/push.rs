//! Adding elements at the ends.

use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::data::types::ListValue;
use crate::data::types::list::ListEnd;
use crate::resp::Reply;

pub(super) const LPUSH: Command = Command {
    name: "LPUSH",
    summary: "Adds elements at the head of a list, one after another.",
    since: "1.0.0",
    complexity: "O(N), N: elements added",
    syntax: "key element [element ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Insert],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    history: &[("2.4.0", "Several elements at once.")],
    run: Run::Write(|ctx, args| push(ctx, args, ListEnd::Head, IfMissing::Create)),
    ..Command::NEW
};

pub(super) const RPUSH: Command = Command {
    name: "RPUSH",
    summary: "Adds elements at the tail of a list.",
    since: "1.0.0",
    complexity: "O(N), N: elements added",
    syntax: "key element [element ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Insert],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    history: &[("2.4.0", "Several elements at once.")],
    run: Run::Write(|ctx, args| push(ctx, args, ListEnd::Tail, IfMissing::Create)),
    ..Command::NEW
};

pub(super) const LPUSHX: Command = Command {
    name: "LPUSHX",
    summary: "Adds elements at the head of a list if it exists.",
    since: "2.2.0",
    complexity: "O(N), N: elements added",
    syntax: "key element [element ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Insert],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    history: &[("4.0.0", "Several elements at once.")],
    run: Run::Write(|ctx, args| push(ctx, args, ListEnd::Head, IfMissing::Skip)),
    ..Command::NEW
};

pub(super) const RPUSHX: Command = Command {
    name: "RPUSHX",
    summary: "Adds elements at the tail of a list if it exists.",
    since: "2.2.0",
    complexity: "O(N), N: elements added",
    syntax: "key element [element ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Insert],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    history: &[("4.0.0", "Several elements at once.")],
    run: Run::Write(|ctx, args| push(ctx, args, ListEnd::Tail, IfMissing::Skip)),
    ..Command::NEW
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IfMissing {
    Create,
    Skip,
}

/// Redis's event for adding at this end.
pub(super) const fn pushed(end: ListEnd) -> (EventClass, &'static str) {
    match end {
        ListEnd::Head => (EventClass::List, "lpush"),
        ListEnd::Tail => (EventClass::List, "rpush"),
    }
}

fn push(
    ctx: &mut WriteContext<'_>,
    mut args: Args<'_>,
    end: ListEnd,
    if_missing: IfMissing,
) -> CommandResult {
    let key = args.next()?;
    if if_missing == IfMissing::Skip && ctx.get::<ListValue>(key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let settings = ctx.settings().clone();
    let list = ctx.get_or_create::<ListValue>(key)?;
    list.push(end, args.rest(), &settings);
    let len = list.len();
    ctx.changed(key, pushed(end));
    Ok(Reply::count(len))
}
