//! MEMORY: the memory of keys and of the process.

use crate::base::ids::DatabaseId;
use crate::commands::args::Args;
use crate::commands::declare::container::{at_once, container};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Arity, Command, CommandResult, KeyUse, Keys, Run};
use crate::commands::run::{NodeContext, ReadContext};
use crate::data::keyspace::Overhead;
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::ClientFilter;

pub(super) const MEMORY: Command = container(
    "MEMORY",
    "A container for memory diagnostics commands.",
    "4.0.0",
    &[
        Command {
            name: "DOCTOR",
            summary: "Returns an analysis for people.",
            tips: tips::SHARD_REPORT,
            run: at_once!(doctor),
            ..SUBCOMMAND
        },
        HELP,
        Command {
            name: "MALLOC-STATS",
            summary: "Returns what the allocator says.",
            tips: tips::SHARD_REPORT,
            run: at_once!(allocator),
            ..SUBCOMMAND
        },
        Command {
            name: "PURGE",
            summary: "Asks the allocator to give memory back.",
            tips: tips::EVERY_SHARD_OR_FAIL,
            run: at_once!(purge),
            ..SUBCOMMAND
        },
        Command {
            name: "STATS",
            summary: "Returns where memory goes.",
            tips: tips::SHARD_REPORT,
            run: at_once!(statistics),
            ..SUBCOMMAND
        },
        USAGE,
    ],
);

/// The common fields of its subcommands.
const SUBCOMMAND: Command =
    Command { since: "4.0.0", complexity: "O(1)", arity: Arity::Exactly(2), ..Command::NEW };

const HELP: Command = help("4.0.0", Run::Describe(|_, _| help_of(&MEMORY)));

const USAGE: Command = Command {
    name: "USAGE",
    summary: "Returns the bytes that a key and its value take.",
    syntax: "key [SAMPLES count]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 2, last: 2, step: 1 },
    key_uses: &[KeyUse::Inspect],
    run: Run::Read(usage),
    ..SUBCOMMAND
};

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
    let (keyspace, process) =
        (context.node.storage.keyspace().read(), &context.node.telemetry.process);
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
    let memory = context.node.telemetry.process.memory();
    let text = format!(
        "mimalloc gives no statistics in this build; the process has {} bytes resident, {} at \
         most so far\n",
        memory.resident, memory.resident_peak
    );
    Ok(Reply::Verbatim("txt", text.into()))
}

/// The allocator returns freed pages after a short time; no call accelerates this.
fn purge(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::OK)
}

fn statistics(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let memory = Memory::of(context);
    let number = |number: u64| Reply::Integer(number.cast_signed());
    let share = |part: u64, whole: u64| Reply::Double(100.0 * part as f64 / whole.max(1) as f64);
    let (total, overhead) = (memory.total(), memory.overhead());
    let peak = total - memory.data + memory.data_peak;
    let dataset = total - overhead;
    let mut rows = vec![
        ("peak.allocated".to_owned(), number(peak)),
        ("total.allocated".to_owned(), number(total)),
        ("startup.allocated".to_owned(), number(memory.startup)),
        ("replication.backlog".to_owned(), number(memory.log_cache)),
        ("clients.slaves".to_owned(), number(0)),
        ("clients.normal".to_owned(), number(memory.clients)),
        ("cluster.links".to_owned(), number(0)),
        ("aof.buffer".to_owned(), number(0)),
        ("lua.caches".to_owned(), number(0)),
        ("functions.caches".to_owned(), number(0)),
    ];
    rows.extend(memory.databases.iter().map(|(DatabaseId(id), parts)| {
        let fields = [
            ("overhead.hashtable.main", parts.entry_bytes + parts.page_bytes),
            ("overhead.hashtable.expires", parts.deadline_bytes),
        ];
        let fields = fields.map(|(name, bytes)| (Reply::bulk(name), Reply::count(bytes)));
        (format!("db.{id}"), Reply::Map(fields.into()))
    }));
    rows.extend([
        ("overhead.total".to_owned(), number(overhead)),
        ("keys.count".to_owned(), number(memory.keys)),
        ("keys.bytes-per-key".to_owned(), number(dataset / memory.keys.max(1))),
        ("dataset.bytes".to_owned(), number(dataset)),
        ("dataset.percentage".to_owned(), share(dataset, total - memory.startup)),
        ("peak.percentage".to_owned(), share(total, peak)),
        ("allocator.resident".to_owned(), number(memory.resident)),
        ("fragmentation".to_owned(), Reply::Double(memory.resident as f64 / total.max(1) as f64)),
        ("fragmentation.bytes".to_owned(), number(memory.resident.saturating_sub(total))),
    ]);
    Ok(Reply::Map(rows.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect()))
}

/// How the memory of the process is used, bytes.
struct Memory {
    /// Keys and values, with their entries and databases: what `maxmemory` limits.
    data: u64,
    /// The part of `data` that databases without keys take.
    empty: u64,
    /// The highest value of `data` so far.
    data_peak: u64,
    keys: u64,
    /// The databases that hold keys.
    databases: Vec<(DatabaseId, Overhead)>,
    /// The process before it had data.
    startup: u64,
    clients: u64,
    log_cache: u64,
    resident: u64,
}

impl Memory {
    fn of(context: &NodeContext<'_>) -> Self {
        let process = &context.node.telemetry.process;
        let clients = context.node.clients.matching(&ClientFilter::default());
        let buffers = clients.iter().map(|client| {
            let load = client.load();
            load.input_bytes + load.input_free_bytes + load.queued_bytes + load.output_bytes
        });
        let keyspace = context.node.storage.keyspace().read();
        let filled = || keyspace.databases().filter(|(_, database)| !database.is_empty());
        let data = keyspace.memory_bytes() as u64;
        Self {
            data,
            empty: keyspace.own_bytes() as u64,
            data_peak: process.note_used_memory(data),
            keys: filled().map(|(_, database)| database.len() as u64).sum(),
            databases: filled().map(|(id, database)| (id, database.overhead())).collect(),
            startup: process.startup_memory,
            clients: buffers.sum::<usize>() as u64,
            log_cache: context.node.cluster.status().log_cache_bytes,
            resident: process.memory().resident,
        }
    }

    fn sum(&self, part: impl Fn(&Overhead) -> usize) -> u64 {
        self.databases.iter().map(|(_, overhead)| part(overhead) as u64).sum()
    }

    /// Everything except keys and values.
    fn overhead(&self) -> u64 {
        let own = self.startup + self.empty + self.clients + self.log_cache;
        own + self.sum(|part| part.entry_bytes + part.page_bytes + part.deadline_bytes)
    }

    /// The sum of everything known. Entries and databases are already part of the data.
    fn total(&self) -> u64 {
        self.data + self.overhead() - self.empty - self.sum(|part| part.entry_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseId;
    use crate::commands::testing::TestNode;
    use crate::data::keyspace::Object;
    use crate::data::types::{StringValue, Value};
    use crate::resp::Reply;

    fn number(node: &TestNode, name: &str) -> i64 {
        let Reply::Map(rows) = node.run(["MEMORY", "STATS"]) else { return -1 };
        let found = rows.into_iter().find(|(field, _)| *field == Reply::bulk(name));
        match found {
            Some((_, Reply::Integer(number))) => number,
            _ => -1,
        }
    }

    #[test]
    fn the_parts_of_the_memory_add_up_and_grow_with_the_data() {
        let node = TestNode::new();
        assert_eq!(number(&node, "keys.count"), 0);
        assert_eq!(number(&node, "dataset.bytes"), 0);
        assert!(number(&node, "startup.allocated") > 0);
        let before = number(&node, "overhead.total");
        let object = || Object::new(Value::String(StringValue::new(b"value")), Some(1), 1);
        for number in 0..100 {
            let mut keyspace = node.keyspace.write();
            keyspace.database_mut(DatabaseId(0)).insert(format!("key:{number}"), object());
        }
        assert_eq!(number(&node, "keys.count"), 100);
        assert!(number(&node, "overhead.total") > before);
        assert!(number(&node, "dataset.bytes") > 0);
        let parts = number(&node, "overhead.total") + number(&node, "dataset.bytes");
        assert_eq!(number(&node, "total.allocated"), parts);
        assert!(number(&node, "peak.allocated") >= parts);
    }
}
