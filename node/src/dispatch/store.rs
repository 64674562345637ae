//! What dispatch needs from a Raft group, so that it can be tested without one.

use std::future::Future;

use crate::base::group_time::GroupTime;
use crate::commands::Executed;
use crate::commands::request::Request;
use crate::data::keyspace::KeyspaceLock;
use crate::resp::ReplyError;
use crate::services::cluster::Member;

/// Why a request has no replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It is certain that nothing of it was executed. This is the reply.
    NotExecuted(ReplyError),
    /// It may or may not have been executed: the connection must close.
    Unknown,
}

/// A replicated keyspace. Every method works on every node.
pub trait Store: Proposer + ReadControl + Replica + Clone + Send + Sync + 'static {}

impl<S: Proposer + ReadControl + Replica + Clone + Send + Sync + 'static> Store for S {}

/// Writes through the log.
pub trait Proposer {
    /// Executes a request through the log.
    fn propose(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Executed, Failure>> + Send + 'static;
}

/// When a read may be answered, and at which time it reads.
pub trait ReadControl {
    /// Whether what was read from [`Replica::keyspace`] until now may be sent to a client. Must be
    /// called after reading.
    fn may_read_now(&self) -> bool;

    /// Waits until everything that another node may have shown is visible in
    /// [`Replica::keyspace`]. Must be called before a read that [`ReadControl::may_read_now`]
    /// confirms.
    fn catch_up(&self) -> impl Future<Output = Result<(), ReplyError>>;

    /// The time for a read that [`ReadControl::may_read_now`] is to confirm.
    fn leader_time(&self) -> GroupTime;

    /// Must be called with the time of a read that [`ReadControl::may_read_now`] has confirmed,
    /// before it is answered.
    fn note_read(&self, time: GroupTime);

    /// Waits until every write acknowledged, and every value returned by a read, on any node before
    /// the call is visible in [`Replica::keyspace`]. Returns the time for the read.
    fn read_barrier(&self) -> impl Future<Output = Result<GroupTime, ReplyError>>;

    /// Whether this node is fresh enough for reads that may be stale.
    fn stale_read_allowed(&self) -> Result<(), ReplyError>;

    /// The time for reads that may be stale.
    fn stale_time(&self) -> GroupTime;
}

/// The state of this node's replica.
pub trait Replica {
    /// The keys, as applied on this node.
    fn keyspace(&self) -> &KeyspaceLock;

    /// Counts the beginnings and ends of snapshots that replace all keys: odd while the keys are
    /// incomplete.
    fn loads(&self) -> u64;

    /// Time of the last entry of which some effect may be visible. Must be called with the lock of
    /// the keyspace held: no read may have an earlier time.
    fn applied_time(&self) -> GroupTime;

    /// The last log index applied on this node.
    fn applied_index(&self) -> u64;

    /// The leader, if this node knows one and has had contact to it recently.
    fn leader(&self) -> Option<Member>;

    /// Whether this node leads.
    fn is_leader(&self) -> bool;
}
