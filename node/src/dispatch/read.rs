//! Reads: many under one lock, answered only once the group has confirmed that they are not stale.

use bytes::BytesMut;
use parking_lot::RwLockReadGuard;
use tokio::time::Instant;

use super::account::Timing;
use super::call::Call;
use super::dispatcher::Dispatcher;
use super::pending::{Part, ReplySource};
use super::store::Store;
use crate::base::group_time::GroupTime;
use crate::base::ids::DatabaseId;
use crate::base::limits::READ_COST_UNDER_LOCK_MAX;
use crate::base::telemetry::Stat;
use crate::commands::declare::Run;
use crate::commands::run::ReadContext;
use crate::commands::run::read_cost::read_cost;
use crate::data::keyspace::Keyspace;
use crate::resp::{Reply, ReplyError};

/// Writers get the lock between this many reads.
const READS_PER_LOCK: usize = 64;

/// The database and the time of a read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadAt {
    pub(super) database: DatabaseId,
    pub(super) now_ms: u64,
    /// Whether it counts as a use of its keys.
    pub(super) touches: bool,
}

/// Whether a read examines so much that writers must not wait for it. It then runs on a snapshot,
/// so the command stays atomic.
pub(super) fn is_long(keyspace: &Keyspace, call: Call<'_>, database: DatabaseId) -> bool {
    read_cost(call.found.command, call.argv, keyspace, database) > READ_COST_UNDER_LOCK_MAX
}

impl<S: Store> Dispatcher<S> {
    /// Appends the replies of a part without writes.
    pub(super) async fn run_reads(&self, part: Part<'_>, out: &mut BytesMut) {
        let start = out.len();
        let outcome = self
            .confirmed(part.is_stale(), |time| {
                out.truncate(start);
                self.read_all(part, time, out);
            })
            .await;
        if let Err(error) = outcome {
            out.truncate(start);
            self.refuse(part, &error, out);
        }
    }

    /// Calls `read` with the time of the read until its result may be sent: at most twice.
    pub(super) async fn confirmed<T>(
        &self,
        stale: bool,
        mut read: impl FnMut(GroupTime) -> T,
    ) -> Result<T, ReplyError> {
        if stale {
            self.store.stale_read_allowed()?;
            return self.unless_replaced(self.store.stale_time(), read);
        }
        if self.store.may_read_now() {
            self.store.catch_up().await?;
            let time = self.store.leader_time();
            let value = read(time);
            // Checked again after reading: the lease may have ended during a pause between the
            // first check and the read. The first check only avoids a useless read.
            if self.store.may_read_now() {
                self.store.note_read(time);
                self.metrics.add(Stat::LeaseReads, 1);
                return Ok(value);
            }
        }
        self.metrics.add(Stat::ReadBarriers, 1);
        let time = self.store.read_barrier().await?;
        self.unless_replaced(time, read)
    }

    /// Calls `read`; its result counts only if no snapshot replaced the keys meanwhile.
    fn unless_replaced<T>(
        &self,
        time: GroupTime,
        mut read: impl FnMut(GroupTime) -> T,
    ) -> Result<T, ReplyError> {
        let before = self.store.loads();
        let value = read(time);
        if before.is_multiple_of(2) && self.store.loads() == before {
            return Ok(value);
        }
        Err(ReplyError::new("LOADING this node installs a snapshot, retry here or on another node"))
    }

    /// The time of a read that holds the lock of the keyspace: not before any entry that it sees.
    pub(super) fn time_under_lock(&self, time: GroupTime) -> GroupTime {
        time.max(self.store.applied_time())
    }

    /// Runs one read command.
    pub(super) fn read_one(&self, keyspace: &Keyspace, call: Call<'_>, at: ReadAt) -> Reply {
        let Run::Read(function) = call.run() else { return Reply::Nothing };
        let seed = self.random.borrow_mut().next();
        let context = ReadContext::new(keyspace, at.database, at.now_ms, seed);
        let context = if at.touches { context } else { context.without_touch() };
        let reply = function(&context, call.args()).unwrap_or_else(Reply::Error);
        let lookups = context.lookups();
        self.metrics.add(Stat::KeyspaceHits, lookups.hits);
        self.metrics.add(Stat::KeyspaceMisses, lookups.misses);
        reply
    }

    fn read_all(&self, part: Part<'_>, time: GroupTime, out: &mut BytesMut) {
        let mut before = Instant::now();
        let mut keyspace = self.store.keyspace().read();
        let mut now = self.time_under_lock(time);
        for (position, pending) in part.replies.iter().enumerate() {
            let context = pending.context;
            match &pending.source {
                ReplySource::Ready(reply) => context.encode(reply, out),
                ReplySource::Command { found, index } => {
                    let call = part.call(*found, *index);
                    let (database, touches) = (context.database, context.touches);
                    let at = ReadAt { database, now_ms: now.ms(), touches };
                    let mut run = |keyspace: &Keyspace| {
                        let reply = self.read_one(keyspace, call, at);
                        context.encode(&reply, out);
                        reply
                    };
                    let reply = if is_long(&keyspace, call, database) {
                        let snapshot = keyspace.clone();
                        let reply = RwLockReadGuard::unlocked(&mut keyspace, || {
                            let reply = run(&snapshot);
                            drop(snapshot);
                            reply
                        });
                        now = self.time_under_lock(now);
                        reply
                    } else {
                        run(&keyspace)
                    };
                    let after = Instant::now();
                    let timing = Timing::without_wait(after - before);
                    self.record(part.client, call, timing, &reply);
                    before = after;
                }
            }
            if position % READS_PER_LOCK == READS_PER_LOCK - 1 {
                RwLockReadGuard::bump(&mut keyspace);
                now = self.time_under_lock(now);
            }
        }
    }
}
