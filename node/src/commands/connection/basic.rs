//! PING, ECHO, SELECT, RESET, QUIT.

use super::{COMMON, about};
use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::context::{SessionContext, Then};
use crate::resp::{Reply, ReplyError};

pub(super) const PING: Command = Command {
    flags: Flags::FAST,
    ..about(
        "PING",
        "[message]",
        Arity::AtLeast(1),
        ("1.0.0", "Answers PONG, or the message it was given."),
        Run::Session(ping),
    )
};

pub(super) const ECHO: Command = Command {
    flags: Flags::FAST.with(Flags::LOADING).with(Flags::STALE),
    ..about(
        "ECHO",
        "message",
        Arity::Exactly(2),
        ("1.0.0", "Answers the message it was given."),
        Run::Session(echo),
    )
};

pub(super) const SELECT: Command = Command {
    flags: Flags::FAST.with(Flags::LOADING).with(Flags::STALE),
    ..about(
        "SELECT",
        "index",
        Arity::Exactly(2),
        ("1.0.0", "Changes the database that the connection's commands use."),
        Run::Session(select),
    )
};

pub(super) const RESET: Command = Command {
    flags: COMMON.with(Flags::FAST).with(Flags::NO_AUTH).with(Flags::NOT_QUEUED),
    ..about(
        "RESET",
        "",
        Arity::Exactly(1),
        ("6.2.0", "Makes the connection as it was when it was opened."),
        Run::Session(reset),
    )
};

pub(super) const QUIT: Command = Command {
    flags: COMMON.with(Flags::FAST).with(Flags::NO_AUTH).with(Flags::NOT_QUEUED),
    ..about(
        "QUIT",
        "",
        Arity::AtLeast(1),
        ("1.0.0", "Closes the connection after the replies before it."),
        Run::Session(quit),
    )
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
    ctx.then = Then::Close;
    Ok(Reply::OK)
}
