//! MEMORY: how much keys and the process take.

use super::{at_once, container, help};
use crate::base::ids::DatabaseId;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::{NodeContext, ReadContext};
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::ClientFilter;

pub(super) const MEMORY: Command = container(
    "MEMORY",
    "A container for memory diagnostics commands.",
    "4.0.0",
    &[
        node("DOCTOR", "Returns an analysis for people.", at_once!(doctor)),
        Command {
            flags: Flags::LOADING.with(Flags::STALE),
            ..node("HELP", "Lists the subcommands.", at_once!(show_help))
        },
        node("MALLOC-STATS", "Returns what the allocator says.", at_once!(allocator)),
        node("PURGE", "Asks the allocator to give memory back.", at_once!(purge)),
        node("STATS", "Returns where memory goes.", at_once!(statistics)),
        USAGE,
    ],
);

const USAGE: Command = Command {
    name: "USAGE",
    summary: "Returns the bytes that a key and its value take.",
    since: "4.0.0",
    complexity: "O(1)",
    syntax: "key [SAMPLES count]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 2, last: 2, step: 1 },
    flags: Flags::NO_TOUCH,
    run: Run::Read(usage),
};

const fn node(name: &'static str, summary: &'static str, run: Run) -> Command {
    Command {
        name,
        summary,
        since: "4.0.0",
        complexity: "O(1)",
        syntax: "",
        arity: Arity::Exactly(2),
        keys: Keys::None,
        flags: Flags::NONE,
        run,
    }
}

fn show_help(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(help(
        "MEMORY",
        &[
            "DOCTOR",
            "    Return memory problems reports.",
            "MALLOC-STATS",
            "    Return internal statistics report from the memory allocator.",
            "PURGE",
            "    Attempt to purge dirty pages for reclamation by the allocator.",
            "STATS",
            "    Return information about the memory usage of the server.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return memory in bytes used by <key> and its value. Nested values are",
            "    always counted in full, whatever <count> is.",
        ],
    ))
}

/// Sizes are kept up to date by every change, so there is nothing to sample.
fn usage(context: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    while !args.is_empty() {
        if !args.keyword("SAMPLES") {
            return Err(ReplyError::SYNTAX);
        }
        if args.integer()? < 0 {
            return Err(ReplyError::SYNTAX);
        }
    }
    let object = context.object(key);
    Ok(object.map_or(Reply::Null, |object| Reply::count(object.counted_bytes)))
}

fn doctor(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let (keyspace, process) = (context.node.keyspace().read(), &context.node.telemetry().process);
    let (used, limit) = (keyspace.memory_bytes() as u64, keyspace.settings.maxmemory);
    let resident = process.memory().resident;
    let mut text = String::new();
    if limit > 0 && used > limit / 10 * 9 {
        text.push_str("* Data fills more than nine tenths of maxmemory.\n");
    }
    if used > 64 << 20 && resident > used * 2 {
        text.push_str(
            "* The process takes more than twice what the data needs: a checkpoint may be \
             running, or many small values were removed. MEMORY PURGE may give memory back.\n",
        );
    }
    if text.is_empty() {
        text.push_str("No memory problem was found on this node.\n");
    }
    Ok(Reply::Verbatim("txt", text.into()))
}

fn allocator(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let memory = context.node.telemetry().process.memory();
    let text = format!(
        "mimalloc gives no statistics in this build; the process has {} bytes resident, {} at \
         most so far\n",
        memory.resident, memory.resident_peak
    );
    Ok(Reply::Verbatim("txt", text.into()))
}

/// The allocator gives freed pages back by itself after a moment; there is no call to hurry it.
fn purge(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::OK)
}

fn statistics(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let keyspace = context.node.keyspace().read();
    let process = &context.node.telemetry().process;
    let used = keyspace.memory_bytes() as u64;
    let peak = process.note_used_memory(used);
    let resident = process.memory().resident;
    let keys: usize = keyspace.databases().map(|(_, database)| database.len()).sum();
    let clients = context.node.clients().matching(&ClientFilter::default());
    let buffers = clients.iter().map(|client| {
        let load = client.load();
        load.input_bytes + load.input_free_bytes + load.queued_bytes + load.output_bytes
    });
    let number = |number: u64| Reply::Integer(number.cast_signed());
    let mut rows = vec![
        ("peak.allocated".to_owned(), number(peak)),
        ("total.allocated".to_owned(), number(used)),
        ("startup.allocated".to_owned(), number(0)),
        ("replication.backlog".to_owned(), number(0)),
        ("clients.slaves".to_owned(), number(0)),
        ("clients.normal".to_owned(), Reply::count(buffers.sum())),
        ("cluster.links".to_owned(), number(0)),
        ("aof.buffer".to_owned(), number(0)),
        ("lua.caches".to_owned(), number(0)),
        ("functions.caches".to_owned(), number(0)),
    ];
    for (DatabaseId(id), _) in keyspace.databases().filter(|(_, database)| !database.is_empty()) {
        let fields = ["overhead.hashtable.main", "overhead.hashtable.expires"];
        let fields = fields.map(|name| (Reply::bulk(name), number(0)));
        rows.push((format!("db.{id}"), Reply::Map(fields.into())));
    }
    let share = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    rows.extend([
        ("overhead.total".to_owned(), number(0)),
        ("keys.count".to_owned(), Reply::count(keys)),
        ("keys.bytes-per-key".to_owned(), number(used / (keys as u64).max(1))),
        ("dataset.bytes".to_owned(), number(used)),
        ("dataset.percentage".to_owned(), Reply::Double(share(used, used))),
        ("peak.percentage".to_owned(), Reply::Double(share(used, peak))),
        ("allocator.resident".to_owned(), number(resident)),
        ("fragmentation".to_owned(), Reply::Double(resident as f64 / used.max(1) as f64)),
        ("fragmentation.bytes".to_owned(), number(resident.saturating_sub(used))),
    ]);
    Ok(Reply::Map(rows.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect()))
}
