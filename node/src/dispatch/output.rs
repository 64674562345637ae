//! Replies on their way to the client, and how long they may become.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::sync::Notify;

use crate::base::limits::REPLY_BYTES_MAX;
use crate::resp::{Protocol, Reply, ReplyError};

/// Replies above this size are sent before the next command is run.
pub(super) const OUTPUT_PART_BYTES: usize = 256 * 1024;

/// Between the dispatcher and the connection: the dispatcher hands replies over and continues when
/// the connection has sent them.
#[derive(Debug, Default)]
pub struct Outlet {
    replies: RefCell<BytesMut>,
    filled: Notify,
    emptied: Notify,
}

impl Outlet {
    /// Waits until there are replies to send; [`Outlet::sent`] must follow.
    pub async fn filled(&self) -> BytesMut {
        self.filled.notified().await;
        self.replies.take()
    }

    /// Returns the empty buffer and lets the dispatcher continue.
    pub fn sent(&self, buffer: BytesMut) {
        self.replies.replace(buffer);
        self.emptied.notify_one();
    }

    async fn send(&self, replies: &mut BytesMut) {
        self.replies.replace(std::mem::take(replies));
        self.filled.notify_one();
        self.emptied.notified().await;
        *replies = self.replies.take();
    }
}

/// Collects encoded replies.
#[derive(Debug, Default)]
pub struct Output {
    bytes: BytesMut,
    limit: ReplyLimit,
    overflowed: bool,
    outlet: Option<Rc<Outlet>>,
}

/// A place to which [`Output::rewind`] returns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    bytes: usize,
    overflowed: bool,
}

impl Output {
    /// Collects replies in `buffer` and hands them to `outlet` when they are many.
    pub fn new(buffer: BytesMut, limit: ReplyLimit, outlet: Rc<Outlet>) -> Self {
        Self { bytes: buffer, limit, overflowed: false, outlet: Some(outlet) }
    }

    /// The replies that were not handed over.
    pub const fn replies(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// Whether there was more than the hard limit of the client, so that its connection must end.
    pub const fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) const fn limit(&self) -> ReplyLimit {
        self.limit
    }

    /// Whether the replies so far should be sent before more are made.
    pub(super) fn is_large(&self) -> bool {
        self.overflowed || self.bytes.len() > OUTPUT_PART_BYTES
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), overflowed: self.overflowed }
    }

    /// Removes what was appended after `mark`, since which nothing was sent.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.overflowed = mark.overflowed;
    }

    /// Appends a reply of this size. One above the limit becomes an error, or ends the connection.
    pub(super) fn push(&mut self, reply: &Reply, size: usize, protocol: Protocol) {
        if self.overflowed {
            return;
        }
        match self.limit {
            ReplyLimit::Closes(bytes_max) if self.bytes.len().saturating_add(size) > bytes_max => {
                self.overflowed = true;
            }
            ReplyLimit::Refuses(bytes_max) if size > bytes_max => {
                Reply::Error(ReplyError::REPLY_TOO_LONG).encode(protocol, &mut self.bytes);
            }
            _ => reply.encode(protocol, &mut self.bytes),
        }
    }

    /// Sends the replies so far if they are many, and waits until they are sent. Dropped by a
    /// connection that ends meanwhile.
    pub(super) async fn send_if_large(&mut self) {
        if let Some(outlet) = &self.outlet
            && self.is_large()
            && !self.overflowed
        {
            outlet.send(&mut self.bytes).await;
        }
    }
}

/// How long a reply may be, and what happens with a longer one.
#[derive(Debug, Clone, Copy)]
pub enum ReplyLimit {
    /// The connection ends when more waits to be sent: the hard limit of Redis.
    Closes(usize),
    /// The command gets an error instead.
    Refuses(usize),
}

impl Default for ReplyLimit {
    fn default() -> Self {
        Self::Refuses(REPLY_BYTES_MAX)
    }
}

impl ReplyLimit {
    /// The limit of a client with this hard limit; 0 for none.
    pub fn of_hard_limit(bytes: u64) -> Self {
        match usize::try_from(bytes) {
            Ok(0) => Self::default(),
            bytes => Self::Closes(bytes.unwrap_or(usize::MAX)),
        }
    }
}

/// The replies of one transaction, which are one reply for the client: what is too much is replaced
/// at once, so that it takes no memory until then.
#[derive(Debug)]
pub(super) struct ReplyBudget {
    limit: ReplyLimit,
    used: usize,
}

impl ReplyBudget {
    pub(super) const fn new(limit: ReplyLimit) -> Self {
        Self { limit, used: 0 }
    }

    /// The reply, or an error in its place. Where the limit ends the connection, the reply that
    /// passes it is kept, and [`Output::push`] finds the whole to be too long.
    pub(super) fn take(&mut self, reply: Reply) -> Reply {
        let after = self.used.saturating_add(reply.encoded_bytes_max());
        let fits = match self.limit {
            ReplyLimit::Closes(bytes_max) => self.used <= bytes_max,
            ReplyLimit::Refuses(bytes_max) => after <= bytes_max,
        };
        if !fits {
            return Reply::Error(ReplyError::REPLY_TOO_LONG);
        }
        self.used = after;
        reply
    }
}
