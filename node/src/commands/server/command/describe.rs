//! The row of COMMAND INFO for one command: arity, flags, categories, keys.

use super::key_specs;
use crate::commands::declare::{Arity, CommandTable, Flags, Keys, Resolved, Run};
use crate::resp::Reply;

/// `[name, arity, flags, first key, last key, step, categories, tips, key specs, subcommands]`
pub(super) fn describe(table: &dyn CommandTable, row: &Resolved) -> Reply {
    let command = row.command;
    let (first, last, step) = legacy_keys(&command.keys);
    Reply::Array(vec![
        Reply::bulk(row.full_name()),
        Reply::Integer(arity(command.arity)),
        Reply::Set(flags(row).into_iter().map(Reply::Status).collect()),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        Reply::Set(categories(row).into_iter().map(Reply::Status).collect()),
        Reply::Set(command.tips.iter().map(Reply::bulk).collect()),
        Reply::Set(key_specs::specs(command)),
        nested(subcommands(table, row).map(|row| describe(table, row)).collect()),
    ])
}

/// Redis returns an empty set for a command without subcommands, else an array.
fn nested(subcommands: Vec<Reply>) -> Reply {
    if subcommands.is_empty() { Reply::Set(subcommands) } else { Reply::Array(subcommands) }
}

/// The subcommands with a name.
pub(super) fn subcommands<'a>(
    table: &'a dyn CommandTable,
    row: &Resolved,
) -> impl Iterator<Item = &'a Resolved> + use<'a> {
    let own = row.command.name;
    let is_container = matches!(row.command.run, Run::Container(_));
    table.rows().iter().filter(move |row| {
        is_container
            && !row.command.name.is_empty()
            && row.container.is_some_and(|container| container.name == own)
    })
}

/// Negative for "at least".
fn arity(arity: Arity) -> i64 {
    match arity {
        Arity::Exactly(count) => i64::from(count),
        Arity::AtLeast(count) => -i64::from(count),
    }
}

/// First key, last key and step, for clients that do not know key specifications.
fn legacy_keys(keys: &Keys) -> (i64, i64, i64) {
    match *keys {
        Keys::None | Keys::Counted { also: None, .. } => (0, 0, 0),
        Keys::First => (1, 1, 1),
        Keys::Range { first, last, step } => (first.into(), last.into(), step.into()),
        Keys::Counted { also: Some(key), .. } => (key.into(), key.into(), 1),
    }
}

/// Redis's names of the flags, in Redis's order.
fn flags(row: &Resolved) -> Vec<&'static str> {
    let command = row.command;
    let has = |flag| command.flags.has(flag);
    let movable = matches!(command.keys, Keys::Counted { .. });
    let words = [
        (matches!(command.run, Run::Write(_)), "write"),
        (matches!(command.run, Run::Read(_)), "readonly"),
        (has(Flags::DENY_OOM), "denyoom"),
        (has(Flags::ADMIN), "admin"),
        (has(Flags::NO_SCRIPT), "noscript"),
        (has(Flags::BLOCKING), "blocking"),
        (has(Flags::LOADING), "loading"),
        (has(Flags::STALE), "stale"),
        (has(Flags::FAST), "fast"),
        (has(Flags::NO_AUTH), "no_auth"),
        (movable, "movablekeys"),
        (has(Flags::NO_MULTI), "no_multi"),
    ];
    words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect()
}

/// With their `@`, in Redis's order.
pub(super) fn categories(row: &Resolved) -> Vec<&'static str> {
    let command = row.command;
    let has = |flag| command.flags.has(flag);
    let family = family_category(row);
    let admin = has(Flags::ADMIN) || has(Flags::ADMIN_CATEGORY);
    let words = [
        (family == "@keyspace", family),
        (matches!(command.run, Run::Read(_)), "@read"),
        (matches!(command.run, Run::Write(_)), "@write"),
        (!matches!(family, "" | "@keyspace" | "@connection" | "@transaction"), family),
        (has(Flags::KEYSPACE), "@keyspace"),
        (admin, "@admin"),
        (has(Flags::FAST), "@fast"),
        (!has(Flags::FAST), "@slow"),
        (has(Flags::BLOCKING), "@blocking"),
        (admin || has(Flags::DANGEROUS), "@dangerous"),
        (matches!(family, "@connection" | "@transaction"), family),
        (has(Flags::BLOCKING) || has(Flags::CONNECTION), "@connection"),
    ];
    words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect()
}

/// A container has no category; its subcommands have one.
const fn family_category(row: &Resolved) -> &'static str {
    if matches!(row.command.run, Run::Container(_)) { "" } else { row.family.category }
}

/// Redis's group of a command.
pub(super) fn group(row: &Resolved) -> &'static str {
    row.top_level().group.unwrap_or(row.family.group)
}
