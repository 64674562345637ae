//! Commands that use no keys: about the connection, the node, or commands themselves.

use tokio::time::Instant;

use super::call::Call;
use super::dispatcher::{Dispatcher, Flow};
use super::pending::BatchRun;
use super::store::Store;
use crate::commands::declare::Run;
use crate::commands::run::{NodeContext, SessionAction, SessionContext, Waiting};
use crate::commands::table;
use crate::resp::Reply;
use crate::services::sessions::Session;

impl<S: Store> Dispatcher<S> {
    /// Runs a session command and the action that it requests. A `quiet` reply is not sent.
    pub(super) async fn run_session(
        &self,
        session: &mut Session,
        call: Call<'_>,
        quiet: bool,
        run: &mut BatchRun<'_>,
    ) -> Flow {
        let (mut reply, action) = self.call_session(session, call);
        // The reply to HELLO uses the protocol that HELLO chose, and CLIENT REPLY ON always gets a
        // reply.
        let quiet = quiet && action != SessionAction::ForceReply;
        match action {
            SessionAction::None | SessionAction::ForceReply => {}
            SessionAction::Close => return self.answer_and_close(session, reply, quiet, run).await,
            SessionAction::Execute => {
                if self.flush(session, run).await == Flow::Close {
                    return Flow::Close;
                }
                match self.execute(session, &run.settings).await {
                    None => return Flow::Close,
                    Some((replies, Flow::Close)) => {
                        return self.answer_and_close(session, replies, quiet, run).await;
                    }
                    Some((replies, Flow::Continue)) => reply = replies,
                }
            }
            SessionAction::Watch(keys) => {
                if self.flush(session, run).await == Flow::Close {
                    return Flow::Close;
                }
                if let Err(error) = self.watch(session, &run.settings, keys).await {
                    reply = Reply::Error(error);
                }
            }
        }
        // A command of the transaction may have changed the protocol of the reply.
        run.push_reply(session, reply, quiet);
        Flow::Continue
    }

    async fn answer_and_close(
        &self,
        session: &Session,
        reply: Reply,
        quiet: bool,
        run: &mut BatchRun<'_>,
    ) -> Flow {
        run.push_reply(session, reply, quiet);
        // The connection ends whatever the result of the commands before.
        let _ = self.flush(session, run).await;
        Flow::Close
    }

    /// Runs a session command alone.
    pub(super) fn call_session(
        &self,
        session: &mut Session,
        call: Call<'_>,
    ) -> (Reply, SessionAction) {
        let Run::Session(function) = call.run() else {
            return (Reply::Nothing, SessionAction::None);
        };
        session.client.set_last_command(call.found.id.0);
        let start = Instant::now();
        let mut context = SessionContext { session, node: &self.node, action: SessionAction::None };
        let reply = function(&mut context, call.args()).unwrap_or_else(Reply::Error);
        let action = context.action;
        session.publish_mode();
        self.record_since(&session.client, call, start, &reply);
        (reply, action)
    }

    /// Runs a command about the node or about commands.
    pub(super) async fn run_node(
        &self,
        session: &Session,
        call: Call<'_>,
        waiting: Waiting,
    ) -> Reply {
        session.client.set_last_command(call.found.id.0);
        let start = Instant::now();
        let context = NodeContext { node: &self.node, session, waiting };
        let reply = match call.run() {
            Run::Node(function) => function(&context, call.args()).await,
            Run::Describe(function) => function(table::all(), call.args()),
            _ => return Reply::Nothing,
        };
        let reply = reply.unwrap_or_else(Reply::Error);
        self.record_since(&session.client, call, start, &reply);
        reply
    }
}
