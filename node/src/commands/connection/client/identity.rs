//! CLIENT SETNAME, GETNAME, SETINFO, ID.

use bytes::Bytes;

use super::super::about;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Run};
use crate::commands::context::SessionContext;
use crate::resp::{Reply, ReplyError};

pub(super) const SETNAME: Command = about(
    "SETNAME",
    "connection-name",
    Arity::Exactly(3),
    ("2.6.9", "Names the connection."),
    Run::Session(set_name),
);

pub(super) const GETNAME: Command = about(
    "GETNAME",
    "",
    Arity::Exactly(2),
    ("2.6.9", "Answers the connection's name."),
    Run::Session(get_name),
);

pub(super) const SETINFO: Command = about(
    "SETINFO",
    "<LIB-NAME libname | LIB-VER libver>",
    Arity::Exactly(4),
    ("7.2.0", "Says which client library the connection uses."),
    Run::Session(set_info),
);

pub(super) const ID: Command = about(
    "ID",
    "",
    Arity::Exactly(2),
    ("5.0.0", "Answers the connection's number."),
    Run::Session(id),
);

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
