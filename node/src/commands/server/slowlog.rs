//! SLOWLOG: the commands that took longest on this node.

use super::{at_once, container, help};
use crate::base::telemetry::SlowEntry;
use crate::commands::args::{Args, parse_integer};
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys};
use crate::commands::context::NodeContext;
use crate::resp::{Reply, ReplyError};

const FLAGS: Flags = Flags::ADMIN.with(Flags::LOADING).with(Flags::STALE);

/// Entries shown when no count is given.
const COUNT_DEFAULT: usize = 10;

pub(super) const SLOWLOG: Command =
    container("SLOWLOG", "A container for slow log commands.", "2.2.12", &[GET, HELP, LEN, RESET]);

const GET: Command = Command {
    name: "GET",
    summary: "Returns the newest entries of the slow log.",
    since: "2.2.12",
    complexity: "O(N) where N is the number of entries returned",
    syntax: "[count]",
    arity: Arity::AtLeast(2),
    keys: Keys::None,
    flags: FLAGS,
    run: at_once!(get),
};

const LEN: Command = Command {
    name: "LEN",
    summary: "Returns the number of entries in the slow log.",
    since: "2.2.12",
    complexity: "O(1)",
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: FLAGS,
    run: at_once!(length),
};

const RESET: Command = Command {
    name: "RESET",
    summary: "Clears the slow log.",
    since: "2.2.12",
    complexity: "O(N) where N is the number of entries in the slow log",
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: FLAGS,
    run: at_once!(reset),
};

const HELP: Command = Command {
    name: "HELP",
    summary: "Lists the subcommands.",
    since: "6.2.0",
    complexity: "O(1)",
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: Flags::LOADING.with(Flags::STALE),
    run: at_once!(show_help),
};

fn show_help(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(help(
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            "    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port,",
            "    client name",
            "LEN",
            "    Return the length of the slowlog.",
            "RESET",
            "    Reset the slowlog.",
        ],
    ))
}

fn get(context: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let count = match args.peek() {
        None => Some(COUNT_DEFAULT),
        Some(_) => {
            let refusal = || ReplyError::new("ERR count should be greater than or equal to -1");
            match parse_integer(args.next()?).ok_or_else(refusal)? {
                -1 => None,
                count => Some(usize::try_from(count).map_err(|_| refusal())?),
            }
        }
    };
    args.end()?;
    let entries = context.node.telemetry().slow_log.newest(count);
    Ok(Reply::Array(entries.into_iter().map(show).collect()))
}

fn show(entry: SlowEntry) -> Reply {
    Reply::Array(vec![
        Reply::Integer(entry.id.cast_signed()),
        Reply::Integer(entry.unix_s.cast_signed()),
        Reply::Integer(entry.elapsed_us.cast_signed()),
        Reply::Array(entry.words.into_iter().map(Reply::Bulk).collect()),
        Reply::bulk(entry.client_address),
        Reply::Bulk(entry.client_name),
    ])
}

fn length(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::count(context.node.telemetry().slow_log.len()))
}

fn reset(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    context.node.telemetry().slow_log.reset();
    Ok(Reply::OK)
}
