//! CLIENT REPLY, NO-EVICT, NO-TOUCH, TRACKING and its relatives.

use super::super::{COMMON, about};
use super::ADMIN;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Run};
use crate::commands::context::{SessionContext, Then};
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{ClientFlag, ReplyMode};

pub(super) const REPLY: Command = about(
    "REPLY",
    "<ON | OFF | SKIP>",
    Arity::Exactly(3),
    ("3.2.0", "Switches the connection's replies on or off, or holds the next one back."),
    Run::Session(reply),
);

pub(super) const NO_EVICT: Command = Command {
    flags: ADMIN,
    ..about(
        "NO-EVICT",
        "<ON | OFF>",
        Arity::Exactly(3),
        ("7.0.0", "Keeps the connection when memory for clients runs out."),
        Run::Session(no_evict),
    )
};

pub(super) const NO_TOUCH: Command = about(
    "NO-TOUCH",
    "<ON | OFF>",
    Arity::Exactly(3),
    ("7.2.0", "Makes the connection's reads not count as uses of keys."),
    Run::Session(no_touch),
);

pub(super) const TRACKING: Command = about(
    "TRACKING",
    "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] \
     [OPTOUT] [NOLOOP]",
    Arity::AtLeast(3),
    ("6.0.0", "Switches messages about changed keys on or off."),
    Run::Session(tracking),
);

pub(super) const CACHING: Command = about(
    "CACHING",
    "<YES | NO>",
    Arity::Exactly(3),
    ("6.0.0", "Says whether the keys of the next command are tracked."),
    Run::Session(caching),
);

pub(super) const GETREDIR: Command = about(
    "GETREDIR",
    "",
    Arity::Exactly(2),
    ("6.0.0", "Answers the connection that gets this one's messages about changed keys."),
    Run::Session(get_redirection),
);

pub(super) const TRACKINGINFO: Command = Command {
    flags: COMMON,
    ..about(
        "TRACKINGINFO",
        "",
        Arity::Exactly(2),
        ("6.2.0", "Describes how this connection tracks keys."),
        Run::Session(tracking_info),
    )
};

fn reply(ctx: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    let word = args.next()?;
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    if is("ON") {
        ctx.session.reply_mode = ReplyMode::On;
        ctx.then = Then::Speak;
        return Ok(Reply::OK);
    }
    if is("OFF") {
        ctx.session.reply_mode = ReplyMode::Off;
    } else if !is("SKIP") {
        return Err(ReplyError::SYNTAX);
    } else if ctx.session.reply_mode == ReplyMode::On {
        ctx.session.reply_mode = ReplyMode::SkipNext;
    }
    Ok(Reply::Nothing)
}

fn on_or_off(args: &mut Args<'_>) -> Result<bool, ReplyError> {
    if args.keyword("ON") {
        Ok(true)
    } else if args.keyword("OFF") {
        Ok(false)
    } else {
        Err(ReplyError::SYNTAX)
    }
}

fn no_evict(ctx: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    ctx.session.client.set(ClientFlag::NoEvict, on_or_off(&mut args)?);
    Ok(Reply::OK)
}

fn no_touch(ctx: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    ctx.session.client.set(ClientFlag::NoTouch, on_or_off(&mut args)?);
    Ok(Reply::OK)
}

fn tracking(_: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    let on = on_or_off(&mut args)?;
    if on {
        return Err(ReplyError::NO_TRACKING);
    }
    args.end()?;
    Ok(Reply::OK)
}

/// Only a connection that tracks keys may call it, and none does.
fn caching(_: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    Err(ReplyError::CACHING_WITHOUT_TRACKING)
}

fn get_redirection(_: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Integer(-1))
}

fn tracking_info(_: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Map(vec![
        (Reply::bulk("flags"), Reply::Set(vec![Reply::bulk("off")])),
        (Reply::bulk("redirect"), Reply::Integer(-1)),
        (Reply::bulk("prefixes"), Reply::Array(Vec::new())),
    ]))
}
