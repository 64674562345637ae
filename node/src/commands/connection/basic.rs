//! PING, ECHO, SELECT, RESET, QUIT.

use super::shared::{COMMON, CONNECTION};
use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;
use crate::commands::args::Args;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::{SessionAction, SessionContext};
use crate::resp::{Reply, ReplyError};

pub(super) const PING: Command = Command {
    name: "PING",
    summary: "Answers PONG, or the message it was given.",
    since: "1.0.0",
    syntax: "[message]",
    arity: Arity::AtLeast(1),
    flags: Flags::FAST,
    tips: tips::EVERY_SHARD_OR_FAIL,
    run: Run::Session(ping),
    ..CONNECTION
};

pub(super) const ECHO: Command = Command {
    name: "ECHO",
    summary: "Answers the message it was given.",
    since: "1.0.0",
    syntax: "message",
    arity: Arity::Exactly(2),
    flags: Flags::FAST.with(Flags::LOADING).with(Flags::STALE),
    run: Run::Session(echo),
    ..CONNECTION
};

pub(super) const SELECT: Command = Command {
    name: "SELECT",
    summary: "Changes the database that the connection's commands use.",
    since: "1.0.0",
    syntax: "index",
    arity: Arity::Exactly(2),
    flags: Flags::FAST.with(Flags::LOADING).with(Flags::STALE).with(Flags::SELECTS_DATABASE),
    run: Run::Session(select),
    ..CONNECTION
};

pub(super) const RESET: Command = Command {
    name: "RESET",
    summary: "Makes the connection as it was when it was opened.",
    since: "6.2.0",
    arity: Arity::Exactly(1),
    flags: COMMON.with(Flags::FAST).with(Flags::NO_AUTH).with(Flags::NOT_QUEUED),
    run: Run::Session(reset),
    ..CONNECTION
};

pub(super) const QUIT: Command = Command {
    name: "QUIT",
    summary: "Closes the connection after the replies before it.",
    since: "1.0.0",
    arity: Arity::AtLeast(1),
    flags: COMMON.with(Flags::FAST).with(Flags::NO_AUTH).with(Flags::NOT_QUEUED),
    run: Run::Session(quit),
    ..CONNECTION
};

fn ping(_: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    match args.len() {
        0 => Ok(Reply::Status("PONG")),
        1 => Ok(Reply::Bulk(args.next()?.clone())),
        _ => Err(ReplyError::arity("ping")),
    }
}

fn echo(_: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::Bulk(args.next()?.clone()))
}

fn select(ctx: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    let number = u8::try_from(args.integer()?).ok().filter(|number| *number < DATABASES);
    ctx.session.database = DatabaseId(number.ok_or(ReplyError::NO_SUCH_DATABASE)?);
    Ok(Reply::OK)
}

fn reset(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.session.reset(!ctx.node.asks_for_password());
    Ok(Reply::Status("RESET"))
}

fn quit(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.action = SessionAction::Close;
    Ok(Reply::OK)
}
