//! The row of COMMAND INFO for one command: arity, flags, categories, keys.

use super::{key_specs, tips};
use crate::commands::command::{Arity, Flags, Keys, Run};
use crate::commands::table::{self, FAMILIES, Resolved};
use crate::resp::Reply;

/// `[name, arity, flags, first key, last key, step, categories, tips, key specs, subcommands]`
pub(super) fn describe(row: &Resolved) -> Reply {
    let (first, last, step) = legacy_keys(&row.command.keys);
    Reply::Array(vec![
        Reply::bulk(row.full_name()),
        Reply::Integer(arity(row.command.arity)),
        Reply::Set(flags(row).into_iter().map(Reply::Status).collect()),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        Reply::Set(categories(row).into_iter().map(Reply::Status).collect()),
        Reply::Set(tips::tips_of(row).iter().map(Reply::bulk).collect()),
        Reply::Set(key_specs::specs(row)),
        nested(subcommands(row).map(|sub| describe(&sub)).collect()),
    ])
}

/// Redis answers an empty set where a command has no subcommands, else an array.
fn nested(subcommands: Vec<Reply>) -> Reply {
    if subcommands.is_empty() { Reply::Set(subcommands) } else { Reply::Array(subcommands) }
}

/// The subcommands that have a word of their own.
pub(super) fn subcommands(row: &Resolved) -> impl Iterator<Item = Resolved> + use<> {
    let own = row.command.name;
    let is_container = matches!(row.command.run, Run::Container(_));
    table::rows().iter().copied().filter(move |sub| {
        is_container
            && !sub.command.name.is_empty()
            && sub.container.is_some_and(|container| container.name == own)
    })
}

/// Negative for "at least".
pub(super) fn arity(arity: Arity) -> i64 {
    match arity {
        Arity::Exactly(count) => i64::from(count),
        Arity::AtLeast(count) => -i64::from(count),
    }
}

/// First, last and step as clients older than key specifications read them.
fn legacy_keys(keys: &Keys) -> (i64, i64, i64) {
    match *keys {
        Keys::None | Keys::Found(_) | Keys::Counted { also: None, .. } => (0, 0, 0),
        Keys::First => (1, 1, 1),
        Keys::Range { first, last, step } => (first.into(), last.into(), step.into()),
        Keys::Counted { also: Some(place), .. } => (place.into(), place.into(), 1),
    }
}

/// In Redis' order and words.
pub(super) fn flags(row: &Resolved) -> Vec<&'static str> {
    let command = row.command;
    let has = |flag| command.flags.has(flag);
    let keyed = !matches!(command.keys, Keys::None);
    let movable = matches!(command.keys, Keys::Counted { .. } | Keys::Found(_));
    let words = [
        (matches!(command.run, Run::Write(_)), "write"),
        (matches!(command.run, Run::Read(_)), "readonly"),
        (has(Flags::DENY_OOM), "denyoom"),
        (has(Flags::ADMIN), "admin"),
        (has(Flags::NO_SCRIPT), "noscript"),
        (waits(command.name), "blocking"),
        (has(Flags::LOADING), "loading"),
        (has(Flags::STALE), "stale"),
        (has(Flags::FAST), "fast"),
        (has(Flags::NO_AUTH), "no_auth"),
        (keyed && movable, "movablekeys"),
        (has(Flags::NO_MULTI), "no_multi"),
    ];
    words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect()
}

/// With their `@`, in Redis' order.
pub(super) fn categories(row: &Resolved) -> Vec<&'static str> {
    let command = row.command;
    let has = |flag| command.flags.has(flag);
    let family = family_category(row);
    let admin = has(Flags::ADMIN) || matches!(command.name, "LASTSAVE" | "ROLE");
    let words = [
        (family == "@keyspace", family),
        (matches!(command.run, Run::Read(_)), "@read"),
        (matches!(command.run, Run::Write(_)), "@write"),
        (!matches!(family, "" | "@keyspace" | "@connection" | "@transaction"), family),
        (flushes(command.name), "@keyspace"),
        (admin, "@admin"),
        (has(Flags::FAST), "@fast"),
        (!has(Flags::FAST), "@slow"),
        (waits(command.name), "@blocking"),
        (admin || has(Flags::DANGEROUS), "@dangerous"),
        (matches!(family, "@connection" | "@transaction"), family),
        (waits(command.name) || top_name(row) == "COMMAND", "@connection"),
    ];
    words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect()
}

/// Commands of the server group that Redis counts to the keyspace.
fn flushes(name: &str) -> bool {
    matches!(name, "FLUSHALL" | "FLUSHDB" | "SWAPDB" | "DBSIZE")
}

/// Commands that hold their connection until something has happened elsewhere.
fn waits(name: &str) -> bool {
    matches!(name, "WAIT" | "WAITAOF")
}

fn top_name(row: &Resolved) -> &'static str {
    row.container.unwrap_or(row.command).name
}

/// A container has no category of its own: its subcommands have.
fn family_category(row: &Resolved) -> &'static str {
    if matches!(row.command.run, Run::Container(_)) {
        return "";
    }
    let top = top_name(row);
    let family = FAMILIES.iter().find(|family| family.commands.iter().any(|c| c.name == top));
    family.map_or("", |family| family.category)
}

/// Redis' group of a command.
pub(super) fn group(row: &Resolved) -> &'static str {
    let top = top_name(row);
    match top {
        "ASKING" | "READONLY" | "READWRITE" => return "cluster",
        "RESTORE-ASKING" => return "server",
        _ if waits(top) => return "generic",
        _ => {}
    }
    let family = FAMILIES.iter().find(|family| family.commands.iter().any(|c| c.name == top));
    family.map_or("", |family| family.group)
}
