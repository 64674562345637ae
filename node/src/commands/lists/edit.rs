//! Changing elements anywhere in a list.

use crate::commands::args::{Args, numbers};
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::data::types::ListValue;
use crate::data::types::list::ListEnd;
use crate::resp::{Reply, ReplyError};

pub(super) const LSET: Command = Command {
    name: "LSET",
    summary: "Replaces the element of a list at an index.",
    since: "1.0.0",
    complexity: "O(log N), N: elements of the list",
    syntax: "key index element",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Update],
    flags: Flags::DENY_OOM,
    run: Run::Write(lset),
    ..Command::NEW
};

fn lset(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let len = ctx.get::<ListValue>(key)?.ok_or(ReplyError::NO_SUCH_KEY)?.len();
    let index = args.integer()?;
    let index = numbers::index_of(index, len).ok_or(ReplyError::INDEX_OUT_OF_RANGE)?;
    let settings = ctx.settings().clone();
    if let Some(list) = ctx.get_mut::<ListValue>(key)? {
        list.set(index, args.next()?, &settings);
    }
    ctx.changed(key, (EventClass::List, "lset"));
    Ok(Reply::OK)
}

pub(super) const LINSERT: Command = Command {
    name: "LINSERT",
    summary: "Inserts an element before or after the first one that equals a pivot.",
    since: "2.2.0",
    complexity: "O(N), N: elements before the pivot",
    syntax: "key <BEFORE | AFTER> pivot element",
    arity: Arity::Exactly(5),
    keys: Keys::First,
    key_uses: &[KeyUse::Insert],
    flags: Flags::DENY_OOM,
    argument_names: &[ArgumentName::group("before", "where")],
    run: Run::Write(linsert),
    ..Command::NEW
};

fn linsert(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let after = args.keyword("AFTER");
    if !after && !args.keyword("BEFORE") {
        return Err(ReplyError::SYNTAX);
    }
    let (pivot, element) = (args.next()?, args.next()?);
    let Some(list) = ctx.get::<ListValue>(key)? else { return Ok(Reply::Integer(0)) };
    let Some(index) = list.iter().position(|item| item == pivot) else {
        return Ok(Reply::Integer(-1));
    };
    let len = list.len() + 1;
    let settings = ctx.settings().clone();
    if let Some(list) = ctx.get_mut::<ListValue>(key)? {
        list.insert(index + usize::from(after), element, &settings);
    }
    ctx.changed(key, (EventClass::List, "linsert"));
    Ok(Reply::count(len))
}

pub(super) const LREM: Command = Command {
    name: "LREM",
    summary: "Removes elements of a list that equal a given one, from the head or from the tail.",
    since: "1.0.0",
    complexity: "O(N + M log N), N: elements compared, M: elements removed",
    syntax: "key count element",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Delete],
    run: Run::Write(lrem),
    ..Command::NEW
};

fn lrem(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let count = numbers::negatable(&mut args)?;
    let element = args.next()?;
    let (end, limit) = match count {
        0 => (ListEnd::Head, usize::MAX),
        count => (
            if count > 0 { ListEnd::Head } else { ListEnd::Tail },
            usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
        ),
    };
    let settings = ctx.settings().clone();
    let Some(list) = ctx.get_mut::<ListValue>(key)? else { return Ok(Reply::Integer(0)) };
    let removed = list.remove_equal(end, limit, element, &settings);
    if removed > 0 {
        ctx.changed(key, (EventClass::List, "lrem"));
    }
    Ok(Reply::count(removed))
}

pub(super) const LTRIM: Command = Command {
    name: "LTRIM",
    summary: "Keeps only the elements of a list between two indexes.",
    since: "1.0.0",
    complexity: "O(log N + M), N: elements of the list, M: elements removed",
    syntax: "key start stop",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Delete],
    run: Run::Write(ltrim),
    ..Command::NEW
};

fn ltrim(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let (start, stop) = (args.integer()?, args.integer()?);
    let settings = ctx.settings().clone();
    let Some(list) = ctx.get_mut::<ListValue>(key)? else { return Ok(Reply::OK) };
    list.trim(numbers::index_range(start, stop, list.len()), &settings);
    ctx.changed(key, (EventClass::List, "ltrim"));
    Ok(Reply::OK)
}
