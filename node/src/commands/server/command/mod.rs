//! COMMAND: the command table for clients, proxies and shells.

mod describe;
mod docs;
mod key_specs;
mod list;
mod lookup;

use bytes::Bytes;

use crate::commands::args::Args;
use crate::commands::declare::container::container;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{
    Arity, Command, CommandResult, CommandTable, Flags, KeyPositions, Keys, Run,
};
use crate::resp::{Reply, ReplyError};
use lookup::{named, top_level};

const FLAGS: Flags = Flags::LOADING.with(Flags::STALE).with(Flags::CONNECTION);

pub(super) const COMMAND: Command = Command {
    arity: Arity::AtLeast(1),
    flags: FLAGS,
    complexity: "O(N) where N is the total number of Redis commands",
    tips: tips::REORDERS,
    ..container(
        "COMMAND",
        "Returns detailed information about all commands.",
        "2.8.13",
        &[
            Command {
                summary: "Returns all commands.",
                arity: Arity::Exactly(1),
                run: Run::Describe(all),
                ..SUBCOMMAND
            },
            Command {
                name: "COUNT",
                summary: "Returns how many commands there are.",
                run: Run::Describe(count),
                ..SUBCOMMAND
            },
            Command {
                name: "DOCS",
                summary: "Returns the documentation of commands.",
                since: "7.0.0",
                syntax: "[command-name [command-name ...]]",
                arity: Arity::AtLeast(2),
                tips: tips::REORDERS,
                run: Run::Describe(docs::docs),
                ..SUBCOMMAND
            },
            Command {
                name: "GETKEYS",
                summary: "Returns the keys of a whole command.",
                syntax: "command [arg [arg ...]]",
                arity: Arity::AtLeast(3),
                run: Run::Describe(keys),
                ..SUBCOMMAND
            },
            Command {
                name: "GETKEYSANDFLAGS",
                summary: "Returns the keys of a whole command and how they are used.",
                since: "7.0.0",
                syntax: "command [arg [arg ...]]",
                arity: Arity::AtLeast(3),
                run: Run::Describe(keys_and_flags),
                ..SUBCOMMAND
            },
            HELP,
            Command {
                name: "INFO",
                summary: "Returns commands by name.",
                syntax: "[command-name [command-name ...]]",
                arity: Arity::AtLeast(2),
                tips: tips::REORDERS,
                history: &[("7.0.0", "Without names, all commands.")],
                run: Run::Describe(info),
                ..SUBCOMMAND
            },
            Command {
                name: "LIST",
                summary: "Returns the names of commands.",
                since: "7.0.0",
                syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
                arity: Arity::AtLeast(2),
                tips: tips::REORDERS,
                run: Run::Describe(list::list),
                ..SUBCOMMAND
            },
        ],
    )
};

/// The common fields of its subcommands.
const SUBCOMMAND: Command = Command {
    since: "2.8.13",
    complexity: "O(N) where N is the number of commands",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    ..Command::NEW
};

const HELP: Command = Command {
    complexity: SUBCOMMAND.complexity,
    flags: FLAGS,
    ..help("5.0.0", Run::Describe(|_, _| help_of(&COMMAND)))
};

fn all(table: &dyn CommandTable, _: Args<'_>) -> CommandResult {
    Ok(Reply::Array(top_level(table).map(|row| describe::describe(table, row)).collect()))
}

fn count(table: &dyn CommandTable, _: Args<'_>) -> CommandResult {
    Ok(Reply::count(top_level(table).count()))
}

fn info(table: &dyn CommandTable, args: Args<'_>) -> CommandResult {
    if args.is_empty() {
        return all(table, args);
    }
    let describe = |name: &Bytes| {
        named(table, name).map_or(Reply::NullArray, |row| describe::describe(table, &row))
    };
    Ok(Reply::Array(args.rest().iter().map(describe).collect()))
}

/// The command of `argv` and the positions of its keys.
fn locate(
    table: &dyn CommandTable,
    argv: &[Bytes],
) -> Result<(&'static Command, KeyPositions), ReplyError> {
    let unknown = ReplyError::new("ERR Invalid command specified");
    let command = table.find(argv).map_err(|_| unknown)?.command;
    if matches!(command.keys, Keys::None) {
        return Err(ReplyError::new("ERR The command has no key arguments"));
    }
    if !command.arity.accepts(argv.len()) {
        let text = "ERR Invalid number of arguments specified for command";
        return Err(ReplyError::new(text));
    }
    let positions = command.keys.positions(argv).filter(|positions| !positions.is_empty());
    let wrong = || ReplyError::new("ERR Invalid arguments specified for command");
    Ok((command, positions.ok_or_else(wrong)?))
}

fn keys(table: &dyn CommandTable, args: Args<'_>) -> CommandResult {
    let argv = args.rest();
    let (_, positions) = locate(table, argv)?;
    let keys = positions.into_iter().map(|position| Reply::Bulk(argv[position].clone()));
    Ok(Reply::Array(keys.collect()))
}

fn keys_and_flags(table: &dyn CommandTable, args: Args<'_>) -> CommandResult {
    let argv = args.rest();
    let (command, positions) = locate(table, argv)?;
    let rows = positions.into_iter().enumerate().map(|(number, position)| {
        let key_use = command.key_use(number).in_command(argv);
        let flags = key_use.words().split(' ').map(Reply::Status).collect();
        Reply::Array(vec![Reply::Bulk(argv[position].clone()), Reply::Set(flags)])
    });
    Ok(Reply::Array(rows.collect()))
}

#[cfg(test)]
#[path = "command_test.rs"]
mod tests;
