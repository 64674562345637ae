//! TIME and LOLWUT.

use super::at_once;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys};
use crate::commands::context::NodeContext;
use crate::commands::version::{IRONKV_VERSION, REDIS_VERSION};
use crate::resp::{Reply, ReplyError};

pub(super) const TIME: Command = Command {
    name: "TIME",
    summary: "Returns the server's time.",
    since: "2.6.0",
    complexity: "O(1)",
    syntax: "",
    arity: Arity::Exactly(1),
    keys: Keys::None,
    flags: Flags::FAST.with(Flags::LOADING).with(Flags::STALE),
    run: at_once!(time),
};

pub(super) const LOLWUT: Command = Command {
    name: "LOLWUT",
    summary: "Returns a small picture and the version.",
    since: "5.0.0",
    complexity: "O(1)",
    syntax: "[VERSION version]",
    arity: Arity::AtLeast(1),
    keys: Keys::None,
    flags: Flags::FAST,
    run: at_once!(lolwut),
};

fn time(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let now_us = context.node.clock().unix_us();
    let parts = [now_us / 1_000_000, now_us % 1_000_000];
    Ok(Reply::Array(parts.iter().map(|part| Reply::bulk(part.to_string())).collect()))
}

fn lolwut(_: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    if args.keyword("VERSION") {
        let version = args.integer();
        version.map_err(|_| ReplyError::NOT_INTEGER)?;
    }
    let picture = "  _  _  _\n |_||_||_|   three nodes,\n  \\__|__/    one log\n";
    let text = format!("{picture}\nRedis ver. {REDIS_VERSION}, IronKV ver. {IRONKV_VERSION}\n");
    Ok(Reply::Verbatim("txt", text.into()))
}
