//! The only executor: executes a unit of a request on a keyspace. It is deterministic: the result
//! depends only on the unit, the entry that contains it, and the keyspace before it.

use super::context::{Random, WriteContext};
use super::request::{Call, Unit, Watch};
use crate::base::feature_level::FeatureLevel;
use crate::base::seeded::{Bug, seeded};
use crate::commands::args::Args;
use crate::commands::declare::Run;
use crate::data::keyspace::{Event, Keyspace};
use crate::resp::{Reply, ReplyError};

/// The fixed inputs of one log entry.
#[derive(Debug)]
pub struct EntryContext {
    /// The log index of the entry.
    pub index: u64,
    /// The time of the entry, Unix milliseconds.
    pub now_ms: u64,
    /// The feature level at which the cluster executes the entry.
    pub feature_level: FeatureLevel,
    seed: u64,
    calls: u64,
}

impl EntryContext {
    /// An entry whose commands may use all that this version understands.
    pub const fn new(index: u64, now_ms: u64, seed: u64) -> Self {
        Self { index, now_ms, feature_level: FeatureLevel::HIGHEST, seed, calls: 0 }
    }

    /// The same in a cluster that runs at this feature level.
    pub const fn at_level(self, feature_level: FeatureLevel) -> Self {
        Self { feature_level, ..self }
    }

    /// Every call of an entry gets its own seed.
    fn next_seed(&mut self) -> u64 {
        self.calls += 1;
        Random::new(self.seed ^ self.calls.rotate_left(32)).next()
    }
}

/// Executes a unit and appends its events. Calls `executed` after each command.
pub fn execute(
    unit: &Unit,
    keyspace: &mut Keyspace,
    entry: &mut EntryContext,
    events: &mut Vec<Event>,
    mut executed: impl FnMut(),
) -> Reply {
    if let Unit::Transaction { watches, .. } = unit {
        let broken = |watch: &Watch| is_broken(watch, keyspace, entry.now_ms);
        if watches.iter().any(broken) && !seeded(Bug::WatchIgnored) {
            return Reply::NullArray;
        }
    }
    let mut execute = |call| {
        let reply = execute_call(call, keyspace, entry, events);
        executed();
        reply
    };
    match unit {
        Unit::Call(call) => execute(call),
        Unit::Transaction { calls, .. } => Reply::Array(calls.iter().map(execute).collect()),
    }
}

/// Executes one command and appends its events.
pub fn execute_call(
    call: &Call,
    keyspace: &mut Keyspace,
    entry: &mut EntryContext,
    events: &mut Vec<Event>,
) -> Reply {
    let seed = entry.next_seed();
    let mut context =
        WriteContext::new(keyspace, call.database, entry.now_ms, entry.index, seed, events)
            .at_level(entry.feature_level);
    let args = Args::new(&call.args);
    let result = match call.command.run {
        Run::Write(function) => function(&mut context, args),
        Run::Read(function) => function(&context.read(), args),
        // Dispatch never sends these. The only requirement is that every replica returns the same.
        _ => Err(ReplyError::new("ERR command cannot be part of a replicated request")),
    };
    result.unwrap_or_else(Reply::Error)
}

/// Whether a watched key has changed since it was watched.
pub fn is_broken(watch: &Watch, keyspace: &Keyspace, now_ms: u64) -> bool {
    let database = keyspace.database(watch.database);
    database.changed_since(&watch.key, watch.index, watch.existed, now_ms)
}
