//! CLIENT LIST and INFO: one line of fields for each connection, as Redis writes them.

use super::super::about;
use super::ADMIN;
use crate::base::ids::ClientId;
use crate::commands::args::{Args, parse_integer};
use crate::commands::command::{Arity, Command, CommandResult, Run};
use crate::commands::context::SessionContext;
use crate::commands::table::{self, CommandId};
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{Client, ClientFilter, ClientFlag, ClientKind};

pub(super) const LIST: Command = Command {
    complexity: "O(N), where N is the number of connections.",
    flags: ADMIN,
    ..about(
        "LIST",
        "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
        Arity::AtLeast(2),
        ("2.4.0", "Describes the connections of this node."),
        Run::Session(list),
    )
};

pub(super) const INFO: Command = about(
    "INFO",
    "",
    Arity::Exactly(2),
    ("6.2.0", "Describes this connection."),
    Run::Session(info),
);

/// Bytes of the structures of one connection, roughly.
const CLIENT_BYTES: usize = 2048;

fn info(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Verbatim("txt", line(&ctx.session.client).into()))
}

fn list(ctx: &mut SessionContext<'_>, args: Args<'_>) -> CommandResult {
    let filter = parse(args)?;
    let clients = ctx.node.clients().matching(&filter);
    let text: String = clients.iter().map(|client| line(client)).collect();
    Ok(Reply::Verbatim("txt", text.into()))
}

fn parse(mut args: Args<'_>) -> Result<ClientFilter, ReplyError> {
    let mut filter = ClientFilter::default();
    if args.is_empty() {
        return Ok(filter);
    }
    if args.len() == 2 && args.keyword("TYPE") {
        filter.kind = Some(kind(args.next()?)?);
    } else if args.len() > 1 && args.keyword("ID") {
        for word in args.rest() {
            let id = parse_integer(word).and_then(|id| u64::try_from(id).ok());
            filter.ids.push(ClientId(id.ok_or(ReplyError::INVALID_CLIENT_ID)?));
        }
    } else {
        return Err(ReplyError::SYNTAX);
    }
    Ok(filter)
}

/// The type of a client by its name.
pub(super) fn kind(word: &[u8]) -> Result<ClientKind, ReplyError> {
    ClientKind::named(word).ok_or_else(|| {
        let word = String::from_utf8_lossy(word);
        ReplyError::new(format!("ERR Unknown client type '{word}'"))
    })
}

fn line(client: &Client) -> String {
    let (details, load) = (client.details(), client.load());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let command = client.last_command().and_then(|position| table::get(CommandId(position)));
    let command = command.map_or_else(|| "NULL".to_owned(), |found| found.full_name());
    let memory = CLIENT_BYTES + load.input_bytes + load.queued_bytes + load.output_bytes;
    let queued = load.queued.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX));
    format!(
        "id={} addr={} laddr={} fd=0 name={} age={} idle={} flags={} db={} sub=0 psub=0 ssub=0 \
         multi={queued} qbuf={} qbuf-free={} argv-mem=0 multi-mem={} rbs=0 rbp=0 obl={} oll=0 \
         omem=0 tot-mem={memory} events=r cmd={command} user=default redir=-1 resp={} \
         lib-name={} lib-ver={}\n",
        client.id().0,
        client.address(),
        client.local_address(),
        text(&details.name),
        client.age().as_secs(),
        client.idle().as_secs(),
        flags(client, load.queued.is_some()),
        client.database().0,
        load.input_bytes,
        load.input_free_bytes,
        load.queued_bytes,
        load.output_bytes,
        client.protocol().number(),
        text(&details.library_name),
        text(&details.library_version),
    )
}

fn flags(client: &Client, in_transaction: bool) -> String {
    let letters = [
        (in_transaction, 'x'),
        (client.has(ClientFlag::Blocked), 'b'),
        (client.has(ClientFlag::Closing), 'c'),
        (client.has(ClientFlag::ReadOnly), 'r'),
        (client.has(ClientFlag::NoEvict), 'e'),
        (client.has(ClientFlag::NoTouch), 'T'),
    ];
    let set: String = letters.iter().filter(|(on, _)| *on).map(|(_, letter)| letter).collect();
    if set.is_empty() { "N".to_owned() } else { set }
}
