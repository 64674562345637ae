//! What the parts of one group share: handles, atomics, queues.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use openraft::ServerState;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::base::blocking::while_it_ends;
use crate::base::clock::Clock;
use crate::base::config::{LiveConfig, ReadMode};
use crate::base::disk::Disk;
use crate::base::ids::{GroupId, NodeId};
use crate::base::seeded::{Bug, seeded};
use crate::base::threads::ThreadMain;
use crate::commands::Executed;
use crate::commands::request::Request;
use crate::consensus::background::disk_space::Room;
use crate::consensus::background::reclaim::Reclaim;
use crate::consensus::errors::{ProposeError, ReadError, Refusal};
use crate::consensus::membership::eligibility::Eligibility;
use crate::consensus::membership::feature_level::Levels;
use crate::consensus::membership::incarnation::Incarnations;
use crate::consensus::membership::standing::Standings;
use crate::consensus::network::channels::{Identity, Peers};
use crate::consensus::network::contacts::Contacts;
use crate::consensus::proposal::claim::Claim;
use crate::consensus::proposal::entry::Item;
use crate::consensus::proposal::forward::Job;
use crate::consensus::proposal::proposer::{Outcome, Proposal};
use crate::consensus::proposal::queue_bytes::Queued;
use crate::consensus::read::freshness::Freshness;
use crate::consensus::read::lease::{ReadGate, RestartGuard};
use crate::consensus::read::read_index::{Confirmation, ReadPoint, Waiter};
use crate::consensus::snapshot::checkpoints::Checkpoints;
use crate::consensus::snapshot::incoming::Incoming;
use crate::consensus::state_machine::apply::ItemOutcome;
use crate::consensus::state_machine::apply_worker::ApplyHandle;
use crate::consensus::state_machine::progress::Applied;
use crate::consensus::storage::disk_stall::DiskStall;
use crate::consensus::storage::flushed::FlushedLog;
use crate::consensus::storage::log::Log;
use crate::consensus::storage::reversions::Reversions;
use crate::consensus::time::ClusterTime;
use crate::consensus::types::{MemberAddresses, Metrics, Raft};
use crate::data::keyspace::{KeyspaceLock, Settings};
use crate::data::lineage::Registration;
use crate::data::meta::{Facts, Meta, Superseded};
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
    pub(crate) forwarded: AtomicU64,
    pub(crate) reversions: Reversions,
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
    pub(crate) keyspace: Arc<KeyspaceLock>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) time: ClusterTime,
    pub(crate) eligibility: Eligibility,
    pub(crate) apply: ApplyHandle,
    pub(crate) reclaim: Reclaim,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) gate: ReadGate,
    pub(crate) freshness: Freshness,
    pub(crate) contacts: Contacts,
    /// How far the log is on this node's disk.
    pub(crate) flushed: Arc<FlushedLog>,
    pub(crate) guard: RestartGuard,
    pub(crate) core: OnceLock<Core>,
    /// Feeds the seeds of entries.
    pub(crate) seed: u64,
    pub(crate) room: Room,
    pub(crate) disk_stall: DiskStall,
    /// Held while the node gets its identity.
    pub(crate) forming: tokio::sync::Mutex<()>,
    pub(crate) incoming: Incoming,
    /// Permits for entries on their way to the log.
    pub(crate) window: Arc<tokio::sync::Semaphore>,
    pub(crate) proposals: mpsc::UnboundedSender<Proposal>,
    /// Requests that are proposed in pieces.
    pub(crate) large_requests: mpsc::UnboundedSender<Proposal>,
    pub(crate) forwards: mpsc::UnboundedSender<Job>,
    /// What waits in the two queues above, and what was sent to a leader that has not answered.
    pub(crate) queued: Queued,
    pub(crate) reads: mpsc::UnboundedSender<Waiter>,
    pub(crate) queues: Mutex<Option<Queues>>,
    pub(crate) tasks: mpsc::UnboundedSender<ThreadMain>,
    /// To the thread that looks after the disk.
    pub(crate) disk_tasks: mpsc::UnboundedSender<ThreadMain>,
    pub(crate) leads: AtomicBool,
    pub(crate) leadership: watch::Sender<Leadership>,
    pub(crate) statuses: watch::Sender<RaftStatus>,
    pub(crate) stopping: AtomicBool,
    /// Why this node must not go on: removed from its cluster, or a failure of disk or core.
    pub(crate) ended: watch::Sender<Option<Ended>>,
    pub(crate) standings: Arc<Standings>,
    pub(crate) incarnations: Arc<Incarnations>,
    pub(crate) levels: Levels,
    /// When a leader was last heard, microseconds after `origin`; 0 for never.
    pub(crate) contact: AtomicU64,
    pub(crate) origin: Instant,
    pub(crate) counters: Counters,
}

/// The receiving ends, until the core starts.
pub(crate) struct Queues {
    pub(crate) proposals: mpsc::UnboundedReceiver<Proposal>,
    pub(crate) large_requests: mpsc::UnboundedReceiver<Proposal>,
    pub(crate) forwards: mpsc::UnboundedReceiver<Job>,
    pub(crate) reads: mpsc::UnboundedReceiver<Waiter>,
}

/// The sending ends, in the same order.
type Senders = (
    [mpsc::UnboundedSender<Proposal>; 2],
    mpsc::UnboundedSender<Job>,
    mpsc::UnboundedSender<Waiter>,
);

impl Queues {
    pub(crate) fn new() -> (Senders, Self) {
        let (to_proposer, proposals) = mpsc::unbounded_channel();
        let (to_large, large_requests) = mpsc::unbounded_channel();
        let (to_forwarder, forwards) = mpsc::unbounded_channel();
        let (to_reads, reads) = mpsc::unbounded_channel();
        let senders = ([to_proposer, to_large], to_forwarder, to_reads);
        (senders, Self { proposals, large_requests, forwards, reads })
    }
}

/// Why the group ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The node is no longer a member; its data directory must not be used again.
    Removed(String),
    /// Disk or core failed; the process must stop.
    Failed(String),
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

    /// Whether this node cannot find a leader for now, so that its clients must not wait for one:
    /// it belongs to no cluster yet, its data has to be confirmed, or its disk hangs.
    pub(crate) fn takes_no_part(&self) -> bool {
        self.core.get().is_none() || self.is_in_doubt() || self.disk_stall.gave_up()
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    /// What this node's own reads need.
    pub(crate) fn confirmation(&self) -> Confirmation {
        match self.config.load().reads.mode {
            ReadMode::Quorum => Confirmation::Quorum,
            ReadMode::Lease | ReadMode::Stale => Confirmation::Lease,
        }
    }

    /// Bytes that may wait in one queue.
    pub(crate) fn queue_bytes_max(&self) -> u64 {
        self.config.load().limits.queue_bytes_max
    }

    /// Whether so much waits for the disk that more must not be taken.
    pub(crate) fn disk_busy(&self) -> bool {
        self.log.unflushed_bytes() >= self.config.load().log.unflushed_bytes_max
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
    /// the silence after which any of those that acknowledge votes for another, by their settings
    /// and not only by this node's, so that clocks may run at different rates.
    pub(crate) fn lease(&self) -> Duration {
        let raft = &self.config.load().raft;
        let percent = u64::from(raft.lease_percent.min(100));
        let granted_ms = match self.time.lease_ms_max() {
            _ if seeded(Bug::LeaseOfOwnConfig) => raft.leader_lease_ms(),
            granted_ms => granted_ms.min(raft.leader_lease_ms()),
        };
        Duration::from_millis(granted_ms * percent / 100)
    }

    pub(crate) async fn wait_for_leader(&self) -> Option<NodeId> {
        let mut leadership = self.leadership.subscribe();
        let known = leadership.wait_for(|now| now.leader.is_some());
        let found = tokio::time::timeout(self.leader_patience(), known).await;
        found.ok()?.ok()?.leader
    }

    /// Whether this node leads, or follows a leader that it heard a moment ago.
    pub(crate) fn hears_leader(&self) -> bool {
        let silence_ms_max = self.config.load().raft.leader_silence_ms();
        let heard = || self.contact_age_ms().is_some_and(|age_ms| age_ms <= silence_ms_max);
        self.is_leader() || (self.leadership.borrow().leader.is_some() && heard())
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
        let leads_alone = || self.is_leader() && self.metrics().as_ref().is_some_and(leads_alone);
        if self.gate.is_open() || leads_alone() {
            return Some(0);
        }
        match self.contact.load(Ordering::Relaxed) {
            0 => None,
            heard => Some((self.origin.elapsed().as_micros() as u64).saturating_sub(heard) / 1000),
        }
    }

    /// Queues an item for the log; whoever waits gets nothing if the core is gone.
    pub(crate) fn queue_item(&self, item: Item, deny_oom: bool) -> oneshot::Receiver<Outcome> {
        self.queue_claimed(item, deny_oom, Claim::default())
    }

    /// As [`Shared::queue_item`], of an item that can be withdrawn.
    pub(crate) fn queue_claimed(
        &self,
        item: Item,
        deny_oom: bool,
        claim: Claim,
    ) -> oneshot::Receiver<Outcome> {
        let place = match &item {
            Item::Request(_) | Item::SetParameter { .. } | Item::SetParameters(_) => {
                self.queued.proposals.enter(item.encoded_bytes(), self.queue_bytes_max()).map(Some)
            }
            _ => Ok(None),
        };
        let place = match place {
            Ok(place) => place,
            Err(refusal) => return refused(refusal),
        };
        let (done, outcome) = oneshot::channel();
        self.queue(Proposal { item, deny_oom, claim, place, done });
        outcome
    }

    pub(crate) fn queue(&self, proposal: Proposal) {
        let allowed = self.check_level(proposal.item.needs_level(), proposal.item.name());
        if let Err(refusal) = allowed {
            proposal.refuse(refusal);
        } else if self.stopping.load(Ordering::Relaxed) {
            proposal.refuse(Refusal::Stopping);
        } else if self.takes_no_part() {
            proposal.refuse(Refusal::NoLeader);
        } else if let Err(mpsc::error::SendError(proposal)) =
            self.queue_for(&proposal).send(proposal)
        {
            proposal.refuse(Refusal::Stopping);
        }
    }

    fn queue_for(&self, proposal: &Proposal) -> &mpsc::UnboundedSender<Proposal> {
        match &proposal.item {
            Item::Request(bytes) if self.is_large(bytes.len()) => &self.large_requests,
            _ => &self.proposals,
        }
    }

    pub(crate) fn queue_request(
        &self,
        request: Request,
        claim: &Claim,
    ) -> oneshot::Receiver<Outcome> {
        if request.units == 0 {
            let (done, outcome) = oneshot::channel();
            let _ = done.send(Ok(ItemOutcome::Executed(Executed::default())));
            return outcome;
        }
        if let Err(refusal) = self.check_request_level(&request) {
            return refused(refusal);
        }
        self.queue_claimed(Item::Request(request.bytes), request.deny_oom, claim.clone())
    }

    pub(crate) fn queue_parameters(
        &self,
        mut parameters: Vec<(String, Bytes)>,
        claim: &Claim,
    ) -> oneshot::Receiver<Outcome> {
        // Replicas of two versions could differ in what they refuse, so nothing that this leader
        // would refuse comes into the log.
        let mut settings = Settings::default();
        for (name, value) in &parameters {
            if let Err(reason) = settings.set(name, value) {
                return refused(Refusal::Invalid(reason.0.into_owned()));
            }
        }
        let item = match parameters.pop() {
            Some((name, value)) if parameters.is_empty() => Item::SetParameter { name, value },
            last => {
                parameters.extend(last);
                Item::SetParameters(parameters)
            }
        };
        self.queue_claimed(item, false, claim.clone())
    }

    /// One read index, shared with everyone who asks at the moment.
    pub(crate) async fn read_index(&self) -> Result<ReadPoint, ReadError> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(ReadError::Stopping);
        }
        if self.takes_no_part() {
            return Err(ReadError::NoLeader);
        }
        let (waiter, answer) = oneshot::channel();
        self.reads.send(waiter).map_err(|_| ReadError::Stopping)?;
        match tokio::time::timeout(self.request_timeout(), answer).await {
            Ok(Ok(result)) => result,
            _ => Err(ReadError::NoLeader),
        }
    }

    /// Changes what is noted about this node, durably, on the thread that may wait for the disk.
    pub(crate) async fn note(
        &self,
        change: impl FnOnce(&mut Facts) + Send + 'static,
    ) -> Result<(), String> {
        let (done, noted) = oneshot::channel();
        let meta = self.meta.clone();
        let main: ThreadMain = Box::new(move || {
            Box::pin(async move {
                // It is noted even if the caller has given up.
                let _ = done.send(meta.update(change));
            })
        });
        let stopped = || "the disk thread has stopped".to_owned();
        self.disk_tasks.send(main).map_err(|_| stopped())?;
        noted.await.map_err(|_| stopped())?.map_err(|error| error.to_string())
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

    /// The data here contradicts the cluster: remembered on disk, so that it is never served again.
    pub(crate) fn condemn(&self, reason: &str) {
        let ended = Ended::Failed(format!("its data contradicts the cluster: {reason}"));
        let note = |facts: &mut Facts| facts.condemned = Some(reason.to_owned());
        self.end_for_good(ended, "the data here must not be served", note);
    }

    /// The data here is a copy or an old state: remembered on disk, so that it is never served.
    pub(crate) fn supersede(&self, reason: &str, registered: Registration) {
        let ended = Ended::Failed(format!("its data is not the cluster's: {reason}"));
        let superseded = Superseded { reason: reason.to_owned(), registered };
        let note = |facts: &mut Facts| facts.superseded = Some(superseded);
        self.end_for_good(ended, "the data here must not be served", note);
    }

    /// This node is a member no longer: remembered on disk, so that it never starts there again.
    pub(crate) fn become_removed(&self, reason: &str) {
        let note = |facts: &mut Facts| facts.removed = Some(reason.to_owned());
        self.end_for_good(Ended::Removed(reason.to_owned()), "this node was removed", note);
    }

    /// Ends this node once its disk holds why it must not start again.
    fn end_for_good(&self, ended: Ended, what: &str, note: impl FnOnce(&mut Facts)) {
        self.stopping.store(true, Ordering::Release);
        if let Err(error) = while_it_ends(|| self.meta.update(note)) {
            tracing::error!(%error, "cannot note that {what}");
        }
        self.end(ended);
    }
}

fn refused(refusal: Refusal) -> oneshot::Receiver<Outcome> {
    let (done, outcome) = oneshot::channel();
    let _ = done.send(Err(ProposeError::NotExecuted(refusal)));
    outcome
}

/// The only voter is its own majority.
pub(crate) fn leads_alone(metrics: &Metrics) -> bool {
    metrics.state == ServerState::Leader
        && metrics.membership_config.voter_ids().all(|voter| voter == metrics.id)
}

/// What an applied request answers.
pub(crate) fn executed(outcome: ItemOutcome) -> Result<Executed, ProposeError> {
    match outcome {
        ItemOutcome::Executed(executed) => Ok(executed),
        ItemOutcome::Done | ItemOutcome::Registered | ItemOutcome::NodeId(_) => {
            Ok(Executed::default())
        }
        ItemOutcome::Refused(text) => Err(ProposeError::NotExecuted(Refusal::Invalid(text))),
        // Another node has led in between: the next leader gets all of it.
        ItemOutcome::OutOfPlace => Err(ProposeError::NotExecuted(Refusal::NoLeader)),
    }
}
