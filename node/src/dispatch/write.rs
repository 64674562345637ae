//! Writes: everything up to the last write of a part is one request, so that it needs only one
//! round of the log. Reads between writes are in the same request and see exactly what was written
//! before.

use bytes::BytesMut;
use tokio::time::Instant;

use super::account::Timing;
use super::dispatcher::{Dispatcher, Flow};
use super::pending::{Part, PendingReply, ReplySource};
use super::store::{Failure, Store};
use crate::commands::Executed;
use crate::commands::declare::Flags;
use crate::commands::request::RequestBuilder;
use crate::resp::{Reply, ReplyError};

/// A request that has reached this size is sent before more is added: a long pipeline of large
/// values must not become an entry that is too large.
const REQUEST_BYTES: usize = 1 << 20;

impl<S: Store> Dispatcher<S> {
    /// Appends the replies of a part. When it is unknown whether a request was executed, no reply
    /// follows those before it.
    pub(super) async fn run_writes(&self, mut part: Part<'_>, out: &mut BytesMut) -> Flow {
        while !part.replies.is_empty() {
            let (builder, length) = build(part);
            let (first, rest) = part.replies.split_at(length);
            part = part.with(rest);
            if self.run_request(part.with(first), builder, out).await == Flow::Close {
                return Flow::Close;
            }
        }
        Flow::Continue
    }

    async fn run_request(
        &self,
        part: Part<'_>,
        builder: RequestBuilder,
        out: &mut BytesMut,
    ) -> Flow {
        let (units, start) = (builder.units() as usize, Instant::now());
        let outcome = match units {
            0 => Ok(Executed::default()),
            _ => self.store.propose(builder.finish()).await,
        };
        match outcome {
            Ok(executed) if executed.replies.len() == units => {
                self.answer(part, executed, start, out);
            }
            Ok(_) | Err(Failure::Unknown) => {
                answer_before_commands(part, out);
                return Flow::Close;
            }
            Err(Failure::NotExecuted(error)) if error.code() == "OOM" && is_mixed(part) => {
                return self.run_separately(part, &error, out).await;
            }
            Err(Failure::NotExecuted(error)) => self.refuse(part, &error, out),
        }
        Flow::Continue
    }

    /// Memory is full and nothing was executed: refuses the commands that may grow memory and runs
    /// the others, in order, as if they had been sent one by one.
    async fn run_separately(&self, part: Part<'_>, error: &ReplyError, out: &mut BytesMut) -> Flow {
        for replies in part.replies.chunk_by(|first, second| grows(first) == grows(second)) {
            let part = part.with(replies);
            if grows(&replies[0]) {
                self.refuse(part, error, out);
            } else if Box::pin(self.run_writes(part, out)).await == Flow::Close {
                return Flow::Close;
            }
        }
        Flow::Continue
    }

    fn answer(&self, part: Part<'_>, executed: Executed, start: Instant, out: &mut BytesMut) {
        let elapsed = start.elapsed();
        let mut times = executed.times(elapsed);
        if !executed.replies.is_empty() {
            part.client.note_write(executed.index);
        }
        let mut replies = executed.replies.into_iter();
        for PendingReply { source, context } in part.replies {
            match source {
                ReplySource::Ready(reply) => context.encode(reply, out),
                ReplySource::Command { found, index } => {
                    let reply = replies.next().unwrap_or(Reply::Nothing);
                    let timing = Timing { elapsed, ran: times.next().unwrap_or(elapsed) };
                    self.record(part.client, part.call(*found, *index), timing, &reply);
                    context.encode(&reply, out);
                }
            }
        }
    }

    /// Answers every command of a part with an error.
    pub(super) fn refuse(&self, part: Part<'_>, error: &ReplyError, out: &mut BytesMut) {
        let refusal = Reply::Error(error.clone());
        for PendingReply { source, context } in part.replies {
            match source {
                ReplySource::Ready(reply) => context.encode(reply, out),
                ReplySource::Command { found, .. } => {
                    self.record_refused(Some(*found), error);
                    context.encode(&refusal, out);
                }
            }
        }
    }
}

/// Whether a command is refused when memory is full.
fn grows(reply: &PendingReply) -> bool {
    reply.has(Flags::DENY_OOM)
}

/// Whether some commands may grow memory and some may not.
fn is_mixed(part: Part<'_>) -> bool {
    let commands = part.replies.iter().filter(|reply| reply.is_command()).count();
    let growing = part.replies.iter().filter(|reply| grows(reply)).count();
    growing > 0 && growing < commands
}

/// As many commands as fit into one request, and the number of their replies.
fn build(part: Part<'_>) -> (RequestBuilder, usize) {
    let mut builder = RequestBuilder::new();
    for (position, PendingReply { source, context }) in part.replies.iter().enumerate() {
        let ReplySource::Command { found, index } = source else { continue };
        let args = part.call(*found, *index).args().rest();
        let bytes: usize = args.iter().map(bytes::Bytes::len).sum();
        if !builder.is_empty() && builder.len() + bytes > REQUEST_BYTES {
            return (builder, position);
        }
        builder.call(context.database, found, args);
    }
    (builder, part.replies.len())
}

fn answer_before_commands(part: Part<'_>, out: &mut BytesMut) {
    for PendingReply { source, context } in part.replies {
        let ReplySource::Ready(reply) = source else { return };
        context.encode(reply, out);
    }
}
