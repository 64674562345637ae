//! CLIENT REPLY, NO-EVICT, NO-TOUCH, and commands that report that no keys are tracked. TRACKING
//! itself does not exist, so that clients that look for it in COMMAND work without a cache.

use super::super::shared::{ADMIN, COMMON, CONNECTION};
use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Run};
use crate::commands::run::{SessionAction, SessionContext};
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{ClientFlag, ReplyMode};

pub(super) const REPLY: Command = Command {
    name: "REPLY",
    summary: "Switches the connection's replies on or off, or holds the next one back.",
    since: "3.2.0",
    syntax: "<ON | OFF | SKIP>",
    arity: Arity::Exactly(3),
    argument_names: &[ArgumentName::group("on", "on_off_skip")],
    run: Run::Session(reply),
    ..CONNECTION
};

pub(super) const NO_EVICT: Command = Command {
    name: "NO-EVICT",
    summary: "Keeps the connection when memory for clients runs out.",
    since: "7.0.0",
    syntax: "<ON | OFF>",
    arity: Arity::Exactly(3),
    flags: ADMIN,
    argument_names: &[ArgumentName::group("on", "enabled")],
    run: Run::Session(no_evict),
    ..CONNECTION
};

pub(super) const NO_TOUCH: Command = Command {
    name: "NO-TOUCH",
    summary: "Makes the connection's reads not count as uses of keys.",
    since: "7.2.0",
    syntax: "<ON | OFF>",
    arity: Arity::Exactly(3),
    run: Run::Session(no_touch),
    ..CONNECTION
};

pub(super) const CACHING: Command = Command {
    name: "CACHING",
    summary: "Refused: the keys of commands are never tracked here.",
    since: "6.0.0",
    syntax: "<YES | NO>",
    arity: Arity::Exactly(3),
    argument_names: &[ArgumentName::group("yes", "mode")],
    run: Run::Session(caching),
    ..CONNECTION
};

pub(super) const GETREDIR: Command = Command {
    name: "GETREDIR",
    summary: "Answers the connection that gets this one's messages about changed keys.",
    since: "6.0.0",
    arity: Arity::Exactly(2),
    run: Run::Session(get_redirection),
    ..CONNECTION
};

pub(super) const TRACKINGINFO: Command = Command {
    name: "TRACKINGINFO",
    summary: "Describes how this connection tracks keys.",
    since: "6.2.0",
    arity: Arity::Exactly(2),
    flags: COMMON,
    run: Run::Session(tracking_info),
    ..CONNECTION
};

fn reply(ctx: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    let word = args.next()?;
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    if is("ON") {
        ctx.session.reply_mode = ReplyMode::On;
        ctx.action = SessionAction::ForceReply;
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

/// Redis allows it only on a connection that tracks keys; here no connection does.
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
