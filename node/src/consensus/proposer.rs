//! Waiting requests become log entries: all that wait go into one, a few entries at a time are on
//! their way, and no timer delays anything: a batch forms while the ones before it travel, and the
//! first one goes at once.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use openraft::errors::ClientWriteError;
use openraft::raft::ClientWriteResult;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::apply::ItemOutcome;
use super::entry::{GroupEntry, Item};
use super::errors::{ProposeError, Refusal};
use super::shared::Shared;
use super::types::{GroupEntryBytes, OnComplete, Raft, TypeConfig};
use crate::base::limits::{ENTRY_BATCH_BYTES, ENTRY_BYTES_MAX};
use crate::base::planted::{Bug, planted};
use crate::base::random::Random;
use crate::data::keyspace::pick_victims;

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
    queue: mpsc::UnboundedReceiver<Proposal>,
    /// Taken from the queue but too much for the entry before.
    carried: VecDeque<Proposal>,
    random: Random,
    last_ms: u64,
}

impl Proposer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        raft: Raft,
        queue: mpsc::UnboundedReceiver<Proposal>,
        seed: u64,
    ) -> Self {
        let (carried, random) = (VecDeque::new(), Random::new(seed));
        Self { shared, raft, queue, carried, random, last_ms: 0 }
    }

    /// Ends when the group is dropped.
    pub(crate) async fn run(mut self) {
        while let Some(first) = self.next().await {
            let mut batch = Batch::default();
            batch.push(first);
            self.gather(&mut batch).await;
            let Ok(permit) = self.shared.window.clone().acquire_owned().await else { return };
            self.fill(&mut batch);
            self.propose(batch.proposals, permit).await;
        }
    }

    async fn next(&mut self) -> Option<Proposal> {
        match self.carried.pop_front() {
            Some(proposal) => Some(proposal),
            None => self.queue.recv().await,
        }
    }

    /// While other entries travel, waits until they have arrived or the batch is worth the cost of
    /// an entry on every node.
    async fn gather(&mut self, batch: &mut Batch) {
        let all = self.shared.config.load().raft.proposals_in_flight;
        let window = self.shared.window.clone();
        let mut arrived = pin!(window.acquire_many(all));
        while !batch.is_worth_an_entry() && self.carried.is_empty() {
            tokio::select! {
                biased;
                _ = &mut arrived => return,
                proposal = self.queue.recv() => match proposal {
                    Some(proposal) => self.carried.extend(batch.push(proposal)),
                    None => return,
                }
            }
        }
    }

    /// All that waits, until the entry is big enough.
    fn fill(&mut self, batch: &mut Batch) {
        while batch.bytes < ENTRY_BATCH_BYTES && self.carried.is_empty() {
            let Ok(proposal) = self.queue.try_recv() else { break };
            self.carried.extend(batch.push(proposal));
        }
    }

    async fn propose(&mut self, batch: Vec<Proposal>, permit: OwnedSemaphorePermit) {
        let (mut items, batch) = self.admit(batch);
        if batch.is_empty() {
            return;
        }
        let mut waiting = Vec::with_capacity(batch.len());
        let own_items = items.len();
        for proposal in batch {
            items.push(proposal.item);
            waiting.push(proposal.done);
        }
        self.last_ms = self.last_ms.max(self.shared.read_time_ms());
        let entry = GroupEntry { now_ms: self.last_ms, seed: self.random.next(), items };
        let bytes = GroupEntryBytes(entry.encode());
        let complete = OnComplete::new(move |result| {
            answer(result, own_items, waiting);
            drop(permit);
        });
        self.shared.counters.entries_proposed.fetch_add(1, Ordering::Relaxed);
        // On an error the core has stopped and dropped `complete`: everyone learns "unknown".
        if let Err(error) = self.raft.client_write_ff(bytes, Some(complete)).await {
            tracing::warn!(%error, "the consensus core has stopped");
        }
    }

    /// Refuses what must not enter the log; gives items of our own that go first.
    fn admit(&mut self, batch: Vec<Proposal>) -> (Vec<Item>, Vec<Proposal>) {
        let shared = self.shared.clone();
        let mut own = Vec::new();
        let wants_memory = batch.iter().any(|proposal| proposal.deny_oom);
        let full = wants_memory && !self.make_room(&mut own);
        let disk_full = shared.disk_full();
        let stopping = shared.stopping.load(Ordering::Relaxed);
        let mut admitted = Vec::with_capacity(batch.len());
        for proposal in batch {
            if stopping {
                proposal.refuse(Refusal::Stopping);
            } else if disk_full && matches!(proposal.item, Item::Request(_)) {
                proposal.refuse(Refusal::DiskFull);
            } else if full && proposal.deny_oom {
                proposal.refuse(Refusal::OutOfMemory);
            } else if proposal.item.encoded_bytes() > ENTRY_BYTES_MAX {
                proposal.refuse(Refusal::TooLarge);
            } else {
                admitted.push(proposal);
            }
        }
        (own, admitted)
    }

    /// Whether memory is below its maximum, or will be after the evictions put into `own`.
    fn make_room(&mut self, own: &mut Vec<Item>) -> bool {
        let excess = self.shared.applied.excess_bytes();
        if excess == 0 {
            return true;
        }
        let now_ms = self.shared.read_time_ms();
        let keyspace = self.shared.keyspace.read();
        let settings = &keyspace.settings;
        let victims = pick_victims(
            &keyspace,
            settings.maxmemory_policy,
            settings.maxmemory_samples as usize,
            excess as usize,
            now_ms,
            &mut self.random,
        );
        if victims.is_empty() {
            return false;
        }
        for (database, key) in victims {
            match own.last_mut() {
                Some(Item::Evict { database: last, keys }) if *last == database => keys.push(key),
                _ => own.push(Item::Evict { database, keys: vec![key] }),
            }
        }
        true
    }
}

/// Tells everyone who waits for one entry. `ForwardToLeader` is decided before an entry gets a
/// place in the log, so nothing was appended; every other error may come after that.
fn answer(
    result: ClientWriteResult<TypeConfig>,
    own_items: usize,
    mut waiting: Vec<oneshot::Sender<Outcome>>,
) {
    if planted(Bug::CrossReplies) {
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
    for done in waiting {
        let _ = done.send(Err(outcomes.clone()));
    }
}
