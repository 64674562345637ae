//! INFO: the state of the node, in sections of `name:value` lines that clients parse.

mod activity;
mod cluster;
mod lines;
mod process;
mod storage;

use std::fmt::Write;

use bytes::Bytes;

use crate::commands::args::Args;
use crate::commands::declare::container::at_once;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags};
use crate::commands::run::NodeContext;
use crate::resp::Reply;
use lines::Lines;

pub(super) const INFO: Command = Command {
    name: "INFO",
    summary: "Returns information and statistics about the server.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "[section [section ...]]",
    arity: Arity::AtLeast(1),
    flags: Flags::LOADING.with(Flags::STALE).with(Flags::DANGEROUS),
    tips: tips::SHARD_REPORT,
    history: &[("7.0.0", "Several sections at once.")],
    run: at_once!(info),
    ..Command::NEW
};

/// A section: its name, whether it is shown by default, and its lines.
type Section = (&'static str, bool, fn(&NodeContext<'_>, &mut Lines));

/// In Redis's order; the section that Redis does not have comes last.
const SECTIONS: [Section; 14] = [
    ("Server", true, process::server),
    ("Clients", true, process::clients),
    ("Memory", true, process::memory),
    ("Persistence", true, storage::persistence),
    ("Stats", true, activity::statistics),
    ("Replication", true, cluster::replication),
    ("CPU", true, process::processor),
    ("Modules", true, no_modules),
    ("Commandstats", false, activity::commands),
    ("Errorstats", true, activity::errors),
    ("Latencystats", false, activity::latencies),
    ("Cluster", true, cluster::cluster),
    ("Keyspace", true, storage::keyspace),
    ("Raft", true, cluster::raft),
];

fn info(context: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let mut text = String::new();
    for (name, by_default, lines_of) in SECTIONS {
        if is_wanted(name, by_default, args.rest()) {
            let mut lines = Lines::default();
            lines_of(context, &mut lines);
            let gap = if text.is_empty() { "" } else { "\r\n" };
            let _ = write!(text, "{gap}# {name}\r\n{}", lines.text());
        }
    }
    Ok(Reply::Verbatim("txt", text.into()))
}

fn is_wanted(name: &str, by_default: bool, asked: &[Bytes]) -> bool {
    let is = |word: &Bytes, name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    asked.is_empty() && by_default
        || asked.iter().any(|word| {
            is(word, name)
                || is(word, "default") && by_default
                || is(word, "everything")
                || is(word, "all") && name != "Modules"
        })
}

fn no_modules(_: &NodeContext<'_>, _: &mut Lines) {}

#[cfg(test)]
#[path = "info_test.rs"]
mod tests;
