//! CLIENT KILL, PAUSE, UNPAUSE, UNBLOCK: what one connection does to others.

use bytes::Bytes;
use tokio::time::{Duration, Instant};

use super::super::about;
use super::ADMIN;
use super::list::kind;
use crate::base::ids::ClientId;
use crate::commands::args::{Args, parse_integer};
use crate::commands::command::{Arity, Command, CommandResult, Run};
use crate::commands::context::{SessionContext, Then};
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{ClientFilter, PauseMode};

pub(super) const KILL: Command = Command {
    complexity: "O(N), where N is the number of connections.",
    flags: ADMIN,
    ..about(
        "KILL",
        "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | \
         [USER username] | [ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>]> ...>",
        Arity::AtLeast(3),
        ("2.4.0", "Ends connections."),
        Run::Session(kill),
    )
};

pub(super) const PAUSE: Command = Command {
    flags: ADMIN,
    ..about(
        "PAUSE",
        "timeout [WRITE | ALL]",
        Arity::AtLeast(3),
        ("2.9.50", "Makes commands of all connections of this node wait."),
        Run::Session(pause),
    )
};

pub(super) const UNPAUSE: Command = Command {
    flags: ADMIN,
    ..about(
        "UNPAUSE",
        "",
        Arity::Exactly(2),
        ("6.2.0", "Ends the wait that PAUSE began."),
        Run::Session(unpause),
    )
};

pub(super) const UNBLOCK: Command = Command {
    flags: ADMIN,
    ..about(
        "UNBLOCK",
        "client-id [TIMEOUT | ERROR]",
        Arity::AtLeast(3),
        ("5.0.0", "Ends the wait of a connection in a blocking command."),
        Run::Session(unblock),
    )
};

fn kill(ctx: &mut SessionContext<'_>, args: Args<'_>) -> CommandResult {
    let own = ctx.session.client.id();
    if let [address] = args.rest() {
        let filter = ClientFilter { address: Some(address.clone()), ..ClientFilter::default() };
        let killed = end(ctx, &filter);
        return if killed > 0 { Ok(Reply::OK) } else { Err(ReplyError::NO_SUCH_CLIENT) };
    }
    let (filter, skip_me) = parse_kill(args)?;
    let except = skip_me.then_some(own);
    let killed = end(ctx, &ClientFilter { except, ..filter });
    Ok(Reply::count(killed))
}

fn parse_kill(mut args: Args<'_>) -> Result<(ClientFilter, bool), ReplyError> {
    let (mut filter, mut skip_me) = (ClientFilter::default(), true);
    while !args.is_empty() {
        if args.len() < 2 {
            return Err(ReplyError::SYNTAX);
        }
        let (option, value) = (args.next()?, args.next()?);
        let is = |word: &str| option.eq_ignore_ascii_case(word.as_bytes());
        if is("ID") {
            let id = parse_integer(value).and_then(|id| u64::try_from(id).ok());
            let id = id.filter(|id| *id > 0).ok_or(ReplyError::CLIENT_ID_NOT_POSITIVE)?;
            filter.ids = vec![ClientId(id)];
        } else if is("TYPE") {
            filter.kind = Some(kind(value)?);
        } else if is("ADDR") {
            filter.address = Some(value.clone());
        } else if is("LADDR") {
            filter.local_address = Some(value.clone());
        } else if is("USER") {
            check_user(value)?;
        } else if is("SKIPME") {
            skip_me = yes_or_no(value)?;
        } else {
            return Err(ReplyError::SYNTAX);
        }
    }
    Ok((filter, skip_me))
}

fn check_user(name: &Bytes) -> Result<(), ReplyError> {
    if name == "default" {
        return Ok(());
    }
    let name = String::from_utf8_lossy(name);
    Err(ReplyError::new(format!("ERR No such user '{name}'")))
}

fn yes_or_no(word: &[u8]) -> Result<bool, ReplyError> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(false)
    } else {
        Err(ReplyError::SYNTAX)
    }
}

/// Ends the clients that match; the own connection only after its reply.
fn end(ctx: &mut SessionContext<'_>, filter: &ClientFilter) -> usize {
    let victims = ctx.node.clients().matching(filter);
    for victim in &victims {
        if victim.id() == ctx.session.client.id() {
            ctx.then = Then::Close;
        } else {
            victim.kill();
        }
    }
    victims.len()
}

fn pause(ctx: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    let timeout_ms = parse_integer(args.next()?).ok_or(ReplyError::TIMEOUT_NOT_INTEGER)?;
    let mode = match args.rest() {
        [] => PauseMode::All,
        [word] if word.eq_ignore_ascii_case(b"ALL") => PauseMode::All,
        [word] if word.eq_ignore_ascii_case(b"WRITE") => PauseMode::Writes,
        [_] => return Err(ReplyError::PAUSE_MODE),
        _ => return Err(ReplyError::subcommand("CLIENT", "pause")),
    };
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| ReplyError::TIMEOUT_NEGATIVE)?;
    let until = Instant::now().checked_add(Duration::from_millis(timeout_ms));
    let until = until.ok_or(ReplyError::TIMEOUT_NOT_INTEGER)?;
    ctx.node.clients().pause().start(mode, until);
    Ok(Reply::OK)
}

fn unpause(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.node.clients().pause().end();
    Ok(Reply::OK)
}

/// No command blocks, so there is never a connection to wake.
fn unblock(_: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    args.integer()?;
    match args.rest() {
        [] => Ok(Reply::Integer(0)),
        [word] if word.eq_ignore_ascii_case(b"TIMEOUT") => Ok(Reply::Integer(0)),
        [word] if word.eq_ignore_ascii_case(b"ERROR") => Ok(Reply::Integer(0)),
        [_] => Err(ReplyError::UNBLOCK_REASON),
        _ => Err(ReplyError::subcommand("CLIENT", "unblock")),
    }
}
