//! Commands that need no keys: about the connection, or about the node.

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::pending::{Mode, Pending, Slot};
use super::{Dispatcher, Flow, Rules, Store};
use crate::commands::args::Args;
use crate::commands::command::Run;
use crate::commands::context::{NodeContext, SessionContext, Then};
use crate::commands::table::Resolved;
use crate::resp::{Batch, Reply};
use crate::services::sessions::Session;

/// A command on its way.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) found: Resolved,
    pub(super) words: &'a [Bytes],
    /// Its reply is held back.
    pub(super) quiet: bool,
}

impl<S: Store> Dispatcher<S> {
    /// Runs a session command and what it asks for afterwards.
    pub(super) async fn run_session(
        &self,
        session: &mut Session,
        pending: &mut Pending,
        call: Call<'_>,
        rules: &Rules,
        batch: &Batch,
        out: &mut BytesMut,
    ) -> Flow {
        let (mut reply, then) = self.call_session(session, call.found, call.words);
        // HELLO is answered in the protocol it chose, and CLIENT REPLY ON is answered at all.
        let quiet = call.quiet && then != Then::Speak;
        let mode = Mode::of(session, rules, quiet);
        match then {
            Then::Nothing | Then::Speak => {}
            Then::Close => {
                pending.push(Slot::Answer(reply), mode);
                // Whatever the outcome, the connection ends.
                let _ = self.flush(session, pending, batch, out).await;
                return Flow::Close;
            }
            Then::Execute => {
                if self.flush(session, pending, batch, out).await == Flow::Close {
                    return Flow::Close;
                }
                let Some((replies, flow)) = self.execute(session, rules).await else {
                    return Flow::Close;
                };
                if flow == Flow::Close {
                    pending.push(Slot::Answer(replies), Mode::of(session, rules, quiet));
                    let _ = self.flush(session, pending, batch, out).await;
                    return Flow::Close;
                }
                reply = replies;
            }
            Then::Watch(keys) => {
                if self.flush(session, pending, batch, out).await == Flow::Close {
                    return Flow::Close;
                }
                if let Err(error) = self.watch(session, rules, keys).await {
                    reply = Reply::Error(error);
                }
            }
        }
        // EXEC may have changed the protocol of its own reply.
        pending.push(Slot::Answer(reply), Mode::of(session, rules, quiet));
        Flow::Continue
    }

    /// Runs a session command alone.
    pub(super) fn call_session(
        &self,
        session: &mut Session,
        found: Resolved,
        words: &[Bytes],
    ) -> (Reply, Then) {
        let Run::Session(function) = found.command.run else {
            return (Reply::Nothing, Then::Nothing);
        };
        session.client.set_last_command(found.id.0);
        let start = Instant::now();
        let mut context = SessionContext { session, node: &*self.node, then: Then::Nothing };
        let reply = function(&mut context, Args::new(&words[found.words()..]));
        let reply = reply.unwrap_or_else(Reply::Error);
        let then = context.then;
        session.publish_mode();
        self.count_since(&session.client, (found, words), start, &reply);
        (reply, then)
    }

    /// Runs a node command.
    pub(super) async fn run_node(
        &self,
        session: &Session,
        found: Resolved,
        words: &[Bytes],
    ) -> Reply {
        let Run::Node(function) = found.command.run else { return Reply::Nothing };
        session.client.set_last_command(found.id.0);
        let start = Instant::now();
        let context = NodeContext { node: &*self.node, session };
        let reply = function(&context, Args::new(&words[found.words()..])).await;
        let reply = reply.unwrap_or_else(Reply::Error);
        self.count_since(&session.client, (found, words), start, &reply);
        reply
    }
}
