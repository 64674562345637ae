//! Writes: everything up to the last write of a run is one request, so that it shares one round of
//! the log. Reads between writes travel with them and see exactly what was written before.

use bytes::BytesMut;
use tokio::time::Instant;

use super::pending::{Mode, Slot};
use super::{Dispatcher, Failure, Flow, Store};
use crate::commands::command::Flags;
use crate::commands::request::RequestBuilder;
use crate::resp::{Batch, Reply, ReplyError};
use crate::services::sessions::Client;

/// A request that has reached this size is sent before more is added: a long pipeline of large
/// values must not become an entry that is too large.
const REQUEST_BYTES: usize = 1 << 20;

impl<S: Store> Dispatcher<S> {
    /// Appends the replies of `slots`. When it is unknown whether a request was executed, the
    /// replies before it are the last.
    pub(super) async fn run_writes(
        &self,
        client: &Client,
        mut slots: &[(Slot, Mode)],
        batch: &Batch,
        out: &mut BytesMut,
    ) -> Flow {
        while !slots.is_empty() {
            let (builder, length) = build(slots, batch);
            let (part, rest) = slots.split_at(length);
            slots = rest;
            if self.run_request(client, (part, batch), builder, out).await == Flow::Close {
                return Flow::Close;
            }
        }
        Flow::Continue
    }

    async fn run_request(
        &self,
        client: &Client,
        (slots, batch): (&[(Slot, Mode)], &Batch),
        builder: RequestBuilder,
        out: &mut BytesMut,
    ) -> Flow {
        let (units, start) = (builder.units() as usize, Instant::now());
        let outcome =
            if units == 0 { Ok(Vec::new()) } else { self.store.propose(builder.finish()).await };
        match outcome {
            Ok(replies) if replies.len() == units => {
                self.answer(client, (slots, batch), (replies, start), out);
            }
            Ok(_) | Err(Failure::Unknown) => {
                answer_before_data(slots, out);
                return Flow::Close;
            }
            Err(Failure::NotExecuted(error)) if error.code() == "OOM" && is_mixed(slots) => {
                return self.run_apart(client, (slots, batch), &error, out).await;
            }
            Err(Failure::NotExecuted(error)) => self.answer_refused(slots, &error, out),
        }
        Flow::Continue
    }

    /// Memory is full and nothing was executed: refuses the commands that may grow memory and runs
    /// the others, in order, as if they had been sent one by one.
    async fn run_apart(
        &self,
        client: &Client,
        (slots, batch): (&[(Slot, Mode)], &Batch),
        error: &ReplyError,
        out: &mut BytesMut,
    ) -> Flow {
        for part in slots.chunk_by(|(first, _), (second, _)| grows(first) == grows(second)) {
            if grows(&part[0].0) {
                self.answer_refused(part, error, out);
            } else if Box::pin(self.run_writes(client, part, batch, out)).await == Flow::Close {
                return Flow::Close;
            }
        }
        Flow::Continue
    }

    fn answer(
        &self,
        client: &Client,
        (slots, batch): (&[(Slot, Mode)], &Batch),
        (replies, start): (Vec<Reply>, Instant),
        out: &mut BytesMut,
    ) {
        let elapsed = start.elapsed();
        let mut replies = replies.into_iter();
        for (slot, mode) in slots {
            match slot {
                Slot::Answer(reply) => mode.encode(reply, out),
                Slot::Data { found, index } => {
                    let reply = replies.next().unwrap_or(Reply::Nothing);
                    self.count(client, (*found, batch.command(*index)), elapsed, &reply);
                    mode.encode(&reply, out);
                }
            }
        }
    }

    fn answer_refused(&self, slots: &[(Slot, Mode)], error: &ReplyError, out: &mut BytesMut) {
        let refusal = Reply::Error(error.clone());
        for (slot, mode) in slots {
            match slot {
                Slot::Answer(reply) => mode.encode(reply, out),
                Slot::Data { found, .. } => {
                    self.count_refused(Some(*found), error);
                    mode.encode(&refusal, out);
                }
            }
        }
    }
}

/// Whether a command is refused when memory is full.
fn grows(slot: &Slot) -> bool {
    matches!(slot, Slot::Data { found, .. } if found.command.flags.has(Flags::DENY_OOM))
}

/// Whether some commands may grow memory and some may not.
fn is_mixed(slots: &[(Slot, Mode)]) -> bool {
    let data = slots.iter().filter(|(slot, _)| matches!(slot, Slot::Data { .. }));
    let growing = slots.iter().filter(|(slot, _)| grows(slot)).count();
    growing > 0 && growing < data.count()
}

/// As many slots as make one request, and how many those are.
fn build(slots: &[(Slot, Mode)], batch: &Batch) -> (RequestBuilder, usize) {
    let mut builder = RequestBuilder::new();
    for (position, (slot, mode)) in slots.iter().enumerate() {
        let Slot::Data { found, index } = slot else { continue };
        let args = &batch.command(*index)[found.words()..];
        let bytes: usize = args.iter().map(bytes::Bytes::len).sum();
        if !builder.is_empty() && builder.len() + bytes > REQUEST_BYTES {
            return (builder, position);
        }
        builder.call(mode.database, found, args);
    }
    (builder, slots.len())
}

fn answer_before_data(slots: &[(Slot, Mode)], out: &mut BytesMut) {
    for (slot, mode) in slots {
        let Slot::Answer(reply) = slot else { return };
        mode.encode(reply, out);
    }
}
