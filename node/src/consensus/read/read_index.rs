//! Read barriers: one question to the leader answers everyone who waited when it was asked.

use std::sync::Arc;
use std::time::Duration;

use openraft::ReadPolicy;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::base::group_time::GroupTime;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::errors::ReadError;
use crate::consensus::proposal::forward::{Answer, Work};
use crate::consensus::shared::Shared;

/// Pause before the question is asked again after a failure.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// What a read must see and when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadPoint {
    /// The state must be applied up to this log index before the read.
    pub(crate) index: u64,
    /// The leader's time; 0 when its version does not tell.
    pub(crate) time: GroupTime,
}

pub(crate) type Waiter = oneshot::Sender<Result<ReadPoint, ReadError>>;

/// Answers barriers in rounds; runs on the raft thread.
pub(crate) struct ReadRounds {
    shared: Arc<Shared>,
    queue: mpsc::UnboundedReceiver<Waiter>,
}

impl ReadRounds {
    pub(crate) const fn new(shared: Arc<Shared>, queue: mpsc::UnboundedReceiver<Waiter>) -> Self {
        Self { shared, queue }
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
        let deadline = Instant::now() + self.shared.request_timeout();
        let mut leadership = self.shared.leadership.subscribe();
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
        if self.shared.is_leader() {
            return confirm(&self.shared, Confirmation::Lease).await;
        }
        let work = Work::ReadIndex(self.shared.confirmation());
        match self.shared.forward(work, deadline).until(deadline).await {
            Ok(Answer::ReadIndex(point)) => Ok(point),
            _ => Err(ReadError::NoLeader),
        }
    }
}

/// What makes it certain that a leader still leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// Its lease: depends on clocks that run alike.
    Lease,
    /// A round to a majority.
    Quorum,
}

impl Confirmation {
    /// What satisfies both the node that asks and the leader itself.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Lease, Self::Lease) => Self::Lease,
            _ => Self::Quorum,
        }
    }
}

/// The log index that covers every acknowledged write and every completed read, if this node leads.
/// Asks no other node for it: two that take each other for the leader would wait for each other.
pub(crate) async fn confirm(shared: &Shared, asked: Confirmation) -> Result<ReadPoint, ReadError> {
    let raft = shared.raft().filter(|_| shared.is_leader()).ok_or(ReadError::NoLeader)?;
    // Covers what any node has acknowledged or shown under this leader. The gate, which is checked
    // afterwards, says that no other node leads.
    let shown = shared.applied.shown_index();
    // Taken before anything is confirmed, so that a majority was told of it by then.
    let time = shared.time.take();
    let by_lease = asked.and(shared.confirmation()) == Confirmation::Lease;
    let leads_alone = by_lease && shared.gate.is_open();
    let index = if leads_alone || seeded(Bug::SkipReadIndex) {
        shown
    } else {
        let confirmed = raft.get_read_log_id(ReadPolicy::ReadIndex).await;
        confirmed.map_err(|_| ReadError::NoLeader)?.0.index().max(shown)
    };
    shared.time.note_answered(time);
    Ok(ReadPoint { index, time })
}

/// A read index that a majority has confirmed, whatever the settings; asked for once.
pub(crate) async fn confirm_by_majority(
    shared: &Arc<Shared>,
    deadline: Instant,
) -> Result<ReadPoint, ReadError> {
    if shared.is_leader() {
        let confirmed = timeout_at(deadline, confirm(shared, Confirmation::Quorum)).await;
        return confirmed.unwrap_or(Err(ReadError::NoLeader));
    }
    let work = Work::ReadIndex(Confirmation::Quorum);
    match shared.forward(work, deadline).until(deadline).await {
        Ok(Answer::ReadIndex(point)) => Ok(point),
        _ => Err(ReadError::NoLeader),
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
