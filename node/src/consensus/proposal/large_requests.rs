//! Requests that are too long for one entry: the leader proposes each in pieces, see `pieces.rs`,
//! one request after the other and a few pieces at a time, so that other entries come in between.
//!
//! Nothing is executed before the last piece, which is the one that claims the request: until then
//! a client may leave, the time be over or the leader change, and the request is certainly not
//! executed. What replicas keep of it goes with the next one, with a piece that gives it up, or
//! with the first entry of another term.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::oneshot;

use super::claim::{Claim, Waiting};
use super::entry::Item;
use super::pieces::Piece;
use super::proposer::{Outcome, Proposal};
use super::queue::ProposalQueue;
use crate::base::feature_level::FeatureLevel;
use crate::base::limits::{ENTRY_BYTES_MAX, LARGE_REQUEST_BYTES_PER_S};
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::shared::Shared;
use crate::consensus::state_machine::apply::ItemOutcome;

/// Pieces under way at one time. Small writes wait for these, and no more than these are on their
/// way to the disks of a majority when a heartbeat is to be answered.
const PIECES_IN_FLIGHT: usize = 2;

/// Pause before a leader that cannot take more at the moment is asked again to give a request up.
const GIVE_UP_AGAIN_AFTER: Duration = Duration::from_millis(100);

impl Shared {
    /// Whether a request of this size travels in pieces.
    pub(crate) fn is_large(&self, request_bytes: usize) -> bool {
        request_bytes > self.piece_bytes() && self.takes_pieces()
    }

    /// Whether every member understands pieces.
    fn takes_pieces(&self) -> bool {
        self.applied.feature_level() >= FeatureLevel::SECOND
    }

    /// Bytes of a piece of a request.
    pub(crate) fn piece_bytes(&self) -> usize {
        let configured = self.config.load().limits.entry_piece_bytes;
        usize::try_from(configured).unwrap_or(usize::MAX).clamp(1, ENTRY_BYTES_MAX)
    }

    /// What a large request may take beside the time of any request.
    pub(crate) fn extra_time(&self, request_bytes: usize) -> Duration {
        if self.is_large(request_bytes) {
            Duration::from_millis(request_bytes as u64 * 1000 / LARGE_REQUEST_BYTES_PER_S)
        } else {
            Duration::ZERO
        }
    }
}

/// Brings large requests into the log; runs on the raft thread.
pub(crate) struct LargeRequests {
    shared: Arc<Shared>,
    queue: ProposalQueue,
}

impl LargeRequests {
    pub(crate) const fn new(shared: Arc<Shared>, queue: ProposalQueue) -> Self {
        Self { shared, queue }
    }

    /// Ends when the group is dropped.
    pub(crate) async fn run(mut self) {
        let mut transfer = 0;
        while let Some(request) = self.queue.next().await {
            if request.claim.is_withdrawn() {
                continue;
            }
            transfer += 1;
            let carrier = Carrier { shared: self.shared.clone(), transfer };
            self.queue.wait(&mut Vec::new(), carrier.carry(request)).await;
        }
    }
}

/// Brings one request into the log.
struct Carrier {
    shared: Arc<Shared>,
    transfer: u64,
}

impl Carrier {
    /// Proposes one request and waits until it is executed or given up.
    async fn carry(&self, mut request: Proposal) {
        let Item::Request(bytes) = &request.item else {
            return request.refuse(Refusal::TooLarge);
        };
        let bytes = bytes.clone();
        let outcome = {
            let mut outcome = pin!(self.propose(&bytes, request.deny_oom, &request.claim));
            tokio::select! {
                biased;
                outcome = &mut outcome => outcome,
                () = request.done.closed() => Some(Err(ProposeError::Unknown)),
            }
        };
        let executed = matches!(outcome, Some(Ok(ItemOutcome::Executed(_))));
        // Without an outcome the fate is unknown, which a dropped sender says as well.
        if let Some(outcome) = outcome {
            let _ = request.done.send(outcome);
        }
        if !executed {
            self.give_up().await;
        }
    }

    /// Has replicas drop what they joined of a request, which keeps them from writing checkpoints.
    /// The next leader's first entry does the same.
    async fn give_up(&self) {
        loop {
            let given_up =
                self.shared.queue_item(Item::Piece(Piece::give_up(self.transfer)), false);
            if matches!(given_up.await, Ok(Ok(_))) || !self.shared.is_leader() {
                return;
            }
            tokio::time::sleep(GIVE_UP_AGAIN_AFTER).await;
        }
    }

    async fn propose(&self, bytes: &Bytes, deny_oom: bool, claim: &Claim) -> Option<Outcome> {
        let mut pieces = Piece::all(self.transfer, bytes, self.shared.piece_bytes());
        let mut under_way = FuturesOrdered::new();
        loop {
            let is_last = pieces.len() == 1;
            let most = if is_last { 0 } else { PIECES_IN_FLIGHT - 1 };
            while under_way.len() > most {
                if let Err(refusal) = arrived(under_way.next().await?) {
                    return Some(Err(ProposeError::NotExecuted(refusal)));
                }
            }
            let item = Item::Piece(pieces.next()?);
            if is_last {
                let (done, outcome) = oneshot::channel();
                let claim = claim.clone();
                self.shared.queue(Proposal { item, deny_oom, claim, place: None, done });
                return outcome.await.ok();
            }
            let (claim, (done, outcome)) = (Claim::default(), oneshot::channel());
            let waiting = Waiting::new(outcome, claim.clone());
            // The whole request has its place in the queue.
            self.shared.queue(Proposal { item, deny_oom, claim, place: None, done });
            under_way.push_back(waiting.answer());
        }
    }
}

/// Whether a piece that is not the last is in the log. If not, nothing was executed.
fn arrived(outcome: Outcome) -> Result<(), Refusal> {
    match outcome {
        Ok(ItemOutcome::Done) => Ok(()),
        Err(ProposeError::NotExecuted(refusal)) => Err(refusal),
        Ok(_) | Err(ProposeError::Unknown) => Err(Refusal::NoLeader),
    }
}
