//! From arguments to replies: a command is found, admitted, queued inside MULTI, routed, run and
//! recorded.
//!
//! Consecutive commands of one batch are run together: consecutive reads under one lock, everything
//! from the first write to the last as one request. Replies keep the order of commands.

mod account;
mod admission;
mod call;
mod dispatcher;
mod exec;
mod group;
mod local;
mod pending;
mod read;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod write;

use std::cell::RefCell;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

pub use dispatcher::{Dispatcher, Flow, Progress};
pub use store::{Failure, Proposer, ReadControl, Replica, Store};

use crate::base::config::{ReadMode, Redirect};
use crate::base::telemetry::ThreadMetrics;
use crate::commands::declare::{Flags, Run};
use crate::commands::run::{NodeServices, Random, Waiting};
use crate::resp::{Batch, Reply};
use crate::services::sessions::{ClientFlag, ReplyMode, Session};
use call::Call;
use dispatcher::{BatchSettings, Route};
use pending::{BatchRun, Part, ReplyContext, ReplySource};

/// Replies above this size are sent before the rest of a batch is run.
const OUTPUT_PART_BYTES: usize = 256 * 1024;

impl<S: Store> Dispatcher<S> {
    /// `seed` is for random reads; it need not be secret.
    pub fn new(store: S, node: Arc<NodeServices>, metrics: Arc<ThreadMetrics>, seed: u64) -> Self {
        Self { store, node, metrics, random: RefCell::new(Random::new(seed)) }
    }

    /// The node.
    pub fn node(&self) -> &NodeServices {
        &self.node
    }

    /// The counters of this thread.
    pub fn metrics(&self) -> &ThreadMetrics {
        &self.metrics
    }

    /// Runs a batch from command `first` on and appends the replies to `out`. Stops early when
    /// there are many bytes of replies, so that they can be sent.
    pub async fn run(
        &self,
        session: &mut Session,
        batch: &Batch,
        first: usize,
        out: &mut BytesMut,
    ) -> Progress {
        let mut run = BatchRun { batch, settings: self.settings(), pending: Vec::new(), out };
        for index in first..batch.len() {
            if is_cross_protocol(batch.command(index)) {
                tracing::warn!("disconnected a client that sent HTTP to the Redis port");
                return Progress { flow: Flow::Close, next: index };
            }
            if self.run_one(session, &mut run, index).await == Flow::Close {
                return Progress { flow: Flow::Close, next: index };
            }
            if run.out.len() > OUTPUT_PART_BYTES {
                let flow = self.flush(session, &mut run).await;
                return Progress { flow, next: index + 1 };
            }
        }
        let flow = self.flush(session, &mut run).await;
        Progress { flow, next: batch.len() }
    }

    /// Runs the command at this position of the batch, or adds it to the pending ones.
    async fn run_one(&self, session: &mut Session, run: &mut BatchRun<'_>, index: usize) -> Flow {
        let argv = run.batch.command(index);
        let quiet = starts_quietly(session);
        let route = self.route(session, &run.settings, argv);
        if self.must_wait(session, &route) {
            if self.flush(session, run).await == Flow::Close {
                return Flow::Close;
            }
            if self.wait_for_pause(session, &route).await == Flow::Close {
                return Flow::Close;
            }
        }
        let context = ReplyContext::of(session, &run.settings, quiet);
        match route {
            Route::Answer(reply) => {
                run.push(ReplySource::Ready(reply), context);
                Flow::Continue
            }
            Route::Data(found) => {
                session.client.set_last_command(found.id.0);
                run.push(ReplySource::Command { found, index }, context);
                Flow::Continue
            }
            Route::Session(found) => {
                self.run_session(session, Call { found, argv }, quiet, run).await
            }
            Route::Node(found) => {
                let flow = self.flush(session, run).await;
                if flow == Flow::Continue {
                    let call = Call { found, argv };
                    let reply = self.run_node(session, call, Waiting::Allowed).await;
                    context.encode(&reply, run.out);
                }
                flow
            }
        }
    }

    /// Runs the pending commands: up to the last write through the log, the rest under one lock.
    async fn flush(&self, session: &Session, run: &mut BatchRun<'_>) -> Flow {
        let replies = std::mem::take(&mut run.pending);
        let part = Part { client: &session.client, batch: run.batch, replies: &replies };
        let (written, read) = part.split_after_last_write();
        let mut flow = Flow::Continue;
        if !written.replies.is_empty() {
            flow = self.run_writes(written, run.out).await;
        }
        if !read.replies.is_empty() && flow == Flow::Continue {
            self.run_reads(read, run.out).await;
        }
        // The allocation is reused for the next commands.
        run.pending = replies;
        run.pending.clear();
        if session.client.is_killed() { Flow::Close } else { flow }
    }

    /// Finds, admits, queues and routes a command.
    fn route(&self, session: &mut Session, settings: &BatchSettings, argv: &[Bytes]) -> Route {
        let found = match self.admit(session, settings, argv) {
            Ok(found) => found,
            Err(error) => return Route::Answer(Reply::Error(error)),
        };
        if session.transaction.is_some() && !found.command.flags.has(Flags::NOT_QUEUED) {
            return Route::Answer(self.queue(session, settings, argv));
        }
        match found.command.run {
            Run::Read(_) | Run::Write(_) => Route::Data(found),
            Run::Session(_) => Route::Session(found),
            // Admission has refused a container without a subcommand.
            Run::Node(_) | Run::Describe(_) | Run::Container(_) => Route::Node(found),
        }
    }

    fn settings(&self) -> BatchSettings {
        let config = self.node.config.load();
        BatchSettings {
            stale: config.reads.mode == ReadMode::Stale,
            moved: config.routing.redirect == Redirect::Moved,
            key_bytes_max: config.limits.key_bytes_max,
            transaction_bytes_max: config.limits.transaction_bytes_max,
        }
    }

    fn must_wait(&self, session: &Session, route: &Route) -> bool {
        let pause = self.node.clients.pause();
        pause.is_active() && pause.holds(exec::may_write(session, route))
    }

    /// Waits for the end of a pause; a client that waits counts as blocked. `Close` when the client
    /// was disconnected meanwhile.
    async fn wait_for_pause(&self, session: &Session, route: &Route) -> Flow {
        let writes = exec::may_write(session, route);
        session.client.set(ClientFlag::Blocked, true);
        let flow = tokio::select! {
            () = self.node.clients.pause().wait(writes) => Flow::Continue,
            () = session.client.killed() => Flow::Close,
        };
        session.client.set(ClientFlag::Blocked, false);
        flow
    }
}

/// Whether the next command's reply is not sent. Uses up `CLIENT REPLY SKIP`.
const fn starts_quietly(session: &mut Session) -> bool {
    match session.reply_mode {
        ReplyMode::On => false,
        ReplyMode::Off => true,
        ReplyMode::SkipNext => {
            session.reply_mode = ReplyMode::On;
            true
        }
    }
}

/// `POST` and `Host:` are what a browser sends to this port when a web page abuses it. No command
/// of such a connection is executed.
fn is_cross_protocol(argv: &[Bytes]) -> bool {
    let is = |name: &[u8]| argv.first().is_some_and(|arg| arg.eq_ignore_ascii_case(name));
    is(b"post") || is(b"host:")
}

#[cfg(test)]
#[path = "testing/dispatch_test.rs"]
mod tests;
