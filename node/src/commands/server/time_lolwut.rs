//! TIME and LOLWUT.

use crate::commands::args::Args;
use crate::commands::declare::container::at_once;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags};
use crate::commands::run::NodeContext;
use crate::commands::version::{IRONKV_VERSION, REDIS_VERSION};
use crate::resp::{Reply, ReplyError};

pub(super) const TIME: Command = Command {
    name: "TIME",
    summary: "Returns the server's time.",
    since: "2.6.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: Flags::FAST.with(Flags::LOADING).with(Flags::STALE),
    tips: tips::VARIES,
    run: at_once!(time),
    ..Command::NEW
};

pub(super) const LOLWUT: Command = Command {
    name: "LOLWUT",
    summary: "Returns a small picture and the version.",
    since: "5.0.0",
    complexity: "O(1)",
    syntax: "[VERSION version]",
    arity: Arity::AtLeast(1),
    flags: Flags::FAST,
    run: at_once!(lolwut),
    ..Command::NEW
};

fn time(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let now_us = context.node.clock.unix_us();
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
