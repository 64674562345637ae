//! Waiting requests become log entries: all that wait go into one, a few entries at a time are on
//! their way, and no timer delays anything: a batch forms while the ones before it travel, and the
//! first one goes at once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use openraft::errors::ClientWriteError;
use openraft::raft::ClientWriteResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::entry::{GroupEntry, Item};
use super::growth::{Growth, Memory};
use super::queue::{Outcome, Proposal, ProposalQueue};
use super::stamping::term_to_stamp;
use crate::base::config::LiveConfig;
use crate::base::limits::{ENTRY_BATCH_BYTES, ENTRY_BYTES_MAX, EVICTION_WAIT_MAX};
use crate::base::random::Random;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::background::disk_space;
use crate::consensus::background::evictions::Choice;
use crate::consensus::background::reclaim::Reclaim;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::leadership::participation::Participation;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::raft_handle::Raft;
use crate::consensus::state_machine::progress::Applied;
use crate::consensus::storage::log::Log;
use crate::consensus::time::ClusterTime;
use crate::consensus::types::{GroupEntryBytes, OnComplete, TypeConfig};
use crate::data::keyspace::VictimsEnd;

/// Requests that are worth an entry while others travel. Each entry costs a flush and several
/// wake-ups on every node: with 8 a write of 50 clients takes a fifth less CPU time than with 1.
const PIPELINED_REQUESTS_MIN: usize = 8;

/// Bytes that are.
const PIPELINED_BYTES_MIN: usize = 64 << 10;

/// What becomes one entry.
#[derive(Default)]
struct Batch {
    proposals: Vec<Proposal>,
    bytes: usize,
    /// By which it may grow memory.
    growth_bytes: u64,
}

impl Batch {
    /// Gives back what is too much.
    fn push(&mut self, proposal: Proposal) -> Option<Proposal> {
        let bytes = self.bytes + proposal.item.encoded_bytes();
        let growth_bytes = self.growth_bytes.saturating_add(proposal.growth_bytes);
        let too_much = bytes > ENTRY_BYTES_MAX || growth_bytes > ENTRY_BYTES_MAX as u64;
        if too_much && !self.proposals.is_empty() {
            return Some(proposal);
        }
        (self.bytes, self.growth_bytes) = (bytes, growth_bytes);
        self.proposals.push(proposal);
        None
    }

    fn is_worth_an_entry(&self) -> bool {
        self.proposals.len() >= PIPELINED_REQUESTS_MIN || self.bytes >= PIPELINED_BYTES_MIN
    }
}

/// What decides on proposals.
pub(crate) struct Admission {
    pub(crate) config: Arc<LiveConfig>,
    /// Permits for entries on their way to the log.
    pub(crate) window: Arc<Semaphore>,
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) participation: Arc<Participation>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) time: Arc<ClusterTime>,
    pub(crate) log: Log,
    pub(crate) room: Arc<disk_space::Room>,
    pub(crate) reclaim: Arc<Reclaim>,
}

/// The proposer of one group; runs on the raft thread.
pub(crate) struct Proposer {
    admission: Admission,
    raft: Raft,
    queue: ProposalQueue,
    random: Random,
    growth: Growth,
}

impl Proposer {
    /// `seed` feeds the seeds of entries.
    pub(crate) fn new(admission: Admission, raft: Raft, queue: ProposalQueue, seed: u64) -> Self {
        Self { admission, raft, queue, random: Random::new(seed), growth: Growth::default() }
    }

    /// Ends when the group is dropped.
    pub(crate) async fn run(mut self) {
        while let Some(first) = self.queue.next().await {
            let mut batch = Batch::default();
            batch.push(first);
            self.gather(&mut batch).await;
            let Some(permit) = self.permit(&mut batch).await else { return };
            self.fill(&mut batch);
            let (time, raft) = (self.admission.time.clone(), self.raft.clone());
            let Some(term) = self.wait(&mut batch, term_to_stamp(&time, &raft)).await else {
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
            let growths = batch.proposals.iter().map(|one| one.growth_bytes);
            batch.growth_bytes = growths.fold(0, u64::saturating_add);
        }
        happened
    }

    /// While other entries travel, waits until they have arrived or the batch is worth the cost of
    /// an entry on every node.
    async fn gather(&mut self, batch: &mut Batch) {
        let all = self.admission.config.load().raft.proposals_in_flight;
        let window = self.admission.window.clone();
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
        let arrived = self.admission.window.clone().acquire_owned();
        self.wait(batch, arrived).await.ok()
    }

    /// All that waits, until the entry is big enough.
    fn fill(&mut self, batch: &mut Batch) {
        while batch.bytes.max(batch.growth_bytes as usize) < ENTRY_BATCH_BYTES {
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
        let growths = batch.iter().map(|proposal| proposal.growth_bytes);
        let growing = self.growth.begin(growths.fold(0, u64::saturating_add));
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
        let Some((stamp, stamped)) = self.admission.time.stamp(term) else {
            return refuse(waiting, &ProposeError::NotExecuted(Refusal::NoLeader));
        };
        let entry = GroupEntry { now_ms: stamp.ms(), seed: self.random.next(), items };
        let bytes = GroupEntryBytes(entry.encode());
        let complete = OnComplete::new(move |result| {
            // Before the answer: whoever gets it may send the next request at once.
            drop((stamped, growing));
            answer(result, own_items, waiting);
            drop((permit, room));
        });
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
        let all = self.admission.config.load().raft.proposals_in_flight;
        // An error means that the group is gone.
        let _ = self.admission.window.acquire_many(all).await;
    }

    /// Refuses what must not enter the log, drops what was withdrawn.
    fn admit(&self, mut batch: Vec<Proposal>, memory_full: bool) -> Vec<Proposal> {
        batch.retain(|proposal| proposal.claim.take());
        let Admission { log, room, participation, lifetime, .. } = &self.admission;
        let disk_full = disk_space::disk_full(log, room);
        let gave_up = participation.disk_stall.gave_up();
        let disk_busy = self.admission.disk_busy();
        let stopping = lifetime.stopping.load(Ordering::Relaxed);
        let (memory, mut growth) = (self.memory(), 0_u64);
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
            } else if proposal.item.encoded_bytes() > ENTRY_BYTES_MAX {
                proposal.refuse(Refusal::TooLarge);
            } else if proposal.deny_oom && !self.has_room(memory, growth, &proposal, memory_full) {
                proposal.refuse(Refusal::OutOfMemory);
            } else {
                growth = growth.saturating_add(proposal.growth_bytes);
                admitted.push(proposal);
            }
        }
        admitted
    }

    fn memory(&self) -> Memory {
        let Admission { applied, config, .. } = &self.admission;
        let entries = u64::from(config.load().raft.proposals_in_flight);
        Memory {
            used: applied.memory_bytes(),
            maximum: applied.maxmemory_bytes(),
            slack: entries * ENTRY_BATCH_BYTES as u64,
            under_way: self.growth.bytes(),
        }
    }

    /// Whether a proposal fits beside those before it in its batch. When the evictions of the batch
    /// suffice, only what could never fit does not.
    fn has_room(&self, memory: Memory, before: u64, proposal: &Proposal, is_full: bool) -> bool {
        let growth = before.saturating_add(proposal.growth_bytes);
        let missing = || self.admission.reclaim.evictions.missing_bytes(memory.excess(growth));
        memory.is_possible(growth) && (!is_full || missing() == 0)
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
        let (began, reclaim) = (Instant::now(), self.admission.reclaim.clone());
        loop {
            let memory = self.memory();
            let growing = batch.proposals.iter().filter(|proposal| proposal.deny_oom);
            let growth = memory.possible(growing.map(|proposal| proposal.growth_bytes));
            let excess = memory.excess(growth);
            let missing = reclaim.evictions.missing_bytes(excess);
            if missing == 0 {
                return Some((Room::default(), permit));
            }
            let Some(choice) = self.wait(batch, reclaim.choose(missing)).await else {
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

impl Admission {
    /// Whether so much waits for the disk that more must not be taken.
    fn disk_busy(&self) -> bool {
        self.log.unflushed_bytes() >= self.config.load().log.unflushed_bytes_max
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
