//! SLOWLOG: the commands that took longest on this node.

use crate::base::telemetry::SlowEntry;
use crate::commands::args::{Args, parse_integer};
use crate::commands::declare::container::{at_once, container};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::NodeContext;
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
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    history: &[("4.0.0", "Address and name of the client.")],
    run: at_once!(get),
    ..Command::NEW
};

const LEN: Command = Command {
    name: "LEN",
    summary: "Returns the number of entries in the slow log.",
    since: "2.2.12",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    run: at_once!(length),
    ..Command::NEW
};

const RESET: Command = Command {
    name: "RESET",
    summary: "Clears the slow log.",
    since: "2.2.12",
    complexity: "O(N) where N is the number of entries in the slow log",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    tips: tips::EVERY_NODE_OR_FAIL,
    run: at_once!(reset),
    ..Command::NEW
};

const HELP: Command = help("6.2.0", Run::Describe(|_, _| help_of(&SLOWLOG)));

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
    let entries = context.node.telemetry.slow_log.newest(count);
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
    Ok(Reply::count(context.node.telemetry.slow_log.len()))
}

fn reset(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    context.node.telemetry.slow_log.reset();
    Ok(Reply::OK)
}
