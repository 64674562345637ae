//! Commands about the connection itself.

mod auth;
mod basic;
mod client;
mod cluster_mode;

use super::command::{Arity, Command, Family, Flags, Keys, Run};

pub(super) const FAMILY: Family = Family {
    group: "connection",
    category: "@connection",
    commands: &[
        cluster_mode::ASKING,
        auth::AUTH,
        client::CLIENT,
        basic::ECHO,
        auth::HELLO,
        basic::PING,
        basic::QUIT,
        cluster_mode::READONLY,
        cluster_mode::READWRITE,
        basic::RESET,
        basic::SELECT,
    ],
};

/// What all commands about a connection share.
const COMMON: Flags = Flags::NO_SCRIPT.with(Flags::LOADING).with(Flags::STALE);

/// A command about a connection; complexity and keys are always the same.
const fn about(
    name: &'static str,
    syntax: &'static str,
    arity: Arity,
    (since, summary): (&'static str, &'static str),
    run: Run,
) -> Command {
    Command {
        name,
        summary,
        since,
        complexity: "O(1)",
        syntax,
        arity,
        keys: Keys::None,
        flags: COMMON,
        run,
    }
}
