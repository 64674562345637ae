//! One entry of the log becomes changes of the keyspace and replies. Deterministic: nothing counts
//! but the entry, its index, and the state before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLockWriteGuard;
use tokio::time::Instant;

use super::progress::Applied;
use super::replicated_state::ReplicatedState;
use crate::base::clock::{Clock, SystemClock};
use crate::base::feature_level::{FeatureLevel, UnknownLevel};
use crate::base::ids::{DatabaseId, NodeId};
use crate::base::limits::{DATABASES, EXPIRE_BATCH_KEYS, REMOVAL_BATCH_BYTES, UNITS_PER_LOCK};
use crate::base::seeded::{Bug, seeded};
use crate::base::telemetry::{Stat, ThreadMetrics};
use crate::commands::Executed;
use crate::commands::request::{DecodeError, decode_units};
use crate::commands::run::execute::{EntryContext, execute};
use crate::consensus::proposal::entry::{EntryError, GroupEntry, Item};
use crate::consensus::proposal::pieces::{Added, Assembly};
use crate::consensus::storage::recover::checksum_of;
use crate::data::keyspace::{Event, EventClass, KeyspaceLock, Settings};
use crate::data::meta::SkippedEntry;

/// What one item of an entry answers to whoever proposed it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ItemOutcome {
    /// Of a request.
    Executed(Executed),
    /// The reserved node id.
    NodeId(NodeId),
    /// Nothing to say.
    Done,
    /// The incarnation of a member is another one now.
    Registered,
    /// Refused, the same way on every replica.
    Refused(String),
    /// A piece of a request of which others are missing: nothing was executed.
    OutOfPlace,
}

/// An entry this program cannot execute. Going on would make this replica differ from the others,
/// so the process stops. The feature level keeps such entries out of the log: this is for a program
/// that was replaced by an older one after the level had risen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error("log entry {index} cannot be executed by this version: {source}")]
    Entry { index: u64, source: EntryError },
    #[error("log entry {index} cannot be executed by this version: {source}")]
    Request { index: u64, source: DecodeError },
    #[error("log entry {index}: {source}")]
    Level { index: u64, source: UnknownLevel },
    #[error(
        "log entry {index} has checksum {found:016x}, and the one to be skipped has \
         {expected:016x}: `ironkv recover skip-entry` named another entry"
    )]
    OtherEntry { index: u64, found: u64, expected: u64 },
}

/// Told on every node what each entry changed, right after it was applied: keyspace notifications,
/// client tracking, waiting clients. Called on the apply thread, so it must be quick.
pub trait ApplyObserver: Send + Sync + 'static {
    /// `events` in the order they happened.
    fn applied(&self, index: u64, events: &[Event]);
}

/// Executes entries on the apply thread.
pub(crate) struct Applier {
    pub(crate) keyspace: Arc<KeyspaceLock>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) observer: Option<Arc<dyn ApplyObserver>>,
    /// Of the apply thread.
    counters: Arc<ThreadMetrics>,
    events: Vec<Event>,
    /// Checksums of entries that are not executed, by index.
    skipped: BTreeMap<u64, u64>,
    /// A request of which not all pieces are applied, and the term of those that are. In no
    /// checkpoint: none is begun before the request is whole or given up.
    unfinished: Option<Assembly>,
    term: u64,
}

impl Applier {
    pub(crate) const fn new(
        keyspace: Arc<KeyspaceLock>,
        applied: Arc<Applied>,
        observer: Option<Arc<dyn ApplyObserver>>,
        counters: Arc<ThreadMetrics>,
    ) -> Self {
        Self {
            keyspace,
            applied,
            observer,
            counters,
            events: Vec::new(),
            skipped: BTreeMap::new(),
            unfinished: None,
            term: 0,
        }
    }

    /// Does not execute these entries, see `recover.rs`.
    pub(crate) fn skipping(self, entries: &[SkippedEntry]) -> Self {
        let skipped = entries.iter().map(|entry| (entry.index, entry.checksum)).collect();
        Self { skipped, ..self }
    }

    /// Whether the entry is one to be skipped: its bytes must be those that were named.
    fn skips(&self, index: u64, bytes: &[u8]) -> Result<bool, ApplyError> {
        let Some(expected) = self.skipped.get(&index).copied() else { return Ok(false) };
        let found = checksum_of(bytes);
        if found != expected {
            return Err(ApplyError::OtherEntry { index, found, expected });
        }
        tracing::error!(index, "an entry is skipped, as `ironkv recover skip-entry` asked for");
        Ok(true)
    }

    /// The next entry is of this term. A leader of another one finishes no request that it has not
    /// begun.
    pub(crate) fn enter_term(&mut self, term: u64) {
        if term != self.term {
            self.term = term;
            self.unfinished = None;
        }
    }

    /// Whether some pieces of a request are applied and some are not.
    pub(crate) const fn has_unfinished(&self) -> bool {
        self.unfinished.is_some()
    }

    /// The state is another one, and nothing is unfinished there.
    pub(crate) fn forget_unfinished(&mut self) {
        self.unfinished = None;
    }

    /// One outcome per item of the entry.
    pub(crate) fn apply(
        &mut self,
        index: u64,
        bytes: &Bytes,
        state: &mut ReplicatedState,
    ) -> Result<Vec<ItemOutcome>, ApplyError> {
        self.applied.begin(index);
        if self.skips(index, bytes)? {
            self.unfinished = None;
            return Ok(Vec::new());
        }
        let entry =
            GroupEntry::decode(bytes).map_err(|source| ApplyError::Entry { index, source })?;
        // Leaders follow each other with different clocks; time in the log never goes back.
        state.time_ms = state.time_ms.max(entry.now_ms);
        self.applied.advance_time(state.time());
        let local = seeded(Bug::TtlLocalClock);
        let now_ms = if local { SystemClock.unix_ms() } else { state.time_ms };
        // Every process would draw its own numbers.
        let own = if seeded(Bug::DivergeSilently) { u64::from(std::process::id()) } else { 0 };
        let seed = entry.seed ^ own;
        let mut moment = EntryContext::new(index, now_ms, seed).at_level(state.feature_level);
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
        moment: &mut EntryContext,
        state: &mut ReplicatedState,
    ) -> Result<ItemOutcome, ApplyError> {
        Ok(match item {
            Item::Request(bytes) => ItemOutcome::Executed(self.apply_request(&bytes, moment)?),
            Item::Piece(piece) => match Assembly::add(&mut self.unfinished, &piece) {
                Added::Part => ItemOutcome::Done,
                Added::Whole(bytes) => ItemOutcome::Executed(self.apply_request(&bytes, moment)?),
                Added::OutOfPlace => ItemOutcome::OutOfPlace,
            },
            Item::Expire { database, keys } => {
                self.expire(database, &keys, moment);
                ItemOutcome::Done
            }
            Item::Evict { database, keys } => {
                self.evict(database, &keys, moment);
                ItemOutcome::Done
            }
            Item::SetParameter { name, value } => {
                self.set_parameters(&[(name, value)], state.feature_level)
            }
            Item::SetParameters(parameters) => {
                self.set_parameters(&parameters, state.feature_level)
            }
            Item::AllocateNode => ItemOutcome::NodeId(state.allocate_node()),
            Item::NameCluster(name) => match state.name_cluster(&name) {
                Ok(()) => ItemOutcome::Done,
                Err(reason) => ItemOutcome::Refused(reason),
            },
            Item::RaiseLevel(level) => {
                if !level.is_known() {
                    let (index, source) = (moment.index, UnknownLevel(level));
                    return Err(ApplyError::Level { index, source });
                }
                state.raise_level(level);
                moment.feature_level = state.feature_level;
                ItemOutcome::Done
            }
            Item::ResetTime(to_ms) => self.reset_time(to_ms, moment, state),
            Item::Register { node, incarnation, replaces } => {
                match state.register(node, incarnation, replaces, moment.index) {
                    Ok(()) => ItemOutcome::Registered,
                    Err(reason) => ItemOutcome::Refused(reason),
                }
            }
        })
    }

    /// Keys that are expired stay gone: whatever deadline has passed by the time before is deleted
    /// first.
    fn reset_time(
        &mut self,
        to_ms: u64,
        moment: &mut EntryContext,
        state: &mut ReplicatedState,
    ) -> ItemOutcome {
        let mut after = state.clone();
        if let Err(reason) = after.reset_time(to_ms) {
            return ItemOutcome::Refused(reason);
        }
        for database in (0..DATABASES).map(DatabaseId) {
            loop {
                let due = self.keyspace.read().database(database).due(
                    moment.now_ms,
                    EXPIRE_BATCH_KEYS,
                    REMOVAL_BATCH_BYTES,
                );
                if due.keys.is_empty() {
                    break;
                }
                self.expire(database, &due.keys, moment);
            }
        }
        let (was_ms, now_ms) = (state.time_ms, to_ms);
        tracing::warn!(was_ms, now_ms, "the cluster's time is set back, as was asked for");
        *state = after;
        moment.now_ms = to_ms;
        self.applied.advance_time(state.time());
        ItemOutcome::Done
    }

    /// All of them or none. The same on every replica, whichever version executes it: what a
    /// parameter takes belongs to the level in force, and one that needs a higher level is unknown,
    /// as it is to the programs that do not have it.
    fn set_parameters(&self, parameters: &[(String, Bytes)], level: FeatureLevel) -> ItemOutcome {
        let mut keyspace = self.keyspace.write();
        let mut changed = keyspace.settings.clone();
        for (name, value) in parameters {
            let set = if Settings::needs_level(name) > level {
                Err(Settings::unknown(name))
            } else {
                changed.set(name, value)
            };
            if let Err(reason) = set {
                return ItemOutcome::Refused(reason.0.into_owned());
            }
        }
        keyspace.settings = changed;
        ItemOutcome::Done
    }

    fn apply_request(
        &mut self,
        bytes: &Bytes,
        moment: &mut EntryContext,
    ) -> Result<Executed, ApplyError> {
        let index = moment.index;
        let damaged = |source| ApplyError::Request { index, source };
        let mut replies = Vec::new();
        let mut keyspace = self.keyspace.write();
        let mut times = Times::begin();
        for (count, unit) in decode_units(bytes).map_err(damaged)?.enumerate() {
            // Readers get in between, but never inside one unit.
            if count % UNITS_PER_LOCK == UNITS_PER_LOCK - 1 {
                RwLockWriteGuard::bump(&mut keyspace);
                times.skip();
            }
            let unit = unit.map_err(damaged)?;
            let reply = execute(&unit, &mut keyspace, moment, &mut self.events, || times.note());
            replies.push(reply);
        }
        Ok(Executed { replies, index, times_us: times.all })
    }

    /// Deletes what is expired at the entry's time; a key that got a new deadline meanwhile stays.
    fn expire(&mut self, database: DatabaseId, keys: &[Bytes], moment: &EntryContext) {
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

    fn evict(&mut self, database: DatabaseId, keys: &[Bytes], moment: &EntryContext) {
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

/// For how long each command runs.
struct Times {
    since: Instant,
    /// Microseconds.
    all: Vec<u32>,
}

impl Times {
    fn begin() -> Self {
        Self { since: Instant::now(), all: Vec::new() }
    }

    /// A command has ended.
    fn note(&mut self) {
        let now = Instant::now();
        let elapsed = now - std::mem::replace(&mut self.since, now);
        self.all.push(u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX));
    }

    /// What has passed since the last command was no command.
    fn skip(&mut self) {
        self.since = Instant::now();
    }
}

fn event(class: EventClass, name: &'static str, database: DatabaseId, key: &Bytes) -> Event {
    Event { class, name, database, key: Bytes::copy_from_slice(key) }
}
