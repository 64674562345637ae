//! From arguments to replies. The story of a command: find it, admit it, queue it if MULTI
//! collects, route it, run it, account for it.
//!
//! Commands of one batch that follow each other are run together: consecutive reads under one lock,
//! everything from the first write to the last as one request. Replies keep the order of commands.

mod account;
mod admission;
mod exec;
mod group;
mod local;
mod pending;
mod read;
mod route;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod write;

use std::cell::RefCell;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

pub use store::{Failure, Store};

use crate::base::config::{ReadMode, Redirect};
use crate::base::telemetry::ThreadMetrics;
use crate::commands::command::{Flags, Run};
use crate::commands::context::Random;
use crate::commands::node_control::NodeControl;
use crate::commands::table::Resolved;
use crate::resp::{Batch, Reply};
use crate::services::sessions::{ClientFlag, ReplyMode, Session};
use pending::{Mode, Pending, Slot};

/// Replies beyond this are sent before the rest of a batch is run.
const OUTPUT_PART_BYTES: usize = 256 * 1024;

/// Whether the connection goes on after the replies so far are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Yes.
    Continue,
    /// No.
    Close,
}

/// Runs commands. One for each thread.
pub struct Dispatcher<S> {
    store: S,
    node: Arc<dyn NodeControl>,
    metrics: Arc<ThreadMetrics>,
    random: RefCell<Random>,
}

/// How far a batch has been run.
#[derive(Debug)]
pub struct Progress {
    /// Whether the connection goes on.
    pub flow: Flow,
    /// The first command that has not been run.
    pub next: usize,
}

/// What happens with an admitted command.
enum Route {
    /// Answered already: refused or queued.
    Answer(Reply),
    /// Runs with its neighbours.
    Data(Resolved),
    /// Runs at once, on the connection.
    Session(Resolved),
    /// Runs after everything before it.
    Node(Resolved),
}

impl<S: Store> Dispatcher<S> {
    /// `seed` feeds random reads; it need not be secret.
    pub fn new(
        store: S,
        node: Arc<dyn NodeControl>,
        metrics: Arc<ThreadMetrics>,
        seed: u64,
    ) -> Self {
        Self { store, node, metrics, random: RefCell::new(Random::new(seed)) }
    }

    /// The node.
    pub fn node(&self) -> &Arc<dyn NodeControl> {
        &self.node
    }

    /// The counters of this thread.
    pub fn metrics(&self) -> &ThreadMetrics {
        &self.metrics
    }

    /// Runs a batch from command `first` on and appends the replies to `out`. Stops early when the
    /// replies grow long, so that they can be sent.
    pub async fn run(
        &self,
        session: &mut Session,
        batch: &Batch,
        first: usize,
        out: &mut BytesMut,
    ) -> Progress {
        let rules = self.rules();
        let mut pending = Pending::default();
        for index in first..batch.len() {
            let words = batch.command(index);
            if is_cross_protocol(words) {
                tracing::warn!("a client spoke HTTP to the Redis port; it was disconnected");
                return Progress { flow: Flow::Close, next: index };
            }
            let quiet = starts_quietly(session);
            let route = self.route(session, &rules, words);
            if self.must_wait(session, &route) {
                if self.flush(session, &mut pending, batch, out).await == Flow::Close {
                    return Progress { flow: Flow::Close, next: index };
                }
                if self.wait_for_pause(session, &route).await == Flow::Close {
                    return Progress { flow: Flow::Close, next: index };
                }
            }
            let mode = Mode::of(session, &rules, quiet);
            let flow = match route {
                Route::Answer(reply) => {
                    pending.push(Slot::Answer(reply), mode);
                    Flow::Continue
                }
                Route::Data(found) => {
                    session.client.set_last_command(found.id.0);
                    pending.push(Slot::Data { found, index }, mode);
                    Flow::Continue
                }
                Route::Session(found) => {
                    let call = local::Call { found, words, quiet };
                    self.run_session(session, &mut pending, call, &rules, batch, out).await
                }
                Route::Node(found) => {
                    let flow = self.flush(session, &mut pending, batch, out).await;
                    if flow == Flow::Continue {
                        let reply = self.run_node(session, found, words).await;
                        mode.encode(&reply, out);
                    }
                    flow
                }
            };
            if flow == Flow::Close {
                return Progress { flow, next: index };
            }
            if out.len() > OUTPUT_PART_BYTES {
                let flow = self.flush(session, &mut pending, batch, out).await;
                return Progress { flow, next: index + 1 };
            }
        }
        let flow = self.flush(session, &mut pending, batch, out).await;
        Progress { flow, next: batch.len() }
    }

    /// Runs what waits: up to the last write through the log, the rest under one lock.
    async fn flush(
        &self,
        session: &Session,
        pending: &mut Pending,
        batch: &Batch,
        out: &mut BytesMut,
    ) -> Flow {
        let slots = pending.take();
        let (written, read) = slots.split_at(pending::after_last_write(&slots));
        let mut flow = Flow::Continue;
        if !written.is_empty() {
            flow = self.run_writes(&session.client, written, batch, out).await;
        }
        if !read.is_empty() && flow == Flow::Continue {
            self.run_reads(&session.client, read, batch, out).await;
        }
        pending.give_back(slots);
        if session.client.is_killed() { Flow::Close } else { flow }
    }

    /// Find, admit, queue, route.
    fn route(&self, session: &mut Session, rules: &Rules, words: &[Bytes]) -> Route {
        let found = match self.admit(session, rules, words) {
            Ok(found) => found,
            Err(error) => return Route::Answer(Reply::Error(error)),
        };
        if session.transaction.is_some() && !found.command.flags.has(Flags::NOT_QUEUED) {
            return Route::Answer(self.queue(session, words));
        }
        match found.command.run {
            Run::Read(_) | Run::Write(_) => Route::Data(found),
            Run::Session(_) => Route::Session(found),
            // Admission refuses a container that stands alone.
            Run::Node(_) | Run::Container(_) => Route::Node(found),
        }
    }

    fn rules(&self) -> Rules {
        let config = self.node.config().load();
        Rules {
            stale: config.reads.mode == ReadMode::Stale,
            moved: config.routing.redirect == Redirect::Moved,
        }
    }

    fn must_wait(&self, session: &Session, route: &Route) -> bool {
        let pause = self.node.clients().pause();
        pause.is_active() && pause.holds(exec::may_write(session, route))
    }

    /// Whoever waits counts as blocked. `Close` when the client was sent away meanwhile.
    async fn wait_for_pause(&self, session: &Session, route: &Route) -> Flow {
        let writes = exec::may_write(session, route);
        session.client.set(ClientFlag::Blocked, true);
        let flow = tokio::select! {
            () = self.node.clients().pause().wait(writes) => Flow::Continue,
            () = session.client.killed() => Flow::Close,
        };
        session.client.set(ClientFlag::Blocked, false);
        flow
    }
}

/// Configuration that one batch runs under.
struct Rules {
    /// Reads may lag.
    stale: bool,
    /// Other nodes' keys are answered with MOVED.
    moved: bool,
}

/// Whether the next command's reply is held back, and `CLIENT REPLY SKIP` is used up.
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

/// `POST` and `Host:` are how a browser, tricked by a page, would speak to this port. Nothing that
/// came with them is answered.
fn is_cross_protocol(words: &[Bytes]) -> bool {
    let is = |name: &[u8]| words.first().is_some_and(|word| word.eq_ignore_ascii_case(name));
    is(b"post") || is(b"host:")
}

#[cfg(test)]
#[path = "dispatch_test.rs"]
mod tests;
