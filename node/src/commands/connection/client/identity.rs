//! CLIENT SETNAME, GETNAME, SETINFO, ID.

use bytes::Bytes;

use super::super::shared::CONNECTION;
use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Run};
use crate::commands::run::SessionContext;
use crate::resp::{Reply, ReplyError};

pub(super) const SETNAME: Command = Command {
    name: "SETNAME",
    summary: "Names the connection.",
    since: "2.6.9",
    syntax: "connection-name",
    arity: Arity::Exactly(3),
    run: Run::Session(set_name),
    ..CONNECTION
};

pub(super) const GETNAME: Command = Command {
    name: "GETNAME",
    summary: "Answers the connection's name.",
    since: "2.6.9",
    arity: Arity::Exactly(2),
    run: Run::Session(get_name),
    ..CONNECTION
};

pub(super) const SETINFO: Command = Command {
    name: "SETINFO",
    summary: "Says which client library the connection uses.",
    since: "7.2.0",
    syntax: "<LIB-NAME libname | LIB-VER libver>",
    arity: Arity::Exactly(4),
    run: Run::Session(set_info),
    ..CONNECTION
};

pub(super) const ID: Command = Command {
    name: "ID",
    summary: "Answers the connection's number.",
    since: "5.0.0",
    arity: Arity::Exactly(2),
    run: Run::Session(id),
    ..CONNECTION
};

/// Names appear in lists of fields between spaces, so they hold visible characters only.
pub(in super::super) fn check_name(name: &[u8]) -> Result<(), ReplyError> {
    if is_visible(name) { Ok(()) } else { Err(ReplyError::INVALID_CLIENT_NAME) }
}

fn is_visible(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn set_name(ctx: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    let name = args.next()?;
    check_name(name)?;
    let name = Bytes::copy_from_slice(name);
    ctx.session.client.describe(|details| details.name = name);
    Ok(Reply::OK)
}

fn get_name(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    let name = ctx.session.client.details().name;
    Ok(Reply::optional((!name.is_empty()).then_some(name)))
}

fn set_info(ctx: &mut SessionContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (option, value) = (args.next()?, args.next()?);
    let is_name = option.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !option.eq_ignore_ascii_case(b"lib-ver") {
        let option = String::from_utf8_lossy(option);
        return Err(ReplyError::new(format!("ERR Unrecognized option '{option}'")));
    }
    if !is_visible(value) {
        return Err(ReplyError::new(format!(
            "ERR {} cannot contain spaces, newlines or special characters.",
            String::from_utf8_lossy(option)
        )));
    }
    let value = Bytes::copy_from_slice(value);
    ctx.session.client.describe(|details| {
        *(if is_name { &mut details.library_name } else { &mut details.library_version }) = value;
    });
    Ok(Reply::OK)
}

fn id(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Integer(i64::try_from(ctx.session.client.id().0).unwrap_or(i64::MAX)))
}
