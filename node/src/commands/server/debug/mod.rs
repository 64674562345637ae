//! DEBUG: for test suites and for looking inside. Refused by dispatch unless
//! `enable-debug-command` allows it.

mod keys;
mod node;
mod protocol;

use super::{at_once, container, help};
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::NodeContext;

const FLAGS: Flags = Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::LOADING).with(Flags::STALE);

/// Exactly one more word than `DEBUG subcommand`.
const ONE_MORE: Arity = Arity::Exactly(3);
const NO_MORE: Arity = Arity::Exactly(2);

pub(super) const DEBUG: Command = Command {
    flags: FLAGS,
    ..container("DEBUG", "A container for debugging commands.", "1.0.0", SUBCOMMANDS)
};

const SUBCOMMANDS: &[Command] = &[
    row("CHANGE-REPL-ID", "Accepted: there is one history.", "", NO_MORE, at_once!(node::no_op)),
    row("DIGEST", "Returns a digest of all keys.", "", NO_MORE, Run::Read(keys::digest)),
    keyed(
        "DIGEST-VALUE",
        "Returns digests of the values of keys.",
        "key [key ...]",
        Arity::AtLeast(3),
        Keys::Range { first: 2, last: -1, step: 1 },
        Run::Read(keys::digest_values),
    ),
    row("ERROR", "Answers this error.", "message", ONE_MORE, at_once!(protocol::error)),
    row("HELP", "Lists the subcommands.", "", NO_MORE, at_once!(show_help)),
    row("HTSTATS", "Describes a database.", "dbid", ONE_MORE, Run::Read(keys::database_stats)),
    key("LISTPACK", "Tells whether a value is small.", Run::Read(keys::listpack)),
    row("LOADAOF", "Waits until all is applied.", "", NO_MORE, Run::Node(node::load_log)),
    row("LOG", "Writes to the log of the node.", "message", ONE_MORE, at_once!(node::log)),
    key("OBJECT", "Describes the value of a key.", Run::Read(keys::object)),
    row("PAUSE-CRON", "Accepted: there is no cron.", "0|1", ONE_MORE, at_once!(node::no_op)),
    row(
        "POPULATE",
        "Creates string keys that do not exist yet.",
        "count [prefix] [size]",
        Arity::AtLeast(3),
        Run::Write(keys::populate),
    ),
    row("PROTOCOL", "Answers a reply of a type.", "type", ONE_MORE, at_once!(protocol::protocol)),
    row(
        "QUICKLIST-PACKED-THRESHOLD",
        "Accepted: lists have one kind of node.",
        "size",
        ONE_MORE,
        at_once!(node::no_op),
    ),
    row(
        "RELOAD",
        "Writes a checkpoint of everything, loads it and goes on with what was loaded.",
        "[MERGE | NOFLUSH | NOSAVE]",
        Arity::AtLeast(2),
        Run::Node(node::reload),
    ),
    row(
        "SET-ACTIVE-EXPIRE",
        "Switches the removal of expired keys that nobody asks for.",
        "0|1",
        ONE_MORE,
        Run::Node(node::set_active_expire),
    ),
    row("SLEEP", "Holds this connection back.", "seconds", ONE_MORE, Run::Node(node::sleep)),
    row(
        "STRINGMATCH-LEN",
        "Matches a pattern against a long text.",
        "length pattern",
        Arity::Exactly(4),
        at_once!(node::match_long_text),
    ),
];

const fn row(
    name: &'static str,
    summary: &'static str,
    syntax: &'static str,
    arity: Arity,
    run: Run,
) -> Command {
    keyed(name, summary, syntax, arity, Keys::None, run)
}

/// A subcommand about one key.
const fn key(name: &'static str, summary: &'static str, run: Run) -> Command {
    keyed(name, summary, "key", ONE_MORE, Keys::Range { first: 2, last: 2, step: 1 }, run)
}

const fn keyed(
    name: &'static str,
    summary: &'static str,
    syntax: &'static str,
    arity: Arity,
    keys: Keys,
    run: Run,
) -> Command {
    let complexity = "Depends on subcommand.";
    Command { name, summary, since: "1.0.0", complexity, syntax, arity, keys, flags: FLAGS, run }
}

fn show_help(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(help(
        "DEBUG",
        &[
            "DIGEST",
            "    Output a hex signature representing the current DB content.",
            "DIGEST-VALUE <key> [<key> ...]",
            "    Output a hex signature of the values of all the specified keys.",
            "ERROR <string>",
            "    Return a Redis protocol error with <string> as message.",
            "LOG <message>",
            "    Write <message> to the server log.",
            "HTSTATS <dbid>",
            "    Return statistics of the specified database.",
            "LISTPACK <key>",
            "    Tell whether the value of <key> has the listpack encoding.",
            "LOADAOF",
            "    Wait until everything acknowledged is applied on this node.",
            "OBJECT <key>",
            "    Show low level info about `key` and associated value.",
            "POPULATE <count> [<prefix>] [<size>]",
            "    Create <count> string keys named key:<num>. If <prefix> is specified then",
            "    it is used instead of the 'key' prefix.",
            "PROTOCOL <type>",
            "    Reply with a test value of the specified type. <type> can be: string,",
            "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
            "    true, false.",
            "RELOAD [option ...]",
            "    Write a checkpoint, load it and go on with what was loaded.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Setting it to 0 disables expiring keys in background on the whole cluster.",
            "SLEEP <seconds>",
            "    Hold this connection back for <seconds>. Decimals allowed.",
            "STRINGMATCH-LEN <length> <pattern>",
            "    Match a text of <length> letters `a` against <pattern>.",
        ],
    ))
}

#[cfg(test)]
#[path = "debug_test.rs"]
mod tests;
