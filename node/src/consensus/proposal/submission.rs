//! Queues what is to be proposed, or refuses it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::claim::Claim;
use super::entry::Item;
use super::queue::{Outcome, Proposal};
use super::queue_bytes::QueueBytes;
use super::request_sizes::RequestSizes;
use crate::commands::Executed;
use crate::commands::request::Request;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::leadership::participation::Participation;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::state_machine::outcome::ItemOutcome;
use crate::consensus::state_machine::progress::Applied;
use crate::data::keyspace::Settings;

/// What a proposal needs of memory.
#[derive(Debug, Clone, Copy)]
struct MemoryNeed {
    deny_oom: bool,
    growth_bytes: u64,
}

impl MemoryNeed {
    /// A node of an older version does not say by how much its request may grow memory.
    fn of(request: &Request) -> Self {
        let growth_bytes = match (request.deny_oom, request.growth_bytes) {
            (false, _) => 0,
            (true, 0) => request.bytes.len() as u64,
            (true, bytes) => bytes,
        };
        Self { deny_oom: request.deny_oom, growth_bytes }
    }
}

/// The sending ends of the queues for the log.
pub(crate) struct Proposals {
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) participation: Arc<Participation>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) sizes: RequestSizes,
    /// What waits in both queues.
    pub(crate) waiting: Arc<QueueBytes>,
    pub(crate) proposals: mpsc::UnboundedSender<Proposal>,
    /// Requests that are proposed in pieces.
    pub(crate) large_requests: mpsc::UnboundedSender<Proposal>,
}

impl Proposals {
    /// Queues an item for the log; whoever waits gets nothing if the core is gone.
    pub(crate) fn queue_item(&self, item: Item, deny_oom: bool) -> oneshot::Receiver<Outcome> {
        self.queue_claimed(item, deny_oom, Claim::default())
    }

    /// As [`Proposals::queue_item`], of an item that can be withdrawn.
    pub(crate) fn queue_claimed(
        &self,
        item: Item,
        deny_oom: bool,
        claim: Claim,
    ) -> oneshot::Receiver<Outcome> {
        self.queue_needing(item, MemoryNeed { deny_oom, growth_bytes: 0 }, claim)
    }

    fn queue_needing(
        &self,
        item: Item,
        need: MemoryNeed,
        claim: Claim,
    ) -> oneshot::Receiver<Outcome> {
        let bytes_max = self.sizes.config.load().limits.queue_bytes_max;
        let place = match &item {
            Item::Request(_) | Item::SetParameter { .. } | Item::SetParameters(_) => {
                self.waiting.enter(item.encoded_bytes(), bytes_max).map(Some)
            }
            _ => Ok(None),
        };
        let place = match place {
            Ok(place) => place,
            Err(refusal) => return refused(refusal),
        };
        let (done, outcome) = oneshot::channel();
        let MemoryNeed { deny_oom, growth_bytes } = need;
        self.queue(Proposal { item, deny_oom, growth_bytes, claim, place, done });
        outcome
    }

    pub(crate) fn queue(&self, proposal: Proposal) {
        let allowed = self.applied.check_level(proposal.item.needs_level(), proposal.item.name());
        if let Err(refusal) = allowed {
            proposal.refuse(refusal);
        } else if self.lifetime.stopping.load(Ordering::Relaxed) {
            proposal.refuse(Refusal::Stopping);
        } else if self.participation.takes_no_part() {
            proposal.refuse(Refusal::NoLeader);
        } else if let Err(mpsc::error::SendError(proposal)) =
            self.queue_for(&proposal).send(proposal)
        {
            proposal.refuse(Refusal::Stopping);
        }
    }

    fn queue_for(&self, proposal: &Proposal) -> &mpsc::UnboundedSender<Proposal> {
        match &proposal.item {
            Item::Request(bytes) if self.sizes.is_large(bytes.len()) => &self.large_requests,
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
        if let Err(refusal) = self.applied.check_request_level(&request) {
            return refused(refusal);
        }
        let need = MemoryNeed::of(&request);
        self.queue_needing(Item::Request(request.bytes), need, claim.clone())
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
}

fn refused(refusal: Refusal) -> oneshot::Receiver<Outcome> {
    let (done, outcome) = oneshot::channel();
    let _ = done.send(Err(ProposeError::NotExecuted(refusal)));
    outcome
}
