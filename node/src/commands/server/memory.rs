//! MEMORY: how much keys and the process take.

use super::{at_once, container, help};
use crate::base::ids::DatabaseId;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::{NodeContext, ReadContext};
use crate::data::keyspace::Overhead;
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

/// Where the memory of the process goes, bytes.
struct Memory {
    /// Keys and values, with their entries and databases: what `maxmemory` bounds.
    data: u64,
    /// Of `data`, what databases take without any key.
    empty: u64,
    /// The most that `data` was found to be.
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
        let process = &context.node.telemetry().process;
        let clients = context.node.clients().matching(&ClientFilter::default());
        let buffers = clients.iter().map(|client| {
            let load = client.load();
            load.input_bytes + load.input_free_bytes + load.queued_bytes + load.output_bytes
        });
        let keyspace = context.node.keyspace().read();
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
            log_cache: context.node.status().log_cache_bytes,
            resident: process.memory().resident,
        }
    }

    fn sum(&self, part: impl Fn(&Overhead) -> usize) -> u64 {
        self.databases.iter().map(|(_, overhead)| part(overhead) as u64).sum()
    }

    /// All that is no key and no value.
    fn overhead(&self) -> u64 {
        let own = self.startup + self.empty + self.clients + self.log_cache;
        own + self.sum(|part| part.entry_bytes + part.page_bytes + part.deadline_bytes)
    }

    /// All that is known. Entries and databases are part of the data already.
    fn total(&self) -> u64 {
        self.data + self.overhead() - self.empty - self.sum(|part| part.entry_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseId;
    use crate::commands::testing_node::TestNode;
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
