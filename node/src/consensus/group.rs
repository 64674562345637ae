//! The handle of one Raft group: propose, read, ask, change. Works the same on every node.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{oneshot, watch};

use super::admin_client::AdminClient;
use super::convert::log_id_to_position;
use super::entry::Item;
use super::errors::{ProposeError, ReadError, Refusal};
use super::forward::{Answer, Job, Work};
use super::log::LogPosition;
use super::membership::{self, Change, ChangeError, Expected};
use super::peers::Identity;
use super::shared::{Ended, Shared, replies_of};
use super::status;
use super::types::MemberAddresses;
use crate::base::config::ReadMode;
use crate::base::ids::{ClusterId, NodeId};
use crate::base::threads::ThreadMain;
use crate::commands::request::Request;
use crate::data::keyspace::Keyspace;
use crate::resp::Reply;
use crate::services::cluster::{Member, RaftStatus};

/// How long the leader has for a change that a follower passes on.
const HOP_PATIENCE: Duration = Duration::from_secs(15);

/// A handle; clones are cheap and mean the same group.
#[derive(Clone)]
pub struct Group(pub(super) Arc<Shared>);

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group({})", self.0.group_id)
    }
}

impl Group {
    /// Executes a request through the log: one reply for each unit. Queued in the order of the
    /// calls.
    pub fn propose(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Vec<Reply>, ProposeError>> + Send + 'static {
        let timeout = self.0.request_timeout();
        let waiting = if self.0.is_leader() {
            Waiting::Here(self.0.queue_request(request))
        } else {
            Waiting::There(self.forward(Work::Propose(request)))
        };
        async move {
            // Past the timeout it may still be executed.
            let answer = tokio::time::timeout(timeout, waiting.replies()).await;
            answer.unwrap_or(Err(ProposeError::Unknown))
        }
    }

    /// Changes a cluster-wide parameter on every node.
    pub async fn set_parameter(&self, name: &str, value: &[u8]) -> Result<(), ProposeError> {
        let (name, value) = (name.to_owned(), bytes::Bytes::copy_from_slice(value));
        let waiting = if self.0.is_leader() {
            Waiting::Here(self.0.queue_parameter(name, value))
        } else {
            Waiting::There(self.forward(Work::SetParameter { name, value }))
        };
        let answer = tokio::time::timeout(self.0.request_timeout(), waiting.replies()).await;
        answer.unwrap_or(Err(ProposeError::Unknown)).map(drop)
    }

    fn forward(&self, work: Work) -> oneshot::Receiver<super::forward::Answered> {
        let (done, answer) = oneshot::channel();
        if self.0.stopping.load(Ordering::Relaxed) || self.0.core.get().is_none() {
            let _ = done.send(Err(ProposeError::NotExecuted(Refusal::NoLeader)));
        } else if let Err(refused) = self.0.forwards.send(Job { work, done }) {
            let _ = refused.0.done.send(Err(ProposeError::NotExecuted(Refusal::Stopping)));
        }
        answer
    }

    /// Whether what was read until now may be answered. Read first, under the lock, then ask.
    pub fn may_read_now(&self) -> bool {
        self.0.config.load().reads.mode == ReadMode::Lease && self.0.gate.is_open()
    }

    /// After success every write acknowledged before the call is visible in [`Group::keyspace`].
    pub async fn read_barrier(&self) -> Result<(), ReadError> {
        let index = self.0.read_index().await?;
        let mut ended = self.0.ended.subscribe();
        tokio::select! {
            biased;
            () = self.0.applied.wait_for(index) => Ok(()),
            // A node that was removed never gets what the leader speaks of.
            _ = ended.wait_for(Option::is_some) => Err(ReadError::Stopping),
            () = tokio::time::sleep(self.0.request_timeout()) => Err(ReadError::NoLeader),
        }
    }

    /// Whether reads that may be stale are fresh enough here.
    pub fn stale_read_allowed(&self) -> Result<(), ReadError> {
        let heard_ms = self.0.contact_age_ms().ok_or(ReadError::TooStale)?;
        if heard_ms <= self.0.config.load().reads.stale_lag_max_ms {
            Ok(())
        } else {
            Err(ReadError::TooStale)
        }
    }

    /// The keys, as applied here.
    pub fn keyspace(&self) -> &RwLock<Keyspace> {
        &self.0.keyspace
    }

    /// The time for reads, Unix milliseconds.
    pub fn read_time_ms(&self) -> u64 {
        self.0.read_time_ms()
    }

    /// The last log index applied here.
    pub fn applied_index(&self) -> u64 {
        self.0.applied.index()
    }

    /// The group at this moment.
    pub fn status(&self) -> RaftStatus {
        status::status(&self.0)
    }

    /// The leader, if known.
    pub fn leader(&self) -> Option<Member> {
        self.0.statuses.borrow().leader_member().cloned()
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.0.is_leader()
    }

    /// Tells of every change of term, role, leader and members.
    pub fn role_changes(&self) -> watch::Receiver<RaftStatus> {
        self.0.statuses.subscribe()
    }

    /// Other members known to hold the log up to `index`; 0 when this node does not lead.
    pub fn replicas_with(&self, index: u64) -> u32 {
        self.0.replicas_with(index)
    }

    /// As [`Group::replicas_with`], asking the leader when this node is not it.
    pub async fn ask_replicas_with(&self, index: u64) -> u32 {
        if self.0.is_leader() {
            return self.0.replicas_with(index);
        }
        match self.forward(Work::Replicas(index)).await {
            Ok(Ok(Answer::Replicas(count))) => count,
            _ => 0,
        }
    }

    /// Who this node is, once it belongs to a cluster.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.0.core.get().map(|core| core.identity.clone())
    }

    /// Tells when the group ended by itself.
    pub fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.0.ended.subscribe()
    }

    /// Runs a future on the raft thread, beside the core.
    pub fn run_on_raft_thread(&self, main: ThreadMain) -> bool {
        self.0.tasks.send(main).is_ok()
    }

    /// Reserves a node id; goes to the leader.
    pub async fn allocate_node_id(
        &self,
        forwarded: bool,
    ) -> Result<(ClusterId, NodeId), ChangeError> {
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        if !self.0.is_leader() {
            return self.leader_client(forwarded).await?.allocate(true).await;
        }
        match self.0.queue_item(Item::AllocateNode, false).await {
            Ok(Ok(super::apply::ItemOutcome::NodeId(id))) => Ok((identity.cluster_id.clone(), id)),
            Ok(Err(ProposeError::NotExecuted(_))) => Err(ChangeError::NotLeader(None)),
            _ => Err(ChangeError::Unknown),
        }
    }

    /// Makes one membership change; goes to the leader unless it was `forwarded` already.
    pub async fn change(
        &self,
        change: Change,
        expected: Expected,
        forwarded: bool,
    ) -> Result<LogPosition, ChangeError> {
        if self.0.is_leader() {
            let changed = membership::change(&self.0, change, expected).await;
            return changed.map(|at| log_id_to_position(&at));
        }
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        let mut leader = self.leader_client(forwarded).await?;
        let changed = leader.change(&identity.cluster_id, change, expected, true).await;
        changed.map(|at| log_id_to_position(&at))
    }

    /// Hands the leadership over; `None` picks the voter that is furthest.
    pub async fn transfer_leader(
        &self,
        target: Option<NodeId>,
        expected: Expected,
        forwarded: bool,
    ) -> Result<(), ChangeError> {
        if self.0.is_leader() {
            return membership::transfer(&self.0, target, expected).await;
        }
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        let mut leader = self.leader_client(forwarded).await?;
        leader.transfer(&identity.cluster_id, target, expected).await
    }

    async fn leader_client(&self, forwarded: bool) -> Result<AdminClient, ChangeError> {
        if forwarded {
            // Two nodes that take each other for the leader must not pass a change to and fro.
            return Err(ChangeError::NotLeader(self.0.leadership.borrow().leader));
        }
        let leader = self.0.wait_for_leader().await.ok_or(ChangeError::NotLeader(None))?;
        let address = self.0.address_of(leader).ok_or(ChangeError::NotLeader(None))?;
        AdminClient::new(&self.0.peers, &address.raft, HOP_PATIENCE)
    }

    /// Writes a checkpoint of what is applied now and waits for it; its log index.
    pub async fn checkpoint_now(&self) -> Result<u64, ChangeError> {
        let core = self.0.core.get().ok_or(ChangeError::NotLeader(None))?;
        let wanted = self.0.applied.index();
        if wanted == 0 {
            return Ok(0);
        }
        // The core forgets a request that comes before it has noticed the end of the checkpoint
        // before: it is asked again until there is one.
        for polls in 0_u32.. {
            match self.0.checkpoints.index() {
                Some(index) if index >= wanted => return Ok(index),
                _ if self.0.ended.borrow().is_some() => return Err(ChangeError::Unknown),
                _ if polls % 20 == 0 => {
                    core.raft.trigger().snapshot().await.map_err(|_| ChangeError::Unknown)?;
                }
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(ChangeError::Unknown)
    }

    /// Writes a checkpoint of what is applied now, loads it and goes on with what was loaded.
    /// Nothing is applied meanwhile.
    pub async fn reload(&self) -> std::io::Result<()> {
        self.0.apply.reload(self.0.checkpoints.clone()).await
    }

    /// Drops the log behind the checkpoint in force, whatever the settings keep.
    #[cfg(test)]
    pub(crate) async fn purge_log_for_test(&self) {
        if let (Some(core), Some(index)) = (self.0.core.get(), self.0.checkpoints.index()) {
            core.raft.trigger().purge_log(index).await.expect("the core runs");
        }
    }

    /// Hands leadership over if this node leads, as well as it can within a second.
    pub async fn hand_over(&self) {
        super::start::hand_over(&self.0).await;
    }

    /// Stops in order: hands leadership over, refuses new requests, lets those on their way finish,
    /// makes the log durable. Takes no longer than the configured time.
    pub async fn stop(&self) {
        super::start::stop(&self.0).await;
    }

    /// The addresses this node is known by.
    pub fn addresses(&self) -> &MemberAddresses {
        &self.0.addresses
    }
}

/// Where the answer comes from.
enum Waiting {
    Here(oneshot::Receiver<super::proposer::Outcome>),
    There(oneshot::Receiver<super::forward::Answered>),
}

impl Waiting {
    async fn replies(self) -> Result<Vec<Reply>, ProposeError> {
        match self {
            Self::Here(outcome) => replies_of(outcome.await.unwrap_or(Err(ProposeError::Unknown))?),
            Self::There(answer) => match answer.await.unwrap_or(Err(ProposeError::Unknown))? {
                Answer::Replies(replies) => Ok(replies),
                _ => Err(ProposeError::Unknown),
            },
        }
    }
}
