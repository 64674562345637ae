//! COMMAND: the table of commands as clients, proxies and shells ask for it.

mod argument_names;
mod describe;
mod docs;
mod key_flags;
mod key_specs;
mod history;
mod list;
mod tips;

use bytes::Bytes;

use super::{at_once, container, help};
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::NodeContext;
use crate::commands::table::{self, Resolved};
use crate::resp::{Reply, ReplyError};

pub(super) const COMMAND: Command = Command {
    arity: Arity::AtLeast(1),
    flags: Flags::LOADING.with(Flags::STALE),
    complexity: "O(N) where N is the total number of Redis commands",
    ..container(
        "COMMAND",
        "Returns detailed information about all commands.",
        "2.8.13",
        &[
            row("", "Returns all commands.", "", Arity::Exactly(1), at_once!(all)),
            row(
                "COUNT",
                "Returns how many commands there are.",
                "",
                Arity::Exactly(2),
                at_once!(count),
            ),
            Command {
                since: "7.0.0",
                ..row(
                    "DOCS",
                    "Returns the documentation of commands.",
                    "[command-name [command-name ...]]",
                    Arity::AtLeast(2),
                    at_once!(docs::docs),
                )
            },
            row(
                "GETKEYS",
                "Returns the keys of a whole command.",
                "command [arg [arg ...]]",
                Arity::AtLeast(3),
                at_once!(keys),
            ),
            Command {
                since: "7.0.0",
                ..row(
                    "GETKEYSANDFLAGS",
                    "Returns the keys of a whole command and how they are used.",
                    "command [arg [arg ...]]",
                    Arity::AtLeast(3),
                    at_once!(keys_and_flags),
                )
            },
            Command {
                since: "5.0.0",
                ..row("HELP", "Lists the subcommands.", "", Arity::Exactly(2), at_once!(show_help))
            },
            row(
                "INFO",
                "Returns commands by name.",
                "[command-name [command-name ...]]",
                Arity::AtLeast(2),
                at_once!(info),
            ),
            Command {
                since: "7.0.0",
                ..row(
                    "LIST",
                    "Returns the names of commands.",
                    "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
                    Arity::AtLeast(2),
                    at_once!(list::list),
                )
            },
        ],
    )
};

const fn row(
    name: &'static str,
    summary: &'static str,
    syntax: &'static str,
    arity: Arity,
    run: Run,
) -> Command {
    Command {
        name,
        summary,
        since: "2.8.13",
        complexity: "O(N) where N is the number of commands",
        syntax,
        arity,
        keys: Keys::None,
        flags: Flags::LOADING.with(Flags::STALE),
        run,
    }
}

/// Commands that are no subcommand.
fn top_level() -> impl Iterator<Item = Resolved> {
    table::rows().iter().copied().filter(|row| row.container.is_none())
}

/// The command of this full name (`get`, `config|set`), whatever its case.
fn named(name: &[u8]) -> Option<Resolved> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let (first, second) = (parts.next()?, parts.next());
    match second {
        None => table::find_named(b"", first),
        Some(b"") => None,
        Some(second) => table::find_named(first, second),
    }
}

fn all(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Array(top_level().map(|row| describe::describe(&row)).collect()))
}

fn count(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::count(top_level().count()))
}

fn info(context: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    if args.is_empty() {
        return all(context, args);
    }
    let rows = args
        .rest()
        .iter()
        .map(|name| named(name).map_or(Reply::NullArray, |found| describe::describe(&found)));
    Ok(Reply::Array(rows.collect()))
}

/// The command in `words` and the places of its keys.
fn locate(words: &[Bytes]) -> Result<(Resolved, Vec<usize>), ReplyError> {
    let unknown = ReplyError::new("ERR Invalid command specified");
    let found = table::find(words).map_err(|_| unknown)?;
    if matches!(found.command.keys, Keys::None) {
        return Err(ReplyError::new("ERR The command has no key arguments"));
    }
    if !found.command.arity.accepts(words.len()) {
        let text = "ERR Invalid number of arguments specified for command";
        return Err(ReplyError::new(text));
    }
    let places = found.command.keys.positions(words).filter(|places| !places.is_empty());
    let wrong = || ReplyError::new("ERR Invalid arguments specified for command");
    Ok((found, places.ok_or_else(wrong)?.to_vec()))
}

fn keys(_: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let (_, places) = locate(args.rest())?;
    let keys = places.into_iter().map(|place| Reply::Bulk(args.rest()[place].clone()));
    Ok(Reply::Array(keys.collect()))
}

fn keys_and_flags(_: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let (found, places) = locate(args.rest())?;
    let rows = places.into_iter().enumerate().map(|(index, place)| {
        let flags = key_flags::flags_in(&found, index, args.rest());
        let flags = flags.split(' ').map(Reply::Status).collect();
        Reply::Array(vec![Reply::Bulk(args.rest()[place].clone()), Reply::Set(flags)])
    });
    Ok(Reply::Array(rows.collect()))
}

fn show_help(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(help(
        "COMMAND",
        &[
            "(no subcommand)",
            "    Return details about all Redis commands.",
            "COUNT",
            "    Return the total number of commands in this Redis server.",
            "LIST",
            "    Return a list of all commands in this Redis server.",
            "INFO [<command-name> ...]",
            "    Return details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "DOCS [<command-name> ...]",
            "    Return documentation details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "GETKEYS <full-command>",
            "    Return the keys from a full Redis command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys and the access flags from a full Redis command.",
        ],
    ))
}

#[cfg(test)]
#[path = "command_test.rs"]
mod tests;
