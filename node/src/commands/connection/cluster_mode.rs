//! READONLY, READWRITE, ASKING: what a cluster client says before it reads from a follower.

use super::{COMMON, about};
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::context::SessionContext;
use crate::resp::Reply;

pub(super) const READONLY: Command = Command {
    flags: COMMON.with(Flags::FAST),
    ..about(
        "READONLY",
        "",
        Arity::Exactly(1),
        ("3.0.0", "Lets the connection's reads be answered by any node, within the permitted lag."),
        Run::Session(read_only),
    )
};

pub(super) const READWRITE: Command = Command {
    flags: COMMON.with(Flags::FAST),
    ..about(
        "READWRITE",
        "",
        Arity::Exactly(1),
        ("3.0.0", "Takes READONLY back: reads see every acknowledged write again."),
        Run::Session(read_write),
    )
};

pub(super) const ASKING: Command = Command {
    flags: COMMON.with(Flags::FAST),
    ..about(
        "ASKING",
        "",
        Arity::Exactly(1),
        ("3.0.0", "Announces that the next command follows an ASK redirection."),
        Run::Session(asking),
    )
};

fn read_only(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.session.set_read_only(true);
    Ok(Reply::OK)
}

fn read_write(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.session.set_read_only(false);
    Ok(Reply::OK)
}

/// No slot ever moves while there is one group, so nobody is ever sent here by ASK.
fn asking(_: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::OK)
}
