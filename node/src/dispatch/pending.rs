//! Commands of a batch that have been admitted and will be run together.

use bytes::BytesMut;

use super::call::Call;
use super::dispatcher::BatchSettings;
use crate::base::ids::DatabaseId;
use crate::commands::declare::{Flags, Resolved, Run};
use crate::resp::{Batch, Protocol, Reply};
use crate::services::sessions::{Client, ClientFlag, Session};

/// The settings of the connection when a command was admitted: a later command of the same batch
/// may change them.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplyContext {
    pub(super) database: DatabaseId,
    protocol: Protocol,
    /// The reply is not sent.
    quiet: bool,
    stale: bool,
    /// Reads count as uses of keys.
    pub(super) touches: bool,
}

impl ReplyContext {
    pub(super) fn of(session: &Session, settings: &BatchSettings, quiet: bool) -> Self {
        Self {
            database: session.database,
            protocol: session.protocol,
            quiet,
            stale: settings.stale || session.read_only,
            touches: !session.client.has(ClientFlag::NoTouch),
        }
    }

    /// Appends a reply unless it is quiet.
    pub(super) fn encode(self, reply: &Reply, out: &mut BytesMut) {
        if !self.quiet {
            reply.encode(self.protocol, out);
        }
    }
}

/// A pending reply.
#[derive(Debug)]
pub(super) struct PendingReply {
    pub(super) source: ReplySource,
    pub(super) context: ReplyContext,
}

/// The source of a reply.
#[derive(Debug)]
pub(super) enum ReplySource {
    /// It is known already.
    Ready(Reply),
    /// The command at this position of the batch.
    Command { found: Resolved, index: usize },
}

impl PendingReply {
    pub(super) fn has(&self, flags: Flags) -> bool {
        matches!(&self.source, ReplySource::Command { found, .. } if found.command.flags.has(flags))
    }

    pub(super) const fn is_command(&self) -> bool {
        matches!(self.source, ReplySource::Command { .. })
    }

    const fn writes(&self) -> bool {
        match self.source {
            ReplySource::Ready(_) => false,
            ReplySource::Command { found, .. } => matches!(found.command.run, Run::Write(_)),
        }
    }

    fn is_stale(&self) -> bool {
        !self.is_command() || self.context.stale || self.has(Flags::STALE)
    }
}

/// Commands of one client that run together.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) client: &'a Client,
    pub(super) batch: &'a Batch,
    pub(super) replies: &'a [PendingReply],
}

impl<'a> Part<'a> {
    /// The same client and batch with these replies.
    pub(super) const fn with(self, replies: &'a [PendingReply]) -> Self {
        Self { replies, ..self }
    }

    /// The command at this position of the batch.
    pub(super) fn call(&self, found: Resolved, index: usize) -> Call<'a> {
        Call { found, argv: self.batch.command(index) }
    }

    /// Splits off the replies that must go through the log: all up to the last write.
    pub(super) fn split_after_last_write(self) -> (Self, Self) {
        let last = self.replies.iter().rposition(PendingReply::writes);
        let (written, read) = self.replies.split_at(last.map_or(0, |last| last + 1));
        (self.with(written), self.with(read))
    }

    /// Whether no read needs a confirmation by the leader.
    pub(super) fn is_stale(&self) -> bool {
        self.replies.iter().all(PendingReply::is_stale)
    }
}

/// The state of a batch that is being run.
pub(super) struct BatchRun<'a> {
    pub(super) batch: &'a Batch,
    pub(super) settings: BatchSettings,
    /// Pending commands and replies, in order.
    pub(super) pending: Vec<PendingReply>,
    pub(super) out: &'a mut BytesMut,
}

impl BatchRun<'_> {
    pub(super) fn push(&mut self, source: ReplySource, context: ReplyContext) {
        self.pending.push(PendingReply { source, context });
    }

    /// Adds a reply in the current protocol of the session.
    pub(super) fn push_reply(&mut self, session: &Session, reply: Reply, quiet: bool) {
        let context = ReplyContext::of(session, &self.settings, quiet);
        self.push(ReplySource::Ready(reply), context);
    }
}
