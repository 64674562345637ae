//! Work that this node executes as the leader.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Answer, Answered, Work};
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::proposal::claim::{Claim, Waiting};
use crate::consensus::proposal::request_sizes::RequestSizes;
use crate::consensus::proposal::submission::Proposals;
use crate::consensus::read::confirm::LeaderReads;
use crate::consensus::state_machine::outcome::executed;

/// What such work needs.
pub(crate) struct OnLeader {
    pub(crate) proposals: Arc<Proposals>,
    pub(crate) reads: Arc<LeaderReads>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) sizes: RequestSizes,
}

impl OnLeader {
    /// Runs work on the leader, for its own clients or for a follower's. Queued at the call; the
    /// future waits for the answer, and dropping it withdraws what is not yet in an entry.
    pub(crate) fn start(
        self: &Arc<Self>,
        work: Work,
        deadline: Instant,
        claim: Claim,
    ) -> impl Future<Output = Answered> + Send + 'static {
        let this = self.clone();
        let queued = match &work {
            Work::Propose(request) => Some(self.proposals.queue_request(request.clone(), &claim)),
            Work::SetParameters(parameters) => {
                Some(self.proposals.queue_parameters(parameters.clone(), &claim))
            }
            Work::ReadIndex(_) => None,
        };
        let queued = queued.map(|outcome| Waiting::new(outcome, claim));
        let bytes = work.bytes();
        async move {
            match (work, queued) {
                (Work::ReadIndex(confirmation), _) => {
                    // In a box, so that the future of a write stays small.
                    let confirmed = Box::pin(this.reads.confirm(confirmation));
                    match tokio::time::timeout_at(deadline, confirmed).await {
                        Ok(Ok(index)) => Ok(Answer::ReadIndex(index)),
                        _ => Err(ProposeError::NotExecuted(Refusal::NoLeader)),
                    }
                }
                (_, Some(outcome)) => {
                    let outcome = outcome.until_late(deadline, this.sizes.extra_time(bytes)).await;
                    let late = |error| this.say_why_late(error, bytes, deadline);
                    executed(outcome.map_err(late)?).map(Answer::Executed)
                }
                (_, None) => Err(ProposeError::Unknown),
            }
        }
    }

    /// A large request waits for those before it. When its time is over and there is a leader that
    /// others still hear, that is why.
    pub(crate) fn say_why_late(
        &self,
        error: ProposeError,
        bytes: usize,
        deadline: Instant,
    ) -> ProposeError {
        let late = self.sizes.is_large(bytes) && Instant::now() >= deadline;
        let silence_ms_max = self.sizes.config.load().raft.election_timeout_max_ms;
        let silent_ms = || self.leadership.contact_age_ms();
        let led = || silent_ms().is_some_and(|silent_ms| silent_ms <= silence_ms_max);
        match error {
            ProposeError::NotExecuted(Refusal::NoLeader) if late && led() => {
                ProposeError::NotExecuted(Refusal::Busy)
            }
            error => error,
        }
    }
}
