//! Removing elements at the ends.

use bytes::Bytes;

use crate::commands::args::{Args, numbers};
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::data::types::ListValue;
use crate::data::types::list::ListEnd;
use crate::resp::{Reply, ReplyError};

pub(super) const LPOP: Command = Command {
    name: "LPOP",
    summary: "Takes elements from the head of a list.",
    since: "1.0.0",
    complexity: "O(N), N: elements taken",
    syntax: "key [count]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Take],
    flags: Flags::FAST,
    history: &[("6.2.0", "A count.")],
    run: Run::Write(|ctx, args| pop(ctx, args, ListEnd::Head)),
    ..Command::NEW
};

pub(super) const RPOP: Command = Command {
    name: "RPOP",
    summary: "Takes elements from the tail of a list.",
    since: "1.0.0",
    complexity: "O(N), N: elements taken",
    syntax: "key [count]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Take],
    flags: Flags::FAST,
    history: &[("6.2.0", "A count.")],
    run: Run::Write(|ctx, args| pop(ctx, args, ListEnd::Tail)),
    ..Command::NEW
};

pub(super) const LMPOP: Command = Command {
    name: "LMPOP",
    summary: "Takes elements from the first of several lists that is not empty.",
    since: "7.0.0",
    complexity: "O(N+M), N: keys, M: elements taken",
    syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    arity: Arity::AtLeast(4),
    keys: Keys::Counted { at: 1, also: None },
    key_uses: &[KeyUse::Take],
    argument_names: &[ArgumentName::group("left", "where")],
    run: Run::Write(lmpop),
    ..Command::NEW
};

/// Removes up to `count` elements from one end, the outermost first, and records the event; `None`
/// if there is no such list.
pub(super) fn take(
    ctx: &mut WriteContext<'_>,
    key: &Bytes,
    end: ListEnd,
    count: usize,
) -> Result<Option<Vec<Bytes>>, ReplyError> {
    let settings = ctx.settings().clone();
    let Some(list) = ctx.get_mut::<ListValue>(key)? else { return Ok(None) };
    let taken = list.pop(end, count, &settings);
    if !taken.is_empty() {
        ctx.changed(key, popped(end));
    }
    Ok(Some(taken))
}

/// Redis's event for removing at this end.
pub(super) const fn popped(end: ListEnd) -> (EventClass, &'static str) {
    match end {
        ListEnd::Head => (EventClass::List, "lpop"),
        ListEnd::Tail => (EventClass::List, "rpop"),
    }
}

/// `LEFT` or `RIGHT`.
pub(super) fn end(args: &mut Args<'_>) -> Result<ListEnd, ReplyError> {
    if args.keyword("LEFT") {
        Ok(ListEnd::Head)
    } else if args.keyword("RIGHT") {
        Ok(ListEnd::Tail)
    } else {
        Err(ReplyError::SYNTAX)
    }
}

fn pop(ctx: &mut WriteContext<'_>, mut args: Args<'_>, end: ListEnd) -> CommandResult {
    let key = args.next()?;
    if args.len() > 1 {
        let name = if end == ListEnd::Head { LPOP.name } else { RPOP.name };
        return Err(ReplyError::arity(name));
    }
    if args.is_empty() {
        let taken = take(ctx, key, end, 1)?;
        return Ok(Reply::optional(taken.and_then(|mut taken| taken.pop())));
    }
    let count = numbers::not_negative(&mut args)?;
    Ok(take(ctx, key, end, count)?.map_or(Reply::NullArray, elements))
}

fn lmpop(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key_count = numbers::at_least(&mut args, 1, "ERR numkeys should be greater than 0")?;
    let keys = args.take(key_count)?;
    let end = end(&mut args)?;
    let mut count = 1;
    if args.keyword("COUNT") {
        count = numbers::at_least(&mut args, 1, "ERR count should be greater than 0")?;
    }
    args.end()?;
    for key in keys {
        if let Some(taken) = take(ctx, key, end, count)? {
            return Ok(Reply::Array(vec![Reply::bulk(key), elements(taken)]));
        }
    }
    Ok(Reply::NullArray)
}

fn elements(elements: Vec<Bytes>) -> Reply {
    Reply::Array(elements.into_iter().map(Reply::Bulk).collect())
}
