//! AUTH and HELLO. There is one user, `default`, with the configured passwords.

use bytes::Bytes;

use super::shared::{COMMON, CONNECTION};
use crate::base::config::Redirect;
use crate::commands::args::{Args, parse_integer};
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::SessionContext;
use crate::commands::version::REDIS_VERSION;
use crate::resp::{Protocol, Reply, ReplyError};

use super::client::check_name;

/// The only user there is.
const USER: &[u8] = b"default";

const GREETING: Flags = COMMON.with(Flags::FAST).with(Flags::NO_AUTH);

pub(super) const AUTH: Command = Command {
    name: "AUTH",
    summary: "Proves who the client is.",
    since: "1.0.0",
    syntax: "[username] password",
    arity: Arity::AtLeast(2),
    flags: GREETING,
    history: &[("6.0.0", "A user name before the password.")],
    run: Run::Session(auth),
    ..CONNECTION
};

pub(super) const HELLO: Command = Command {
    name: "HELLO",
    summary: "Greets the server and chooses the protocol version.",
    since: "6.0.0",
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    arity: Arity::AtLeast(1),
    flags: GREETING,
    history: &[("6.2.0", "Without a version it only describes the connection.")],
    argument_names: &[
        ArgumentName::group("protover", "arguments"),
        ArgumentName::group("auth", "username_password"),
    ],
    run: Run::Session(hello),
    ..CONNECTION
};

fn auth(ctx: &mut SessionContext<'_>, args: Args<'_>) -> CommandResult {
    match args.rest() {
        [password] => {
            if !ctx.node.asks_for_password() {
                return Err(ReplyError::NO_PASSWORD_SET);
            }
            authenticate(ctx, USER, password)?;
        }
        [user, password] => authenticate(ctx, user, password)?,
        _ => return Err(ReplyError::SYNTAX),
    }
    Ok(Reply::OK)
}

fn authenticate(
    ctx: &mut SessionContext<'_>,
    user: &[u8],
    password: &[u8],
) -> Result<(), ReplyError> {
    // Where no password is set, the default user may give any, as in Redis.
    let welcome = !ctx.node.asks_for_password() || ctx.node.accepts_password(password);
    if user != USER || !welcome {
        return Err(ReplyError::WRONG_PASSWORD);
    }
    ctx.session.authenticated = true;
    Ok(())
}

/// What HELLO asks for.
#[derive(Default)]
struct Greeting<'a> {
    protocol: Option<Protocol>,
    credentials: Option<(&'a Bytes, &'a Bytes)>,
    name: Option<&'a Bytes>,
}

fn hello(ctx: &mut SessionContext<'_>, args: Args<'_>) -> CommandResult {
    let greeting = parse(args)?;
    if let Some((user, password)) = greeting.credentials {
        authenticate(ctx, user, password)?;
    }
    if !ctx.session.authenticated {
        return Err(ReplyError::HELLO_WITHOUT_AUTH);
    }
    if let Some(name) = greeting.name {
        check_name(name)?;
        let name = Bytes::copy_from_slice(name);
        ctx.session.client.describe(|details| details.name = name);
    }
    if let Some(protocol) = greeting.protocol {
        ctx.session.protocol = protocol;
    }
    Ok(introduction(ctx))
}

fn parse(mut args: Args<'_>) -> Result<Greeting<'_>, ReplyError> {
    let mut greeting = Greeting::default();
    if args.is_empty() {
        return Ok(greeting);
    }
    greeting.protocol = match parse_integer(args.next()?) {
        Some(2) => Some(Protocol::Resp2),
        Some(3) => Some(Protocol::Resp3),
        Some(_) => return Err(ReplyError::NO_PROTOCOL),
        None => return Err(ReplyError::PROTOCOL_NOT_INTEGER),
    };
    while !args.is_empty() {
        let option = args.next()?;
        let mut values = args;
        if option.eq_ignore_ascii_case(b"AUTH") && args.len() >= 2 {
            greeting.credentials = Some((values.next()?, values.next()?));
        } else if option.eq_ignore_ascii_case(b"SETNAME") && !args.is_empty() {
            greeting.name = Some(values.next()?);
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(ReplyError::new(format!("ERR Syntax error in HELLO option '{option}'")));
        }
        args = values;
    }
    Ok(greeting)
}

fn introduction(ctx: &SessionContext<'_>) -> Reply {
    let cluster = ctx.node.config.load().routing.redirect == Redirect::Moved;
    let role = if ctx.node.cluster.status().is_leader() { "master" } else { "replica" };
    let id = i64::try_from(ctx.session.client.id().0).unwrap_or(i64::MAX);
    Reply::Map(vec![
        (Reply::bulk("server"), Reply::bulk("redis")),
        (Reply::bulk("version"), Reply::bulk(REDIS_VERSION)),
        (Reply::bulk("proto"), Reply::Integer(i64::from(ctx.session.protocol.number()))),
        (Reply::bulk("id"), Reply::Integer(id)),
        (Reply::bulk("mode"), Reply::bulk(if cluster { "cluster" } else { "standalone" })),
        (Reply::bulk("role"), Reply::bulk(role)),
        (Reply::bulk("modules"), Reply::Array(Vec::new())),
    ])
}
