//! Proposals that wait for their turn, of which those that were withdrawn are dropped however long
//! the turn takes to come: a leader may be without its majority for hours.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;

use super::proposer::Proposal;

/// How often withdrawn proposals are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The receiving end of a queue.
pub(crate) struct ProposalQueue {
    arriving: mpsc::UnboundedReceiver<Proposal>,
    /// Taken out and put back.
    waiting: VecDeque<Proposal>,
}

impl ProposalQueue {
    pub(crate) const fn new(arriving: mpsc::UnboundedReceiver<Proposal>) -> Self {
        Self { arriving, waiting: VecDeque::new() }
    }

    /// `None` when the group is dropped.
    pub(crate) async fn next(&mut self) -> Option<Proposal> {
        match self.waiting.pop_front() {
            Some(proposal) => Some(proposal),
            None => self.arriving.recv().await,
        }
    }

    /// `None` when none waits now.
    pub(crate) fn try_next(&mut self) -> Option<Proposal> {
        self.waiting.pop_front().or_else(|| self.arriving.try_recv().ok())
    }

    /// To be the next one again.
    pub(crate) fn put_back(&mut self, proposal: Proposal) {
        self.waiting.push_front(proposal);
    }

    /// Waits for `event`. What is withdrawn meanwhile is dropped, of `taken` as well.
    pub(crate) async fn wait<T>(
        &mut self,
        taken: &mut Vec<Proposal>,
        event: impl Future<Output = T>,
    ) -> T {
        let mut event = pin!(event);
        loop {
            tokio::select! {
                biased;
                happened = &mut event => return happened,
                () = tokio::time::sleep(SWEEP_INTERVAL) => self.drop_withdrawn(taken),
            }
        }
    }

    fn drop_withdrawn(&mut self, taken: &mut Vec<Proposal>) {
        while let Ok(proposal) = self.arriving.try_recv() {
            self.waiting.push_back(proposal);
        }
        self.waiting.retain(|proposal| !proposal.claim.is_withdrawn());
        taken.retain(|proposal| !proposal.claim.is_withdrawn());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::consensus::proposal::claim::Claim;
    use crate::consensus::proposal::entry::Item;

    fn proposal(claim: &Claim) -> Proposal {
        let item = Item::NameCluster("a".to_owned());
        let done = tokio::sync::oneshot::channel().0;
        Proposal { item, deny_oom: false, claim: claim.clone(), place: None, done }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_withdrawn_while_the_turn_does_not_come_is_dropped() {
        let (send, arriving) = mpsc::unbounded_channel();
        let mut queue = ProposalQueue::new(arriving);
        let [taken, waiting, kept] = [(); 3].map(|()| Claim::default());
        send.send(proposal(&waiting)).unwrap();
        send.send(proposal(&kept)).unwrap();
        let mut batch = vec![proposal(&taken)];
        taken.withdraw();
        waiting.withdraw();
        queue.wait(&mut batch, tokio::time::sleep(2 * SWEEP_INTERVAL)).await;
        assert!(batch.is_empty());
        assert!(queue.try_next().unwrap().claim.take(), "the one that was not withdrawn is left");
        assert!(queue.try_next().is_none());
    }
}
