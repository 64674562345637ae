//! DEBUG: commands for test suites and for diagnosis. Dispatch refuses them unless
//! `enable-debug-command` allows them.

mod keys;
mod node;
mod protocol;

use crate::base::feature_level::FeatureLevel;

const FLAGS: Flags = Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::LOADING).with(Flags::STALE);

/// One argument after `DEBUG subcommand`.
const ONE_MORE: Arity = Arity::Exactly(3);

const ONE_KEY: Keys = Keys::Range { first: 2, last: 2, step: 1 };

pub(super) const DEBUG: Command = Command {
    flags: FLAGS.with(Flags::INTERNAL),
    ..container("DEBUG", "A container for debugging commands.", "1.0.0", SUBCOMMANDS)
};

/// The common fields of its subcommands.
const SUBCOMMAND: Command = Command {
    since: "1.0.0",
    complexity: "Depends on subcommand.",
    arity: Arity::Exactly(2),
    flags: FLAGS.with(Flags::DEBUG),
    ..Command::NEW
};

const HELP: Command = Command {
    complexity: SUBCOMMAND.complexity,
    flags: SUBCOMMAND.flags,
    ..help("1.0.0", Run::Describe(|_, _| help_of(&DEBUG)))
};

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "CHANGE-REPL-ID",
        summary: "Accepted: there is one history.",
        run: at_once!(node::no_op),
        ..SUBCOMMAND
    },
    Command {
        name: "DIGEST",
        summary: "Returns a digest of all keys.",
        cost: ReadCost::Keyspace,
        run: Run::Read(keys::digest),
        ..SUBCOMMAND
    },
    Command {
        name: "DIGEST-VALUE",
        summary: "Returns digests of the values of keys.",
        syntax: "key [key ...]",
        arity: Arity::AtLeast(3),
        keys: Keys::Range { first: 2, last: -1, step: 1 },
        run: Run::Read(keys::digest_values),
        ..SUBCOMMAND
    },
    Command {
        name: "ERROR",
        summary: "Answers this error.",
        syntax: "message",
        arity: ONE_MORE,
        run: at_once!(protocol::error),
        ..SUBCOMMAND
    },
    Command {
        name: "FEATURE-LEVEL",
        summary: "Returns the feature level at which replicas execute a log entry.",
        flags: SUBCOMMAND.flags.needs_level(FeatureLevel::SECOND),
        run: Run::Write(keys::feature_level),
        ..SUBCOMMAND
    },
    HELP,
    Command {
        name: "HTSTATS",
        summary: "Describes a database.",
        syntax: "dbid",
        arity: ONE_MORE,
        run: Run::Read(keys::database_stats),
        ..SUBCOMMAND
    },
    Command {
        name: "LISTPACK",
        summary: "Tells whether a value is small.",
        syntax: "key",
        arity: ONE_MORE,
        keys: ONE_KEY,
        run: Run::Read(keys::listpack),
        ..SUBCOMMAND
    },
    Command {
        name: "LOADAOF",
        summary: "Waits until all is applied.",
        run: Run::Node(node::load_log),
        ..SUBCOMMAND
    },
    Command {
        name: "LOG",
        summary: "Writes to the log of the node.",
        syntax: "message",
        arity: ONE_MORE,
        run: at_once!(node::log),
        ..SUBCOMMAND
    },
    Command {
        name: "OBJECT",
        summary: "Describes the value of a key.",
        syntax: "key",
        arity: ONE_MORE,
        keys: ONE_KEY,
        run: Run::Read(keys::object),
        ..SUBCOMMAND
    },
    Command {
        name: "PAUSE-CRON",
        summary: "Accepted: there is no cron.",
        syntax: "0|1",
        arity: ONE_MORE,
        run: at_once!(node::no_op),
        ..SUBCOMMAND
    },
    Command {
        name: "POPULATE",
        summary: "Creates string keys that do not exist yet.",
        syntax: "count [prefix] [size]",
        arity: Arity::AtLeast(3),
        run: Run::Write(keys::populate),
        ..SUBCOMMAND
    },
    Command {
        name: "PROTOCOL",
        summary: "Answers a reply of a type.",
        syntax: "type",
        arity: ONE_MORE,
        run: at_once!(protocol::protocol),
        ..SUBCOMMAND
    },
    Command {
        name: "QUICKLIST-PACKED-THRESHOLD",
        summary: "Accepted: lists have one kind of node.",
        syntax: "size",
        arity: ONE_MORE,
        run: at_once!(node::no_op),
        ..SUBCOMMAND
    },
    Command {
        name: "RELOAD",
        summary: "Writes a checkpoint of everything, loads it and continues with the loaded data.",
        syntax: "[MERGE | NOFLUSH | NOSAVE]",
        arity: Arity::AtLeast(2),
        run: Run::Node(node::reload),
        ..SUBCOMMAND
    },
    Command {
        name: "SET-ACTIVE-EXPIRE",
        summary: "Switches the background removal of expired keys.",
        syntax: "0|1",
        arity: ONE_MORE,
        run: Run::Node(node::set_active_expire),
        ..SUBCOMMAND
    },
    Command {
        name: "SLEEP",
        summary: "Holds this connection back.",
        syntax: "seconds",
        arity: ONE_MORE,
        run: Run::Node(node::sleep),
        ..SUBCOMMAND
    },
    Command {
        name: "STRINGMATCH-LEN",
        summary: "Matches a pattern against a long text.",
        syntax: "length pattern",
        arity: Arity::Exactly(4),
        run: at_once!(node::match_long_text),
        ..SUBCOMMAND
    },
];

#[cfg(test)]
#[path = "debug_test.rs"]
mod tests;

use crate::commands::declare::container::{at_once, container};
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Arity, Command, Flags, Keys, ReadCost, Run};
