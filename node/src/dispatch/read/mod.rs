//! Reads: many under one lock, answered only once the group has confirmed that they are not stale.

mod long;

pub use long::LongReads;
pub(super) use long::Turn;
use parking_lot::RwLockReadGuard;
use tokio::time::{Duration, Instant};

use super::account::Timing;
use super::call::Call;
use super::dispatcher::Dispatcher;
use super::output::{OUTPUT_PART_BYTES, Output};
use super::pending::{Part, PendingReply, ReplyContext, ReplySource};
use super::store::Store;
use crate::base::group_time::GroupTime;
use crate::base::ids::DatabaseId;
use crate::base::limits::{READ_COST_ON_CLIENT_THREAD_MAX, READ_COST_UNDER_LOCK_MAX};
use crate::base::telemetry::Stat;
use crate::commands::declare::Run;
use crate::commands::run::read_cost::read_cost;
use crate::commands::run::{Lookups, ReadContext};
use crate::data::keyspace::Keyspace;
use crate::resp::{Reply, ReplyError};
use crate::services::sessions::{Client, ClientFlag, Load};

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

/// Where a read runs. Everywhere it sees one moment, so it is atomic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Under the lock of the keys.
    Lock,
    /// On a snapshot, because writers must not wait for it.
    Snapshot,
    /// On a snapshot and on another thread, because other clients must not wait for it.
    OwnThread,
}

/// Where to run a read that examines so much.
pub(super) fn place_of(keyspace: &Keyspace, call: Call<'_>, database: DatabaseId) -> Place {
    let cost = read_cost(call.found.command, call.argv, keyspace, database);
    if cost <= READ_COST_UNDER_LOCK_MAX {
        Place::Lock
    } else if cost <= READ_COST_ON_CLIENT_THREAD_MAX {
        Place::Snapshot
    } else {
        Place::OwnThread
    }
}

impl<S: Store> Dispatcher<S> {
    /// Appends the replies of a part without writes, and sends them while they are made: no more
    /// than [`OUTPUT_PART_BYTES`] and one reply are held at a time.
    pub(super) async fn run_reads(&self, mut part: Part<'_>, out: &mut Output) {
        let mut turn = None;
        while let Some((first, rest)) = part.replies.split_first() {
            if let ReplySource::Ready(reply) = &first.source {
                self.answer(part.client, first.context, reply, out);
                part = part.with(rest);
            } else if out.has_overflowed() || part.client.is_killed() {
                return;
            } else {
                part = self.run_some_reads(part, &mut turn, out).await;
            }
            out.send_if_large().await;
        }
    }

    /// Answers at least one command, or takes the turn for it. Returns what is left of the part.
    async fn run_some_reads<'a>(
        &self,
        part: Part<'a>,
        turn: &mut Option<Turn>,
        out: &mut Output,
    ) -> Part<'a> {
        let mark = out.mark();
        let outcome = self
            .confirmed(part.is_stale(), |time| {
                out.rewind(mark);
                self.read_some(part, time, out)
            })
            .await;
        let (done, then) = match outcome {
            Ok(step) => step,
            Err(error) => {
                out.rewind(mark);
                self.refuse(part, &error, out).await;
                return part.with(&[]);
            }
        };
        let (done, left) = part.replies.split_at(done);
        let own_turn = turn.take();
        match (then, left.split_first()) {
            (Then::Answer(reply), Some((command, left))) => {
                self.answer(part.client, command.context, &reply, out);
                part.with(left)
            }
            (Then::Read(snapshot, at), Some((command, left))) if done.is_empty() => {
                let Some(own_turn) = own_turn else {
                    drop(snapshot);
                    *turn = Some(self.turn(part.client).await);
                    return part;
                };
                let reply = self.read_long(part, command, (snapshot, at), own_turn).await;
                self.answer(part.client, command.context, &reply, out);
                part.with(left)
            }
            _ => part.with(left),
        }
    }

    /// Runs a command on the snapshot that was taken for it.
    async fn read_long(
        &self,
        part: Part<'_>,
        command: &PendingReply,
        (snapshot, at): (Box<Keyspace>, ReadAt),
        turn: Turn,
    ) -> Reply {
        let ReplySource::Command { found, index } = command.source else { return Reply::Nothing };
        let (call, seed) = (part.call(found, index), self.seed());
        let argv = call.argv.to_vec();
        let work = move || read_timed(&snapshot, Call { found, argv: &argv }, at, seed);
        let done = self.run_long(part.client, turn, work).await;
        let Some(read) = done else { return ReplyError::READ_FAILED.into() };
        self.note_reading(part.client, call, read)
    }

    /// Waits until a long read may run. Its client counts as blocked, so that the wait ends when
    /// the client leaves.
    pub(super) async fn turn(&self, client: &Client) -> Turn {
        let _blocked = Blocked::new(client);
        LongReads::turn(self.long_reads.as_ref()).await
    }

    /// Runs a long read in its turn.
    pub(super) async fn run_long<T: Send + 'static>(
        &self,
        client: &Client,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _blocked = Blocked::new(client);
        turn.run(work).await
    }

    /// Appends one reply. A large one counts as memory of its client before it is encoded.
    pub(super) fn answer(
        &self,
        client: &Client,
        context: ReplyContext,
        reply: &Reply,
        out: &mut Output,
    ) {
        let size = reply.encoded_bytes_max();
        if size > OUTPUT_PART_BYTES {
            let load = Load { output_bytes: out.len().saturating_add(size), ..client.load() };
            if self.node.clients.publish(client, load) {
                self.node.bound_clients_memory();
            }
        }
        // After a reply that is missing, no other one may take its place.
        if client.is_killed() {
            return;
        }
        context.encode(reply, size, out);
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

    pub(super) fn seed(&self) -> u64 {
        self.random.borrow_mut().next()
    }

    /// Records a command that has read.
    pub(super) fn note_reading(&self, client: &Client, call: Call<'_>, read: Reading) -> Reply {
        self.metrics.add(Stat::KeyspaceHits, read.lookups.hits);
        self.metrics.add(Stat::KeyspaceMisses, read.lookups.misses);
        self.record(client, call, Timing::without_wait(read.elapsed), &read.reply);
        read.reply
    }

    /// Appends replies to commands at the beginning of a part until there are many. Returns their
    /// number and what is to be done for the command after them.
    fn read_some(&self, part: Part<'_>, time: GroupTime, out: &mut Output) -> (usize, Then) {
        let mut keyspace = self.store.keyspace().read();
        let mut now = self.time_under_lock(time);
        for (position, pending) in part.replies.iter().enumerate() {
            if out.is_large() {
                return (position, Then::Next);
            }
            let context = pending.context;
            let (found, index) = match &pending.source {
                ReplySource::Ready(reply) => {
                    let size = reply.encoded_bytes_max();
                    if size > OUTPUT_PART_BYTES {
                        return (position, Then::Next);
                    }
                    context.encode(reply, size, out);
                    continue;
                }
                ReplySource::Command { found, index } => (*found, *index),
            };
            let call = part.call(found, index);
            let (database, touches) = (context.database, context.touches);
            let at = ReadAt { database, now_ms: now.ms(), touches };
            let seed = self.seed();
            let read = match place_of(&keyspace, call, database) {
                Place::Lock => read_timed(&keyspace, call, at, seed),
                Place::Snapshot => {
                    let snapshot = keyspace.clone();
                    let read = RwLockReadGuard::unlocked(&mut keyspace, || {
                        let read = read_timed(&snapshot, call, at, seed);
                        drop(snapshot);
                        read
                    });
                    now = self.time_under_lock(now);
                    read
                }
                Place::OwnThread => {
                    return (position, Then::Read(Box::new(keyspace.clone()), at));
                }
            };
            let reply = self.note_reading(part.client, call, read);
            let size = reply.encoded_bytes_max();
            if size > OUTPUT_PART_BYTES {
                return (position, Then::Answer(reply));
            }
            context.encode(&reply, size, out);
            if position % READS_PER_LOCK == READS_PER_LOCK - 1 {
                RwLockReadGuard::bump(&mut keyspace);
                now = self.time_under_lock(now);
            }
        }
        (part.replies.len(), Then::Next)
    }
}

/// What is to be done for the first command that has no reply yet.
enum Then {
    /// The same as for those before it.
    Next,
    /// The reply is large, so it is encoded without the lock.
    Answer(Reply),
    /// It takes long, so it runs on its own thread.
    Read(Box<Keyspace>, ReadAt),
}

/// What a command has read, and how long it took.
pub(super) struct Reading {
    pub(super) reply: Reply,
    lookups: Lookups,
    elapsed: Duration,
}

/// Runs one read command.
pub(super) fn read_timed(keyspace: &Keyspace, call: Call<'_>, at: ReadAt, seed: u64) -> Reading {
    let start = Instant::now();
    let context = ReadContext::new(keyspace, at.database, at.now_ms, seed);
    let context = if at.touches { context } else { context.without_touch() };
    let reply = match call.run() {
        Run::Read(function) => function(&context, call.args()).unwrap_or_else(Reply::Error),
        _ => Reply::Nothing,
    };
    Reading { reply, lookups: context.lookups(), elapsed: start.elapsed() }
}

/// Marks a client as blocked.
struct Blocked<'a>(&'a Client);

impl<'a> Blocked<'a> {
    fn new(client: &'a Client) -> Self {
        client.set(ClientFlag::Blocked, true);
        Self(client)
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.0.set(ClientFlag::Blocked, false);
    }
}
