//! What dispatch needs of a Raft group, and no more, so that it can be tested without one.

use std::future::Future;

use parking_lot::RwLock;

use crate::commands::request::Request;
use crate::data::keyspace::Keyspace;
use crate::resp::{Reply, ReplyError};
use crate::services::cluster::Member;

/// Why a request has no replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Certain: nothing of it was executed. Answered with this.
    NotExecuted(ReplyError),
    /// It may or may not have been executed: the connection must close.
    Unknown,
}

/// A replicated keyspace. Every method works on every node.
pub trait Store: Clone + Send + Sync + 'static {
    /// Executes a request through the log; one reply for each of its units, in order.
    fn propose(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Vec<Reply>, Failure>> + Send + 'static;

    /// Whether what was read from [`Store::keyspace`] until now may be answered. To be asked after
    /// reading.
    fn may_read_now(&self) -> bool;

    /// Waits until every write acknowledged before the call is visible in [`Store::keyspace`].
    fn read_barrier(&self) -> impl Future<Output = Result<(), ReplyError>>;

    /// Whether this node is fresh enough for reads that may be stale.
    fn stale_read_allowed(&self) -> Result<(), ReplyError>;

    /// The keys, as applied here.
    fn keyspace(&self) -> &RwLock<Keyspace>;

    /// The time for reads, Unix milliseconds: never before the last applied entry's.
    fn read_time_ms(&self) -> u64;

    /// The last log index applied here.
    fn applied_index(&self) -> u64;

    /// The leader, if known.
    fn leader(&self) -> Option<Member>;

    /// Whether this node leads.
    fn is_leader(&self) -> bool;
}
