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
use super::queue::{Outcome, Proposal, ProposalQueue};
use super::submission::Proposals;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::state_machine::outcome::ItemOutcome;

/// Pieces under way at one time. Small writes wait for these, and no more than these are on their
/// way to the disks of a majority when a heartbeat is to be answered.
const PIECES_IN_FLIGHT: usize = 2;

/// Pause before a leader that cannot take more at the moment is asked again to give a request up.
const GIVE_UP_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Brings large requests into the log; runs on the raft thread.
pub(crate) struct LargeRequests {
    proposals: Arc<Proposals>,
    leadership: Arc<LeadershipState>,
    queue: ProposalQueue,
}

impl LargeRequests {
    pub(crate) const fn new(
        proposals: Arc<Proposals>,
        leadership: Arc<LeadershipState>,
        queue: ProposalQueue,
    ) -> Self {
        Self { proposals, leadership, queue }
    }

    /// Ends when the group is dropped.
    pub(crate) async fn run(mut self) {
        let mut transfer = 0;
        while let Some(request) = self.queue.next().await {
            if request.claim.is_withdrawn() {
                continue;
            }
            transfer += 1;
            let (proposals, leadership) = (self.proposals.clone(), self.leadership.clone());
            let carrier = Carrier { proposals, leadership, transfer };
            self.queue.wait(&mut Vec::new(), carrier.carry(request)).await;
        }
    }
}

/// Brings one request into the log.
struct Carrier {
    proposals: Arc<Proposals>,
    leadership: Arc<LeadershipState>,
    transfer: u64,
}

impl Carrier {
    /// Proposes one request and waits until it is executed or given up.
    async fn carry(&self, mut request: Proposal) {
        let Item::Request(bytes) = &request.item else {
            return request.refuse(Refusal::TooLarge);
        };
        let bytes = bytes.clone();
        let need = (request.deny_oom, request.growth_bytes);
        let outcome = {
            let mut outcome = pin!(self.propose(&bytes, need, &request.claim));
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
                self.proposals.queue_item(Item::Piece(Piece::give_up(self.transfer)), false);
            if matches!(given_up.await, Ok(Ok(_))) || !self.leadership.is_leader() {
                return;
            }
            tokio::time::sleep(GIVE_UP_AGAIN_AFTER).await;
        }
    }

    async fn propose(
        &self,
        bytes: &Bytes,
        (deny_oom, growth_bytes): (bool, u64),
        claim: &Claim,
    ) -> Option<Outcome> {
        let mut pieces = Piece::all(self.transfer, bytes, self.proposals.sizes.piece_bytes());
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
                let place = None;
                self.proposals.queue(Proposal { item, deny_oom, growth_bytes, claim, place, done });
                return outcome.await.ok();
            }
            let (claim, (done, outcome)) = (Claim::default(), oneshot::channel());
            let waiting = Waiting::new(outcome, claim.clone());
            // The whole request has its place in the queue.
            let (place, growth_bytes) = (None, 0);
            self.proposals.queue(Proposal { item, deny_oom, growth_bytes, claim, place, done });
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
