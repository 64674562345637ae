//! READONLY, READWRITE, ASKING: what a cluster client sends before it reads from a follower.

use super::shared::{COMMON, CONNECTION};
use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::SessionContext;
use crate::resp::Reply;

pub(super) const READONLY: Command = Command {
    name: "READONLY",
    summary: "Lets the connection's reads be answered by any node, within the permitted lag.",
    since: "3.0.0",
    arity: Arity::Exactly(1),
    flags: COMMON.with(Flags::FAST),
    group: Some("cluster"),
    run: Run::Session(read_only),
    ..CONNECTION
};

pub(super) const READWRITE: Command = Command {
    name: "READWRITE",
    summary: "Takes READONLY back: reads see every acknowledged write again.",
    since: "3.0.0",
    arity: Arity::Exactly(1),
    flags: COMMON.with(Flags::FAST),
    group: Some("cluster"),
    run: Run::Session(read_write),
    ..CONNECTION
};

pub(super) const ASKING: Command = Command {
    name: "ASKING",
    summary: "Announces that the next command follows an ASK redirection.",
    since: "3.0.0",
    arity: Arity::Exactly(1),
    flags: COMMON.with(Flags::FAST),
    group: Some("cluster"),
    run: Run::Session(asking),
    ..CONNECTION
};

fn read_only(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.session.set_read_only(true);
    Ok(Reply::OK)
}

fn read_write(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.session.set_read_only(false);
    Ok(Reply::OK)
}

/// Slots do not move while there is one group, so no client is redirected to this node by ASK.
fn asking(_: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::OK)
}
