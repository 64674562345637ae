//! INFO: what the node knows about itself, in sections of `name:value` lines that clients parse.

mod activity;
mod cluster;
mod process;
mod storage;

use std::fmt::{Display, Write};

use bytes::Bytes;

use super::at_once;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys};
use crate::commands::context::NodeContext;
use crate::resp::Reply;

pub(super) const INFO: Command = Command {
    name: "INFO",
    summary: "Returns information and statistics about the server.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "[section [section ...]]",
    arity: Arity::AtLeast(1),
    keys: Keys::None,
    flags: Flags::LOADING.with(Flags::STALE).with(Flags::DANGEROUS),
    run: at_once!(info),
};

/// A section: its name, whether it is shown when none is asked for, and its lines.
type Section = (&'static str, bool, fn(&NodeContext<'_>, &mut Lines));

/// In the order in which Redis shows them; ours comes last.
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

/// The lines of a section.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    /// `name:value`
    fn add(&mut self, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }
}

fn info(context: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let mut text = String::new();
    for (name, by_default, lines_of) in SECTIONS {
        if is_wanted(name, by_default, args.rest()) {
            let mut lines = Lines::default();
            lines_of(context, &mut lines);
            let gap = if text.is_empty() { "" } else { "\r\n" };
            let _ = write!(text, "{gap}# {name}\r\n{}", lines.0);
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
