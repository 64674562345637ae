//! Commands about the node itself: what it is, what it holds, how it is set up.

mod command;
mod config;
mod databases;
mod debug;
mod info;
mod latency;
mod memory;
mod modules;
mod persistence;
mod replication;
mod slowlog;
mod various;

use super::command::{Command, Family, Run};
use crate::resp::Reply;

pub(super) const FAMILY: Family = Family {
    group: "server",
    category: "",
    commands: &[
        command::COMMAND,
        config::CONFIG,
        databases::DBSIZE,
        databases::FLUSHALL,
        databases::FLUSHDB,
        databases::SWAPDB,
        debug::DEBUG,
        info::INFO,
        latency::LATENCY,
        memory::MEMORY,
        modules::MODULE,
        persistence::BGREWRITEAOF,
        persistence::BGSAVE,
        persistence::LASTSAVE,
        persistence::SAVE,
        persistence::SHUTDOWN,
        replication::FAILOVER,
        replication::REPLICAOF,
        replication::ROLE,
        replication::SLAVEOF,
        replication::WAIT,
        replication::WAITAOF,
        slowlog::SLOWLOG,
        various::LOLWUT,
        various::TIME,
    ],
};

/// A [`Run::Node`] whose function answers at once.
macro_rules! at_once {
    ($function:path) => {
        $crate::commands::command::Run::Node(|context, args| {
            Box::pin(std::future::ready($function(context, args)))
        })
    };
}
pub(super) use at_once;

/// What `HELP` answers: a heading, then the lines, each a status.
pub(super) fn help(container: &str, lines: &'static [&'static str]) -> Reply {
    let head = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let tail = ["HELP", "    Prints this help."];
    let lines = lines.iter().chain(&tail).map(|line| Reply::Status(line));
    Reply::Array(std::iter::once(Reply::Line(head)).chain(lines).collect())
}

/// A container: only its subcommands run.
pub(super) const fn container(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    subcommands: &'static [Command],
) -> Command {
    Command {
        name,
        summary,
        since,
        complexity: "Depends on subcommand.",
        syntax: "",
        arity: super::command::Arity::AtLeast(2),
        keys: super::command::Keys::None,
        flags: super::command::Flags::NONE,
        run: Run::Container(subcommands),
    }
}
