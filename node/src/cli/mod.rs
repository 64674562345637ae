//! The command line. The folder has the structure of the command line: one file or folder per
//! subcommand.

mod bench;
mod check;
mod client;
mod cluster;
mod command;
mod commands;
mod completions;
mod dev;
mod health;
mod output;
mod recover;
mod serve;
mod stopped;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A Redis-compatible key-value store that never loses an acknowledged write.
#[derive(Debug, Parser)]
#[command(name = "ironkv", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run one node.
    ///
    /// Sizes take units: 64mb is 64 x 1024 x 1024 bytes, 64m is 64 million; likewise k, kb, g and
    /// gb. Names of other keys end in the unit of their numbers, such as _ms and _s.
    Serve(serve::Serve),
    /// Run a whole cluster on this machine.
    Dev(dev::Dev),
    /// Form a cluster, show it, and change its members.
    Cluster(cluster::Cluster),
    /// Send one command to a server and print its reply.
    Command(command::Command),
    /// Check that a node serves, once or continuously.
    Health(health::Health),
    /// Measure the throughput and latency of a server that speaks RESP.
    Bench(bench::Bench),
    /// Verify the data directory of a stopped node.
    Check(check::Check),
    /// Repair a node that does not start.
    Recover(recover::Recover),
    /// Print all commands of the server.
    Commands(commands::Commands),
    /// Print a shell completion script.
    Completions(completions::Completions),
}

/// Parses the arguments, runs the subcommand and converts its outcome to an exit code.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().action {
        Action::Serve(serve) => serve.run(),
        Action::Dev(dev) => dev.run(),
        Action::Cluster(cluster) => cluster.run(),
        Action::Command(command) => command.run(),
        Action::Health(health) => health.run(),
        Action::Bench(bench) => bench.run(),
        Action::Check(check) => check.run(),
        Action::Recover(recover) => recover.run(),
        Action::Commands(commands) => commands.run(),
        Action::Completions(completions) => completions.run(),
    };
    output::exit(outcome)
}
