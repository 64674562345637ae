//! Waiting requests become log entries: all that wait go into one, a few entries at a time are on
//! their way, and no timer delays anything: a batch forms while the ones before it travel, and the
//! first one goes at once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use openraft::errors::ClientWriteError;
use openraft::raft::ClientWriteResult;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::claim::Claim;
use super::entry::{GroupEntry, Item};
use super::queue::ProposalQueue;
use super::queue_bytes::Place;
use super::stamping::term_to_stamp;
use crate::base::limits::{ENTRY_BATCH_BYTES, ENTRY_BYTES_MAX, EVICTION_WAIT_MAX};
use crate::base::random::Random;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::background::evictions::Choice;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::shared::Shared;
use crate::consensus::state_machine::apply::ItemOutcome;
use crate::consensus::types::{GroupEntryBytes, OnComplete, Raft, TypeConfig};
use crate::data::keyspace::VictimsEnd;

/// Requests that are worth an entry while others travel. Each entry costs a flush and several
/// wake-ups on every node: with 8 a write of 50 clients takes a fifth less CPU time than with 1.
const PIPELINED_REQUESTS_MIN: usize = 8;

/// Bytes that are.
const PIPELINED_BYTES_MIN: usize = 64 << 10;

/// What the proposer answers.
pub(crate) type Outcome = Result<ItemOutcome, ProposeError>;

/// Something to put into the log. Whoever waits learns from a dropped sender that the fate is
/// unknown.
pub(crate) struct Proposal {
    pub(crate) item: Item,
    /// Refused when memory is full.
    pub(crate) deny_oom: bool,
    pub(crate) claim: Claim,
    /// Of a client's request.
    pub(crate) place: Option<Place>,
    pub(crate) done: oneshot::Sender<Outcome>,
}

impl Proposal {
    pub(crate) fn refuse(self, refusal: Refusal) {
        // A client that is gone needs no answer.
        let _ = self.done.send(Err(ProposeError::NotExecuted(refusal)));
    }
}

/// What becomes one entry.
#[derive(Default)]
struct Batch {
    proposals: Vec<Proposal>,
    bytes: usize,
}

impl Batch {
    /// Gives back what is too much.
    fn push(&mut self, proposal: Proposal) -> Option<Proposal> {
        let bytes = self.bytes + proposal.item.encoded_bytes();
        if bytes > ENTRY_BYTES_MAX && !self.proposals.is_empty() {
            return Some(proposal);
        }
        self.bytes = bytes;
        self.proposals.push(proposal);
        None
    }

    fn is_worth_an_entry(&self) -> bool {
        self.proposals.len() >= PIPELINED_REQUESTS_MIN || self.bytes >= PIPELINED_BYTES_MIN
    }
}

/// The proposer of one group; runs on the raft thread.
pub(crate) struct Proposer {
    shared: Arc<Shared>,
    raft: Raft,
    queue: ProposalQueue,
    random: Random,
}

impl Proposer {
    pub(crate) fn new(shared: Arc<Shared>, raft: Raft, queue: ProposalQueue, seed: u64) -> Self {
        Self { shared, raft, queue, random: Random::new(seed) }
    }

    /// Ends when the group is dropped.
    pub(crate) async fn run(mut self) {
        while let Some(first) = self.queue.next().await {
            let mut batch = Batch::default();
            batch.push(first);
            self.gather(&mut batch).await;
            let Some(permit) = self.permit(&mut batch).await else { return };
            self.fill(&mut batch);
            let (shared, raft) = (self.shared.clone(), self.raft.clone());
            let Some(term) = self.wait(&mut batch, term_to_stamp(&shared, &raft)).await else {
                batch.proposals.into_iter().for_each(|one| one.refuse(Refusal::NoLeader));
                continue;
            };
            let Some((room, permit)) = self.make_room(&mut batch, permit, term).await else {
                return;
            };
            self.propose(batch.proposals, room, (permit, term)).await;
        }
    }

    /// Waits without keeping what is withdrawn meanwhile: a majority may be away for a long time.
    async fn wait<T>(&mut self, batch: &mut Batch, event: impl Future<Output = T>) -> T {
        let before = batch.proposals.len();
        let happened = self.queue.wait(&mut batch.proposals, event).await;
        if batch.proposals.len() < before {
            batch.bytes = batch.proposals.iter().map(|one| one.item.encoded_bytes()).sum();
        }
        happened
    }

    /// While other entries travel, waits until they have arrived or the batch is worth the cost of
    /// an entry on every node.
    async fn gather(&mut self, batch: &mut Batch) {
        let all = self.shared.config.load().raft.proposals_in_flight;
        let window = self.shared.window.clone();
        let mut arrived = pin!(window.acquire_many(all));
        while !batch.is_worth_an_entry() {
            tokio::select! {
                biased;
                _ = &mut arrived => return,
                proposal = self.queue.next() => match proposal {
                    Some(proposal) => {
                        if let Some(proposal) = batch.push(proposal) {
                            return self.queue.put_back(proposal);
                        }
                    }
                    None => return,
                }
            }
        }
    }

    /// Waits for an entry to arrive when too many travel.
    async fn permit(&mut self, batch: &mut Batch) -> Option<OwnedSemaphorePermit> {
        let arrived = self.shared.window.clone().acquire_owned();
        self.wait(batch, arrived).await.ok()
    }

    /// All that waits, until the entry is big enough.
    fn fill(&mut self, batch: &mut Batch) {
        while batch.bytes < ENTRY_BATCH_BYTES {
            let Some(proposal) = self.queue.try_next() else { return };
            if let Some(proposal) = batch.push(proposal) {
                return self.queue.put_back(proposal);
            }
        }
    }

    async fn propose(
        &mut self,
        batch: Vec<Proposal>,
        room: Room,
        (permit, term): (OwnedSemaphorePermit, u64),
    ) {
        let batch = self.admit(batch, room.is_full);
        let (mut items, mut waiting) = (Vec::new(), Vec::with_capacity(batch.len()));
        items.extend(room.evicted.iter().flat_map(Choice::items));
        if batch.is_empty() && items.is_empty() {
            return;
        }
        let own_items = items.len();
        for Proposal { item, place, done, .. } in batch {
            drop(place);
            items.push(item);
            waiting.push(done);
        }
        let resets_time = items.iter().any(|item| matches!(item, Item::ResetTime(_)));
        let Some((stamp, stamped)) = self.shared.time.stamp(term) else {
            return refuse(waiting, &ProposeError::NotExecuted(Refusal::NoLeader));
        };
        let entry = GroupEntry { now_ms: stamp.ms(), seed: self.random.next(), items };
        let bytes = GroupEntryBytes(entry.encode());
        let complete = OnComplete::new(move |result| {
            drop(stamped);
            answer(result, own_items, waiting);
            drop((permit, room));
        });
        self.shared.counters.entries_proposed.fetch_add(1, Ordering::Relaxed);
        // On an error the core has stopped and dropped `complete`: everyone learns "unknown".
        if let Err(error) = self.raft.client_write_ff(bytes, Some(complete)).await {
            tracing::warn!(%error, "the consensus core has stopped");
        }
        if resets_time && !seeded(Bug::ResetOvertaken) {
            self.wait_for_all().await;
        }
    }

    /// An entry behind one that sets the time back must not have a stamp from before.
    async fn wait_for_all(&self) {
        let all = self.shared.config.load().raft.proposals_in_flight;
        // An error means that the group is gone.
        let _ = self.shared.window.acquire_many(all).await;
    }

    /// Refuses what must not enter the log, drops what was withdrawn.
    fn admit(&self, mut batch: Vec<Proposal>, memory_full: bool) -> Vec<Proposal> {
        batch.retain(|proposal| proposal.claim.take());
        let disk_full = self.shared.disk_full();
        let (gave_up, disk_busy) = (self.shared.disk_stall.gave_up(), self.shared.disk_busy());
        let stopping = self.shared.stopping.load(Ordering::Relaxed);
        let mut admitted = Vec::with_capacity(batch.len());
        for proposal in batch {
            if stopping {
                proposal.refuse(Refusal::Stopping);
            } else if gave_up {
                proposal.refuse(Refusal::NoLeader);
            } else if disk_busy {
                proposal.refuse(Refusal::Busy);
            } else if disk_full && proposal.item.grows_log() {
                proposal.refuse(Refusal::DiskFull);
            } else if memory_full && proposal.deny_oom {
                proposal.refuse(Refusal::OutOfMemory);
            } else if proposal.item.encoded_bytes() > ENTRY_BYTES_MAX {
                proposal.refuse(Refusal::TooLarge);
            } else {
                admitted.push(proposal);
            }
        }
        admitted
    }

    /// Evicts what the batch needs, in entries before it if that is more than fits beside it.
    /// `None` when the group is gone.
    async fn make_room(
        &mut self,
        batch: &mut Batch,
        mut permit: OwnedSemaphorePermit,
        term: u64,
    ) -> Option<(Room, OwnedSemaphorePermit)> {
        if !batch.proposals.iter().any(|proposal| proposal.deny_oom) {
            return Some((Room::default(), permit));
        }
        let (began, shared) = (Instant::now(), self.shared.clone());
        loop {
            let excess = shared.applied.excess_bytes();
            let missing = shared.reclaim.evictions.missing_bytes(excess);
            if missing == 0 {
                return Some((Room::default(), permit));
            }
            let Some(choice) = self.wait(batch, shared.reclaim.choose(missing)).await else {
                // The node stops, which refuses everything.
                return Some((Room { evicted: None, is_full: true }, permit));
            };
            let end = choice.end();
            let bytes: usize = choice.items().iter().map(Item::encoded_bytes).sum();
            let is_full = end == VictimsEnd::NoneLeft || began.elapsed() > EVICTION_WAIT_MAX;
            let room = Room { evicted: Some(choice), is_full };
            let fits = batch.bytes + bytes <= ENTRY_BYTES_MAX;
            if fits && (end == VictimsEnd::Enough || is_full) {
                return Some((room, permit));
            }
            self.propose(Vec::new(), room, (permit, term)).await;
            permit = self.permit(batch).await?;
            if is_full {
                return Some((Room { evicted: None, is_full }, permit));
            }
        }
    }
}

/// Memory for a batch.
#[derive(Default)]
struct Room {
    /// Goes before it in its entry, and counts as under way until that is applied.
    evicted: Option<Choice>,
    /// Not enough can be evicted: what may grow memory is refused.
    is_full: bool,
}

/// Tells everyone who waits for one entry. `ForwardToLeader` is decided before an entry gets a
/// place in the log, so nothing was appended; every other error may come after that.
fn answer(
    result: ClientWriteResult<TypeConfig>,
    own_items: usize,
    mut waiting: Vec<oneshot::Sender<Outcome>>,
) {
    if seeded(Bug::CrossReplies) {
        waiting.reverse();
    }
    let outcomes = match result {
        Ok(response) => {
            let outcomes = response.data.into_iter().skip(own_items);
            for (done, outcome) in waiting.into_iter().zip(outcomes) {
                let _ = done.send(Ok(outcome));
            }
            return;
        }
        Err(ClientWriteError::ForwardToLeader(_)) => ProposeError::NotExecuted(Refusal::NoLeader),
        Err(_) => ProposeError::Unknown,
    };
    refuse(waiting, &outcomes);
}

fn refuse(waiting: Vec<oneshot::Sender<Outcome>>, error: &ProposeError) {
    for done in waiting {
        let _ = done.send(Err(error.clone()));
    }
}
