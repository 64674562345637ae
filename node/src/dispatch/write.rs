//! Writes: everything up to the last write of a part is one request, so that it needs only one
//! round of the log. Reads between writes are in the same request and see exactly what was written
//! before.

use tokio::time::Instant;

use super::account::Timing;
use super::dispatcher::{Dispatcher, Flow};
use super::output::Output;
use super::pending::{Part, PendingReply, ReplySource};
use super::store::{Failure, Store};
use crate::base::limits::REQUEST_COST;
use crate::commands::Executed;
use crate::commands::declare::Flags;
use crate::commands::request::RequestBuilder;
use crate::commands::run::write_estimate::Estimate;
use crate::resp::{Reply, ReplyError};

/// A request that has reached this size is sent before more is added: a long pipeline of large
/// values must not become an entry that is too large, and one that writes a few bytes far behind
/// the end of strings must not grow memory by more at once.
const REQUEST_BYTES: usize = 1 << 20;

impl<S: Store> Dispatcher<S> {
    /// Appends the replies of a part. When it is unknown whether a request was executed, no reply
    /// follows those before it.
    pub(super) async fn run_writes(&self, mut part: Part<'_>, out: &mut Output) -> Flow {
        while !part.replies.is_empty() {
            let Built { builder, length, refusal } = self.build(part);
            let (first, rest) = part.replies.split_at(length);
            part = part.with(rest);
            if let Some(error) = refusal {
                self.refuse(part.with(first), &error, out).await;
                continue;
            }
            if self.run_request(part.with(first), builder, out).await == Flow::Close {
                return Flow::Close;
            }
        }
        Flow::Continue
    }

    /// As many commands as fit into one request.
    fn build(&self, part: Part<'_>) -> Built {
        let call = |reply: &PendingReply| match &reply.source {
            ReplySource::Command { found, index } => Some(part.call(*found, *index)),
            ReplySource::Ready(_) => None,
        };
        let sizes = self.sizes(part.replies.iter().filter_map(call));
        let mut estimator = sizes.estimator();
        let (mut builder, mut sum) = (RequestBuilder::new(), Estimate::default());
        for (position, reply) in part.replies.iter().enumerate() {
            let Some(call) = call(reply) else { continue };
            let database = reply.context.database;
            let args = call.args().rest();
            let bytes: usize = args.iter().map(bytes::Bytes::len).sum();
            let estimate = estimator.next(call.found.command, call.argv, database);
            let refusal = sizes.limits.check(estimate, 1).err();
            let is_next = refusal.is_some() || is_full(builder.len() + bytes, sum.plus(estimate));
            if is_next && !builder.is_empty() {
                return Built { builder, length: position, refusal: None };
            }
            if refusal.is_some() {
                return Built { builder, length: position + 1, refusal };
            }
            sum = sum.plus(estimate);
            builder.call(database, &call.found, args);
            builder.set_growth(sum.growth_bytes);
        }
        Built { builder, length: part.replies.len(), refusal: None }
    }

    async fn run_request(&self, part: Part<'_>, builder: RequestBuilder, out: &mut Output) -> Flow {
        let (units, start) = (builder.units() as usize, Instant::now());
        let outcome = match units {
            0 => Ok(Executed::default()),
            _ => self.store.propose(builder.finish()).await,
        };
        match outcome {
            Ok(executed) if executed.replies.len() == units => {
                self.answer_executed(part, executed, start, out).await;
            }
            Ok(_) | Err(Failure::Unknown) => {
                self.answer_before_commands(part, out);
                return Flow::Close;
            }
            Err(Failure::NotExecuted(error)) if error.code() == "OOM" && is_mixed(part) => {
                return self.run_separately(part, &error, out).await;
            }
            Err(Failure::NotExecuted(error)) => self.refuse(part, &error, out).await,
        }
        Flow::Continue
    }

    /// Memory is full and nothing was executed: refuses the commands that may grow memory and runs
    /// the others, in order, as if they had been sent one by one.
    async fn run_separately(&self, part: Part<'_>, error: &ReplyError, out: &mut Output) -> Flow {
        for replies in part.replies.chunk_by(|first, second| grows(first) == grows(second)) {
            let part = part.with(replies);
            if grows(&replies[0]) {
                self.refuse(part, error, out).await;
            } else if Box::pin(self.run_writes(part, out)).await == Flow::Close {
                return Flow::Close;
            }
        }
        Flow::Continue
    }

    async fn answer_executed(
        &self,
        part: Part<'_>,
        executed: Executed,
        start: Instant,
        out: &mut Output,
    ) {
        let elapsed = start.elapsed();
        let mut times = executed.times(elapsed);
        if !executed.replies.is_empty() {
            part.client.note_write(executed.index);
        }
        let mut replies = executed.replies.into_iter();
        for PendingReply { source, context } in part.replies {
            match source {
                ReplySource::Ready(reply) => self.answer(part.client, *context, reply, out),
                ReplySource::Command { found, index } => {
                    let reply = replies.next().unwrap_or(Reply::Nothing);
                    let timing = Timing { elapsed, ran: times.next().unwrap_or(elapsed) };
                    self.record(part.client, part.call(*found, *index), timing, &reply);
                    self.answer(part.client, *context, &reply, out);
                }
            }
            out.send_if_large().await;
        }
    }

    fn answer_before_commands(&self, part: Part<'_>, out: &mut Output) {
        for PendingReply { source, context } in part.replies {
            let ReplySource::Ready(reply) = source else { return };
            self.answer(part.client, *context, reply, out);
        }
    }

    /// Answers every command of a part with an error.
    pub(super) async fn refuse(&self, part: Part<'_>, error: &ReplyError, out: &mut Output) {
        let refusal = Reply::Error(error.clone());
        for PendingReply { source, context } in part.replies {
            match source {
                ReplySource::Ready(reply) => self.answer(part.client, *context, reply, out),
                ReplySource::Command { found, .. } => {
                    self.record_refused(Some(*found), error);
                    self.answer(part.client, *context, &refusal, out);
                }
            }
            out.send_if_large().await;
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

/// The next request of a part.
struct Built {
    builder: RequestBuilder,
    /// How many replies of the part are those of the request.
    length: usize,
    /// Why the last of these commands, the only one, is not executed.
    refusal: Option<ReplyError>,
}

/// Whether a request of so many bytes, with all that it does, is as large as one should be.
const fn is_full(bytes: usize, estimate: Estimate) -> bool {
    let growth_bytes_max = REQUEST_BYTES as u64;
    bytes > REQUEST_BYTES
        || estimate.growth_bytes > growth_bytes_max
        || estimate.cost > REQUEST_COST
}
