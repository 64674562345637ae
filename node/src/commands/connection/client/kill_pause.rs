//! CLIENT KILL, PAUSE, UNPAUSE, UNBLOCK: commands that end or delay other connections.

use bytes::Bytes;
use tokio::time::{Duration, Instant};

use super::super::shared::{ADMIN, CONNECTION};
use super::list::kind;
use crate::base::ids::ClientId;
use crate::commands::args::{Args, parse_integer};
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Run};
use crate::commands::run::{SessionAction, SessionContext};
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{ClientFilter, PauseMode};

pub(super) const KILL: Command = Command {
    name: "KILL",
    summary: "Ends connections.",
    since: "2.4.0",
    complexity: "O(N), where N is the number of connections.",
    syntax: "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | \
         [USER username] | [ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>]> ...>",
    arity: Arity::AtLeast(3),
    flags: ADMIN,
    history: &[
        ("2.8.12", "Filters in place of an address."),
        ("2.8.12", "ID."),
        ("3.2.0", "The type master."),
        ("5.0.0", "The type replica; slave means the same."),
        ("6.2.0", "LADDR."),
    ],
    argument_names: &[
        ArgumentName::group("ip:port", "filter"),
        ArgumentName::group("client-id", "new-format"),
        ArgumentName::group("type", "normal_master_slave_pubsub"),
    ],
    run: Run::Session(kill),
    ..CONNECTION
};

pub(super) const PAUSE: Command = Command {
    name: "PAUSE",
    summary: "Makes commands of all connections of this node wait.",
    since: "2.9.50",
    syntax: "timeout [WRITE | ALL]",
    arity: Arity::AtLeast(3),
    flags: ADMIN,
    history: &[("6.2.0", "A mode: WRITE holds back writes only.")],
    argument_names: &[ArgumentName::group("write", "mode")],
    run: Run::Session(pause),
    ..CONNECTION
};

pub(super) const UNPAUSE: Command = Command {
    name: "UNPAUSE",
    summary: "Ends the wait that PAUSE began.",
    since: "6.2.0",
    arity: Arity::Exactly(2),
    flags: ADMIN,
    run: Run::Session(unpause),
    ..CONNECTION
};

pub(super) const UNBLOCK: Command = Command {
    name: "UNBLOCK",
    summary: "Ends the wait of a connection in a blocking command.",
    since: "5.0.0",
    syntax: "client-id [TIMEOUT | ERROR]",
    arity: Arity::AtLeast(3),
    flags: ADMIN,
    argument_names: &[ArgumentName::group("timeout", "timeout_error")],
    run: Run::Session(unblock),
    ..CONNECTION
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

/// Ends the clients that match. The connection of the command itself ends after its reply.
fn end(ctx: &mut SessionContext<'_>, filter: &ClientFilter) -> usize {
    let victims = ctx.node.clients.matching(filter);
    for victim in &victims {
        if victim.id() == ctx.session.client.id() {
            ctx.action = SessionAction::Close;
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
    ctx.node.clients.pause().start(mode, until);
    Ok(Reply::OK)
}

fn unpause(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.node.clients.pause().end();
    Ok(Reply::OK)
}

/// No command blocks, so there is no connection to unblock.
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
