//! Queues work for the leader, or refuses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Answer, Job, Work};
use crate::base::config::LiveConfig;
use crate::consensus::errors::Refusal;
use crate::consensus::leadership::participation::Participation;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::proposal::claim::{Claim, Waiting};
use crate::consensus::proposal::queue_bytes::{Place, QueueBytes};

/// The sending end of the queue for the leader.
pub(crate) struct Forwards {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) participation: Arc<Participation>,
    /// What waits, and what was sent to a leader that has not answered.
    pub(crate) waiting: Arc<QueueBytes>,
    pub(crate) jobs: mpsc::UnboundedSender<Job>,
    /// Jobs that were sent to a leader since the start.
    pub(crate) sent: Arc<AtomicU64>,
}

impl Forwards {
    /// A question waits without a place: it is small, and its client has nothing else under way.
    fn place_for(&self, work: &Work) -> Result<Option<Place>, Refusal> {
        if work.changes_nothing() {
            return Ok(None);
        }
        let bytes_max = self.config.load().limits.queue_bytes_max;
        self.waiting.enter(work.bytes(), bytes_max).map(Some)
    }

    /// Queues work for the leader, whichever node that is.
    pub(crate) fn forward(&self, work: Work, deadline: Instant) -> Waiting<Answer> {
        let (done, answer) = oneshot::channel();
        let claim = Claim::default();
        let (place, busy) = match self.place_for(&work) {
            Ok(place) => (place, None),
            Err(refusal) => (None, Some(refusal)),
        };
        let job = Job { work, deadline, claim: claim.clone(), place, done };
        if let Some(refusal) = busy {
            job.refuse(refusal);
        } else if self.lifetime.stopping.load(Ordering::Relaxed) {
            job.refuse(Refusal::Stopping);
        } else if self.participation.takes_no_part() {
            job.refuse(Refusal::NoLeader);
        } else if let Err(mpsc::error::SendError(job)) = self.jobs.send(job) {
            job.refuse(Refusal::Stopping);
        }
        Waiting::new(answer, claim)
    }
}
