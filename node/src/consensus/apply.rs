//! One entry of the log becomes changes of the keyspace and replies. Deterministic: nothing counts
//! but the entry, its index, and the state before it.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{RwLock, RwLockWriteGuard};

use super::applied::Applied;
use super::entry::{EntryError, GroupEntry, Item};
use super::replicated::ReplicatedState;
use crate::base::clock::{Clock, SystemClock};
use crate::base::ids::{DatabaseId, NodeId};
use crate::base::limits::UNITS_PER_LOCK;
use crate::base::planted::{Bug, planted};
use crate::base::telemetry::{Stat, ThreadMetrics};
use crate::commands::args::Args;
use crate::commands::command::Run;
use crate::commands::context::{Random, WriteContext};
use crate::commands::request::{Call, DecodeError, Unit, Watch, decode_units};
use crate::data::keyspace::{Event, EventClass, Keyspace};
use crate::resp::{Reply, ReplyError};

/// What one item of an entry answers to whoever proposed it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ItemOutcome {
    /// One reply per unit of a request.
    Replies(Vec<Reply>),
    /// The reserved node id.
    NodeId(NodeId),
    /// Nothing to say.
    Done,
    /// Refused, the same way on every replica.
    Refused(String),
}

/// An entry this program cannot execute. Going on would make this replica differ from the others,
/// so the process stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error("log entry {index} cannot be executed by this version: {source}")]
    Entry { index: u64, source: EntryError },
    #[error("log entry {index} cannot be executed by this version: {source}")]
    Request { index: u64, source: DecodeError },
}

/// Told on every node what each entry changed, right after it was applied: keyspace notifications,
/// client tracking, waiting clients. Called on the apply thread, so it must be quick.
pub trait ApplyObserver: Send + Sync + 'static {
    /// `events` in the order they happened.
    fn applied(&self, index: u64, events: &[Event]);
}

/// Executes entries on the apply thread.
pub(crate) struct Applier {
    pub(crate) keyspace: Arc<RwLock<Keyspace>>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) observer: Option<Arc<dyn ApplyObserver>>,
    /// Of the apply thread.
    counters: Arc<ThreadMetrics>,
    events: Vec<Event>,
}

/// The frozen inputs of one entry.
struct Moment {
    index: u64,
    now_ms: u64,
    seed: u64,
    /// Calls so far; every one gets a seed of its own.
    calls: u64,
}

impl Moment {
    fn next_seed(&mut self) -> u64 {
        self.calls += 1;
        Random::new(self.seed ^ self.calls.rotate_left(32)).next()
    }
}

impl Applier {
    pub(crate) const fn new(
        keyspace: Arc<RwLock<Keyspace>>,
        applied: Arc<Applied>,
        observer: Option<Arc<dyn ApplyObserver>>,
        counters: Arc<ThreadMetrics>,
    ) -> Self {
        Self { keyspace, applied, observer, counters, events: Vec::new() }
    }

    /// One outcome per item of the entry.
    pub(crate) fn apply(
        &mut self,
        index: u64,
        bytes: &Bytes,
        state: &mut ReplicatedState,
    ) -> Result<Vec<ItemOutcome>, ApplyError> {
        let entry =
            GroupEntry::decode(bytes).map_err(|source| ApplyError::Entry { index, source })?;
        // Leaders follow each other with different clocks; time in the log never goes back.
        state.time_ms = state.time_ms.max(entry.now_ms);
        self.applied.advance_time(state.time_ms);
        let local = planted(Bug::TtlLocalClock);
        let now_ms = if local { SystemClock.unix_ms() } else { state.time_ms };
        let mut moment = Moment { index, now_ms, seed: entry.seed, calls: 0 };
        let mut outcomes = Vec::with_capacity(entry.items.len());
        for item in entry.items {
            outcomes.push(self.apply_item(item, &mut moment, state)?);
        }
        if let Some(observer) = &self.observer
            && !self.events.is_empty()
        {
            observer.applied(index, &self.events);
        }
        self.events.clear();
        Ok(outcomes)
    }

    fn apply_item(
        &mut self,
        item: Item,
        moment: &mut Moment,
        state: &mut ReplicatedState,
    ) -> Result<ItemOutcome, ApplyError> {
        Ok(match item {
            Item::Request(bytes) => ItemOutcome::Replies(self.apply_request(&bytes, moment)?),
            Item::Expire { database, keys } => {
                self.expire(database, &keys, moment);
                ItemOutcome::Done
            }
            Item::Evict { database, keys } => {
                self.evict(database, &keys, moment);
                ItemOutcome::Done
            }
            Item::SetParameter { name, value } => {
                match self.keyspace.write().settings.set(&name, &value) {
                    Ok(()) => ItemOutcome::Done,
                    Err(reason) => ItemOutcome::Refused(reason.0.into_owned()),
                }
            }
            Item::AllocateNode => ItemOutcome::NodeId(state.allocate_node()),
            Item::NameCluster(name) => match state.name_cluster(&name) {
                Ok(()) => ItemOutcome::Done,
                Err(reason) => ItemOutcome::Refused(reason),
            },
        })
    }

    fn apply_request(
        &mut self,
        bytes: &Bytes,
        moment: &mut Moment,
    ) -> Result<Vec<Reply>, ApplyError> {
        let index = moment.index;
        let damaged = |source| ApplyError::Request { index, source };
        let mut replies = Vec::new();
        let mut keyspace = self.keyspace.write();
        for (count, unit) in decode_units(bytes).map_err(damaged)?.enumerate() {
            // Readers get in between, but never inside one unit.
            if count % UNITS_PER_LOCK == UNITS_PER_LOCK - 1 {
                RwLockWriteGuard::bump(&mut keyspace);
            }
            let reply = match unit.map_err(damaged)? {
                Unit::Call(call) => run(&mut keyspace, &call, moment, &mut self.events),
                Unit::Transaction { watches, calls } => {
                    let broken = |watch: &Watch| is_broken(&keyspace, watch, moment.now_ms);
                    if watches.iter().any(broken) && !planted(Bug::WatchIgnored) {
                        Reply::NullArray
                    } else {
                        let run = |call| run(&mut keyspace, call, moment, &mut self.events);
                        Reply::Array(calls.iter().map(run).collect())
                    }
                }
            };
            replies.push(reply);
        }
        Ok(replies)
    }

    /// Deletes what is expired at the entry's time; a key that got a new deadline meanwhile stays.
    fn expire(&mut self, database: DatabaseId, keys: &[Bytes], moment: &Moment) {
        let mut keyspace = self.keyspace.write();
        let target = keyspace.database_mut(database);
        let mut expired = 0;
        for key in keys {
            if target.remove_expired(key, moment.now_ms, moment.index) {
                expired += 1;
                self.events.push(event(EventClass::Expired, "expired", database, key));
            }
        }
        self.counters.add(Stat::ExpiredKeys, expired);
    }

    fn evict(&mut self, database: DatabaseId, keys: &[Bytes], moment: &Moment) {
        let mut keyspace = self.keyspace.write();
        let target = keyspace.database_mut(database);
        let mut evicted = 0;
        for key in keys {
            if target.remove(key, moment.index).is_some() {
                evicted += 1;
                self.events.push(event(EventClass::Evicted, "evicted", database, key));
            }
        }
        self.counters.add(Stat::EvictedKeys, evicted);
    }
}

fn event(class: EventClass, name: &'static str, database: DatabaseId, key: &Bytes) -> Event {
    Event { class, name, database, key: Bytes::copy_from_slice(key) }
}

fn is_broken(keyspace: &Keyspace, watch: &Watch, now_ms: u64) -> bool {
    let database = keyspace.database(watch.database);
    database.changed_since(&watch.key, watch.index, watch.existed, now_ms)
}

fn run(
    keyspace: &mut Keyspace,
    call: &Call,
    moment: &mut Moment,
    events: &mut Vec<Event>,
) -> Reply {
    let seed = moment.next_seed();
    let mut context =
        WriteContext::new(keyspace, call.database, moment.now_ms, moment.index, seed, events);
    let result = match call.command.run {
        Run::Write(function) => function(&mut context, Args::new(&call.args)),
        Run::Read(function) => function(&context.read(), Args::new(&call.args)),
        // Dispatch never sends these; the same answer on every replica is what matters.
        _ => Err(ReplyError::new("ERR command cannot be part of a replicated request")),
    };
    result.unwrap_or_else(Reply::Error)
}
