//! What the parts of one group share: handles, atomics, queues.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use openraft::ServerState;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::applied::Applied;
use super::apply::ItemOutcome;
use super::apply_thread::ApplyHandle;
use super::checkpoints::Checkpoints;
use super::entry::Item;
use super::errors::{ProposeError, ReadError, Refusal};
use super::forward::Job;
use super::lease::{ReadGate, RestartGuard};
use super::log::Log;
use super::peers::{Identity, Peers};
use super::proposer::{Outcome, Proposal};
use super::reads::Waiter;
use super::room::Room;
use super::types::{MemberAddresses, Metrics, Raft};
use crate::base::clock::Clock;
use crate::base::config::{LiveConfig, ReadMode};
use crate::base::disk::Disk;
use crate::base::ids::{GroupId, NodeId};
use crate::base::threads::ThreadMain;
use crate::commands::request::Request;
use crate::data::keyspace::Keyspace;
use crate::data::meta::Meta;
use crate::resp::Reply;
use crate::services::cluster::RaftStatus;

/// The running core, once this node has an identity.
pub(crate) struct Core {
    pub(crate) raft: Raft,
    pub(crate) identity: Arc<Identity>,
}

/// Who leads, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Leadership {
    pub(crate) term: u64,
    pub(crate) leader: Option<NodeId>,
    pub(crate) is_self: bool,
}

/// Figures for metrics.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) entries_proposed: AtomicU64,
    pub(crate) elections: AtomicU64,
}

/// See the module.
pub(crate) struct Shared {
    pub(crate) group_id: GroupId,
    /// The one source of settings, those that change while the group runs included.
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) addresses: MemberAddresses,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) directory: std::path::PathBuf,
    pub(crate) meta: Arc<Meta>,
    pub(crate) log: Log,
    pub(crate) peers: Peers,
    pub(crate) keyspace: Arc<RwLock<Keyspace>>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) apply: ApplyHandle,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) gate: ReadGate,
    pub(crate) guard: RestartGuard,
    pub(crate) core: OnceLock<Core>,
    /// Feeds the seeds of entries.
    pub(crate) seed: u64,
    pub(crate) room: Room,
    /// Held while the node gets its identity.
    pub(crate) forming: tokio::sync::Mutex<()>,
    /// Held while a snapshot arrives.
    pub(crate) receiving: tokio::sync::Mutex<()>,
    /// Permits for entries on their way to the log.
    pub(crate) window: Arc<tokio::sync::Semaphore>,
    pub(crate) proposals: mpsc::UnboundedSender<Proposal>,
    pub(crate) forwards: mpsc::UnboundedSender<Job>,
    pub(crate) reads: mpsc::UnboundedSender<Waiter>,
    pub(crate) queues: Mutex<Option<Queues>>,
    pub(crate) tasks: mpsc::UnboundedSender<ThreadMain>,
    pub(crate) leads: AtomicBool,
    pub(crate) leadership: watch::Sender<Leadership>,
    pub(crate) statuses: watch::Sender<RaftStatus>,
    pub(crate) stopping: AtomicBool,
    /// Why this node must not go on: removed from its cluster, or a failure of disk or core.
    pub(crate) ended: watch::Sender<Option<Ended>>,
    pub(crate) tombstones: Arc<Tombstones>,
    /// When a leader was last heard, microseconds after `origin`; 0 for never.
    pub(crate) contact: AtomicU64,
    pub(crate) origin: Instant,
    pub(crate) counters: Counters,
}

/// The receiving ends, until the core starts.
pub(crate) struct Queues {
    pub(crate) proposals: mpsc::UnboundedReceiver<Proposal>,
    pub(crate) forwards: mpsc::UnboundedReceiver<Job>,
    pub(crate) reads: mpsc::UnboundedReceiver<Waiter>,
}

/// Why the group ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The node is no longer a member; its data directory must not be used again.
    Removed(String),
    /// Disk or core failed; the process must stop.
    Failed(String),
}

/// Ids that were removed from the cluster, as applied here.
#[derive(Debug, Default)]
pub(crate) struct Tombstones(RwLock<std::collections::BTreeSet<NodeId>>);

impl Tombstones {
    pub(crate) fn set(&self, removed: &std::collections::BTreeSet<NodeId>) {
        self.0.write().clone_from(removed);
    }

    pub(crate) fn contains(&self, id: NodeId) -> bool {
        self.0.read().contains(&id)
    }
}

impl Shared {
    pub(crate) fn raft(&self) -> Option<&Raft> {
        self.core.get().map(|core| &core.raft)
    }

    /// A copy of what the core reports; `None` before it runs.
    pub(crate) fn metrics(&self) -> Option<Metrics> {
        use openraft::async_runtime::watch::WatchReceiver;
        self.raft().map(|raft| raft.metrics().borrow_watched().clone())
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    pub(crate) fn lease_reads(&self) -> bool {
        self.config.load().reads.mode != ReadMode::Quorum
    }

    /// Own clock, but never before what the log says.
    pub(crate) fn read_time_ms(&self) -> u64 {
        self.clock.unix_ms().max(self.applied.time_ms())
    }

    /// Whether writes are refused until there is more room.
    pub(crate) fn disk_full(&self) -> bool {
        self.log.disk_full() || self.room.is_low()
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.config.load().raft.request_timeout_ms)
    }

    /// How long a request that was not yet sent waits for somebody to lead.
    pub(crate) fn leader_patience(&self) -> Duration {
        Duration::from_millis(self.config.load().raft.leader_patience_ms())
    }

    /// How long after a quorum's acknowledgement this node may answer reads alone. Shorter than
    /// the silence after which anyone may vote for another, so that clocks may run at different
    /// rates.
    pub(crate) fn lease(&self) -> Duration {
        let raft = &self.config.load().raft;
        let percent = u64::from(raft.lease_percent.min(100));
        Duration::from_millis(raft.leader_lease_ms() * percent / 100)
    }

    pub(crate) async fn wait_for_leader(&self) -> Option<NodeId> {
        let mut leadership = self.leadership.subscribe();
        let known = leadership.wait_for(|now| now.leader.is_some());
        let found = tokio::time::timeout(self.leader_patience(), known).await;
        found.ok()?.ok()?.leader
    }

    pub(crate) fn address_of(&self, node: NodeId) -> Option<MemberAddresses> {
        self.metrics()?.membership_config.get_node(&node).cloned()
    }

    /// A leader of this cluster was heard.
    pub(crate) fn note_contact(&self) {
        let now = self.origin.elapsed().as_micros() as u64;
        self.contact.store(now.max(1), Ordering::Relaxed);
    }

    /// Milliseconds since a leader was heard; 0 on a leader that its followers still acknowledge.
    pub(crate) fn contact_age_ms(&self) -> Option<u64> {
        if self.gate.is_open() || self.metrics().as_ref().is_some_and(leads_alone) {
            return Some(0);
        }
        match self.contact.load(Ordering::Relaxed) {
            0 => None,
            heard => Some((self.origin.elapsed().as_micros() as u64).saturating_sub(heard) / 1000),
        }
    }

    /// Queues an item for the log; whoever waits gets nothing if the core is gone.
    pub(crate) fn queue_item(&self, item: Item, deny_oom: bool) -> oneshot::Receiver<Outcome> {
        let (done, outcome) = oneshot::channel();
        let proposal = Proposal { item, deny_oom, done };
        if self.stopping.load(Ordering::Relaxed) {
            proposal.refuse(Refusal::Stopping);
        } else if self.core.get().is_none() {
            // An empty node waits for a cluster; its clients must not wait with it.
            proposal.refuse(Refusal::NoLeader);
        } else if let Err(mpsc::error::SendError(proposal)) = self.proposals.send(proposal) {
            proposal.refuse(Refusal::Stopping);
        }
        outcome
    }

    pub(crate) fn queue_request(&self, request: Request) -> oneshot::Receiver<Outcome> {
        if request.units == 0 {
            let (done, outcome) = oneshot::channel();
            let _ = done.send(Ok(ItemOutcome::Replies(Vec::new())));
            return outcome;
        }
        self.queue_item(Item::Request(request.bytes), request.deny_oom)
    }

    pub(crate) fn queue_parameter(&self, name: String, value: Bytes) -> oneshot::Receiver<Outcome> {
        self.queue_item(Item::SetParameter { name, value }, false)
    }

    /// One read index, shared with everyone who asks at the moment.
    pub(crate) async fn read_index(&self) -> Result<u64, ReadError> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(ReadError::Stopping);
        }
        if self.core.get().is_none() {
            return Err(ReadError::NoLeader);
        }
        let (waiter, answer) = oneshot::channel();
        self.reads.send(waiter).map_err(|_| ReadError::Stopping)?;
        match tokio::time::timeout(self.request_timeout(), answer).await {
            Ok(Ok(result)) => result,
            _ => Err(ReadError::NoLeader),
        }
    }

    /// Other members known to hold the log up to `index` on disk; known to the leader only.
    pub(crate) fn replicas_with(&self, index: u64) -> u32 {
        let Some(metrics) = self.metrics() else { return 0 };
        let replication = metrics.replication.unwrap_or_default();
        let others = replication.iter().filter(|(id, _)| **id != metrics.id);
        others.filter(|(_, matched)| matched.is_some_and(|id| id.index >= index)).count() as u32
    }

    /// The first reason counts.
    pub(crate) fn end(&self, reason: Ended) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                tracing::error!(?reason, "this node ends");
                *ended = Some(reason);
            }
            first
        });
    }

    /// This node is a member no longer: remembered on disk, so that it never starts there again.
    pub(crate) fn become_removed(&self, reason: &str) {
        self.stopping.store(true, Ordering::Release);
        let noted = self.meta.update(|facts| facts.removed = Some(reason.to_owned()));
        if let Err(error) = noted {
            tracing::error!(%error, "cannot note that this node was removed");
        }
        self.end(Ended::Removed(reason.to_owned()));
    }
}

/// The only voter is its own majority.
pub(crate) fn leads_alone(metrics: &Metrics) -> bool {
    metrics.state == ServerState::Leader
        && metrics.membership_config.voter_ids().all(|voter| voter == metrics.id)
}

/// The replies of an applied request.
pub(crate) fn replies_of(outcome: ItemOutcome) -> Result<Vec<Reply>, ProposeError> {
    match outcome {
        ItemOutcome::Replies(replies) => Ok(replies),
        ItemOutcome::Done | ItemOutcome::NodeId(_) => Ok(Vec::new()),
        ItemOutcome::Refused(text) => Err(ProposeError::NotExecuted(Refusal::Invalid(text))),
    }
}
