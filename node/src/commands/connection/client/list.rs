//! CLIENT LIST and INFO: one line of fields for each connection, as Redis writes them.

use super::super::shared::{ADMIN, CONNECTION};
use crate::base::ids::ClientId;
use crate::commands::args::{Args, parse_integer};
use crate::commands::declare::documentation::{ArgumentName, tips};
use crate::commands::declare::{Arity, Command, CommandResult, Run};
use crate::commands::run::SessionContext;
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{Client, ClientFilter, ClientFlag, ClientKind};

pub(super) const LIST: Command = Command {
    name: "LIST",
    summary: "Describes the connections of this node.",
    since: "2.4.0",
    complexity: "O(N), where N is the number of connections.",
    syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
    arity: Arity::AtLeast(2),
    flags: ADMIN,
    tips: tips::VARIES,
    history: &[
        ("2.8.12", "The field id."),
        ("5.0.0", "TYPE."),
        ("6.0.0", "The field user."),
        ("6.2.0", "ID, and the fields argv-mem, tot-mem, laddr and redir."),
        ("7.0.0", "The fields resp, multi-mem, rbs and rbp."),
        ("7.0.3", "The field ssub."),
    ],
    argument_names: &[ArgumentName::group("type", "normal_master_replica_pubsub")],
    run: Run::Session(list),
    ..CONNECTION
};

pub(super) const INFO: Command = Command {
    name: "INFO",
    summary: "Describes this connection.",
    since: "6.2.0",
    arity: Arity::Exactly(2),
    tips: tips::VARIES,
    run: Run::Session(info),
    ..CONNECTION
};

/// Redis keeps replies up to this size in the connection's buffer (`obl`), and the rest in a list
/// (`omem`).
const REPLY_BUFFER_BYTES: usize = 16 << 10;

fn info(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    let command_names = ctx.node.telemetry.metrics.command_names();
    Ok(Reply::Verbatim("txt", line(&ctx.session.client, command_names).into()))
}

fn list(ctx: &mut SessionContext<'_>, args: Args<'_>) -> CommandResult {
    let filter = parse(args)?;
    let clients = ctx.node.clients.matching(&filter);
    let command_names = ctx.node.telemetry.metrics.command_names();
    let text: String = clients.iter().map(|client| line(client, command_names)).collect();
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

fn line(client: &Client, command_names: &[String]) -> String {
    let (details, load) = (client.details(), client.load());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let command = client.last_command().and_then(|id| command_names.get(usize::from(id)));
    let command = command.map_or("NULL", String::as_str);
    let listed = load.output_bytes.saturating_sub(REPLY_BUFFER_BYTES);
    let queued = load.queued.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX));
    format!(
        "id={} addr={} laddr={} fd=0 name={} age={} idle={} flags={} db={} sub=0 psub=0 ssub=0 \
         multi={queued} qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs=0 rbp=0 obl={} \
         oll={} omem={listed} tot-mem={} events=r cmd={command} user=default redir=-1 resp={} \
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
        load.argument_bytes,
        load.queued_bytes,
        load.output_bytes - listed,
        listed.div_ceil(REPLY_BUFFER_BYTES),
        load.memory_bytes(),
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
