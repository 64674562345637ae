//! Reads: many under one lock, answered only once the group has confirmed that they are not stale.

use bytes::{Bytes, BytesMut};
use parking_lot::RwLockReadGuard;
use tokio::time::Instant;

use super::pending::{Mode, Slot, all_stale};
use super::{Dispatcher, Store};
use crate::base::ids::DatabaseId;
use crate::base::telemetry::Stat;
use crate::commands::args::Args;
use crate::commands::command::Run;
use crate::commands::context::ReadContext;
use crate::commands::table::Resolved;
use crate::data::keyspace::Keyspace;
use crate::resp::{Batch, Reply, ReplyError};
use crate::services::sessions::Client;

/// Writers get in between this many reads.
const READS_PER_LOCK: usize = 64;

/// Where and when a read happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) database: DatabaseId,
    pub(super) now_ms: u64,
    /// Whether it counts as a use of its keys.
    pub(super) touches: bool,
}

impl<S: Store> Dispatcher<S> {
    /// Appends the replies of `slots`, which hold no write.
    pub(super) async fn run_reads(
        &self,
        client: &Client,
        slots: &[(Slot, Mode)],
        batch: &Batch,
        out: &mut BytesMut,
    ) {
        let start = out.len();
        let outcome = self
            .confirmed(all_stale(slots), || {
                out.truncate(start);
                self.read_all(client, slots, batch, out);
            })
            .await;
        if let Err(error) = outcome {
            out.truncate(start);
            self.refuse_all(slots, &error, out);
        }
    }

    /// Calls `read` until what it has read may be answered: at most twice.
    pub(super) async fn confirmed<T>(
        &self,
        stale: bool,
        mut read: impl FnMut() -> T,
    ) -> Result<T, ReplyError> {
        if stale {
            self.store.stale_read_allowed()?;
            return Ok(read());
        }
        if self.store.may_read_now() {
            let value = read();
            // Asked again after reading: a pause between the two cannot make a stale value look
            // fresh. The first question only saves reading in vain.
            if self.store.may_read_now() {
                self.metrics.add(Stat::LeaseReads, 1);
                return Ok(value);
            }
        }
        self.metrics.add(Stat::ReadBarriers, 1);
        self.store.read_barrier().await?;
        Ok(read())
    }

    /// One read command.
    pub(super) fn read_one(
        &self,
        keyspace: &Keyspace,
        (found, words): (Resolved, &[Bytes]),
        place: Place,
    ) -> Reply {
        let Run::Read(function) = found.command.run else { return Reply::Nothing };
        let seed = self.random.borrow_mut().next();
        let context = ReadContext::new(keyspace, place.database, place.now_ms, seed);
        let context = if place.touches { context } else { context.without_touch() };
        let args = Args::new(&words[found.words()..]);
        let reply = function(&context, args).unwrap_or_else(Reply::Error);
        let lookups = context.lookups();
        self.metrics.add(Stat::KeyspaceHits, lookups.hits);
        self.metrics.add(Stat::KeyspaceMisses, lookups.misses);
        reply
    }

    fn read_all(&self, client: &Client, slots: &[(Slot, Mode)], batch: &Batch, out: &mut BytesMut) {
        let now_ms = self.store.read_time_ms();
        let mut before = Instant::now();
        let mut keyspace = self.store.keyspace().read();
        for (position, (slot, mode)) in slots.iter().enumerate() {
            match slot {
                Slot::Answer(reply) => mode.encode(reply, out),
                Slot::Data { found, index } => {
                    let words = batch.command(*index);
                    let place = Place { database: mode.database, now_ms, touches: mode.touches };
                    let reply = self.read_one(&keyspace, (*found, words), place);
                    mode.encode(&reply, out);
                    let now = Instant::now();
                    self.count(client, (*found, words), now - before, &reply);
                    before = now;
                }
            }
            if position % READS_PER_LOCK == READS_PER_LOCK - 1 {
                RwLockReadGuard::bump(&mut keyspace);
            }
        }
    }

    fn refuse_all(&self, slots: &[(Slot, Mode)], error: &ReplyError, out: &mut BytesMut) {
        for (slot, mode) in slots {
            match slot {
                Slot::Answer(reply) => mode.encode(reply, out),
                Slot::Data { found, .. } => {
                    self.count_refused(Some(*found), error);
                    mode.encode(&Reply::Error(error.clone()), out);
                }
            }
        }
    }
}
