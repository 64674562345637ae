//! Read barriers: one question to the leader answers everyone who waited when it was asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::confirm::{Confirmation, LeaderReads, ReadPoint};
use crate::base::config::LiveConfig;
use crate::consensus::errors::ReadError;
use crate::consensus::leadership::participation::Participation;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::proposal::forward::forwards::Forwards;
use crate::consensus::proposal::forward::{Answer, Work};

/// Pause before the question is asked again after a failure.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

pub(crate) type Waiter = oneshot::Sender<Result<ReadPoint, ReadError>>;

/// Where reads wait for their index.
pub(crate) struct ReadQueue {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) lifetime: Arc<Lifetime>,
    pub(crate) participation: Arc<Participation>,
    pub(crate) waiters: mpsc::UnboundedSender<Waiter>,
}

impl ReadQueue {
    /// One read index, shared with everyone who asks at the moment.
    pub(crate) async fn read_index(&self) -> Result<ReadPoint, ReadError> {
        if self.lifetime.stopping.load(Ordering::Relaxed) {
            return Err(ReadError::Stopping);
        }
        if self.participation.takes_no_part() {
            return Err(ReadError::NoLeader);
        }
        let request_timeout = self.config.load().raft.request_timeout();
        let (waiter, answer) = oneshot::channel();
        self.waiters.send(waiter).map_err(|_| ReadError::Stopping)?;
        match timeout(request_timeout, answer).await {
            Ok(Ok(result)) => result,
            _ => Err(ReadError::NoLeader),
        }
    }
}

/// Answers barriers in rounds; runs on the raft thread.
pub(crate) struct ReadRounds {
    reads: MajorityReads,
    queue: mpsc::UnboundedReceiver<Waiter>,
}

impl ReadRounds {
    pub(crate) const fn new(reads: MajorityReads, queue: mpsc::UnboundedReceiver<Waiter>) -> Self {
        Self { reads, queue }
    }

    /// Ends when the group is dropped.
    pub(crate) async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            let mut waiters = vec![first];
            // Only who waited before the round began may share its answer.
            while let Ok(waiter) = self.queue.try_recv() {
                waiters.push(waiter);
            }
            let result = self.round().await;
            for waiter in waiters {
                let _ = waiter.send(result.clone());
            }
        }
    }

    /// Asking changes nothing, so it is done again as soon as leadership moves, and after a pause
    /// when it failed: a leader that was just elected may not know of it yet.
    async fn round(&self) -> Result<ReadPoint, ReadError> {
        let deadline = Instant::now() + self.reads.request_timeout();
        let mut leadership = self.reads.leader.leadership.leadership.subscribe();
        let asking = async {
            loop {
                leadership.borrow_and_update();
                tokio::select! {
                    answer = self.ask(deadline) => if answer.is_ok() {
                        return answer;
                    },
                    _ = leadership.changed() => continue,
                }
                let _ = timeout(RETRY_PAUSE, leadership.changed()).await;
            }
        };
        timeout_at(deadline, asking).await.unwrap_or(Err(ReadError::NoLeader))
    }

    async fn ask(&self, deadline: Instant) -> Result<ReadPoint, ReadError> {
        let leader = &self.reads.leader;
        if leader.leadership.is_leader() {
            return leader.confirm(Confirmation::Lease).await;
        }
        self.reads.ask_leader(leader.confirmation(), deadline).await
    }
}

/// Read indexes from the leader, whichever node that is.
#[derive(Clone)]
pub(crate) struct MajorityReads {
    pub(crate) leader: Arc<LeaderReads>,
    pub(crate) forwards: Arc<Forwards>,
}

impl MajorityReads {
    pub(crate) fn request_timeout(&self) -> Duration {
        self.leader.config.load().raft.request_timeout()
    }

    /// A read index that a majority has confirmed, whatever the settings; asked for once.
    pub(crate) async fn confirm(&self, deadline: Instant) -> Result<ReadPoint, ReadError> {
        if self.leader.leadership.is_leader() {
            let confirming = self.leader.confirm(Confirmation::Quorum);
            return timeout_at(deadline, confirming).await.unwrap_or(Err(ReadError::NoLeader));
        }
        self.ask_leader(Confirmation::Quorum, deadline).await
    }

    /// Waits until what such a read must see is applied here.
    pub(crate) async fn wait_applied(&self, point: ReadPoint) {
        self.leader.applied.wait_for(point.index).await;
    }

    async fn ask_leader(
        &self,
        confirmation: Confirmation,
        deadline: Instant,
    ) -> Result<ReadPoint, ReadError> {
        let work = Work::ReadIndex(confirmation);
        match self.forwards.forward(work, deadline).until(deadline).await {
            Ok(Answer::ReadIndex(point)) => Ok(point),
            _ => Err(ReadError::NoLeader),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Confirmation::{Lease, Quorum};
    use crate::consensus::proposal::forward::Work;
    use crate::consensus::proposal::forward::messages::{work_from_proto, work_to_proto};

    #[test]
    fn a_question_for_a_majority_is_one_whatever_the_leader_does_for_itself() {
        for (asked, own, expected) in
            [(Lease, Lease, Lease), (Quorum, Lease, Quorum), (Lease, Quorum, Quorum)]
        {
            assert_eq!(asked.and(own), expected);
        }
        for asked in [Lease, Quorum] {
            let arrived = work_from_proto(work_to_proto(Work::ReadIndex(asked)));
            assert!(matches!(arrived, Work::ReadIndex(confirmation) if confirmation == asked));
        }
    }
}
