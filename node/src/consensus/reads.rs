//! Read barriers: one question to the leader answers everyone who waited when it was asked.

use std::sync::Arc;

use openraft::ReadPolicy;
use tokio::sync::{mpsc, oneshot};

use super::errors::ReadError;
use super::forward::{Answer, Job, Work};
use super::shared::Shared;
use crate::base::planted::{Bug, planted};

/// Gets the log index up to which the state must be applied before a read.
pub(crate) type Waiter = oneshot::Sender<Result<u64, ReadError>>;

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

    /// Asking changes nothing, so it is done again when leadership moves meanwhile.
    async fn round(&self) -> Result<u64, ReadError> {
        let mut leadership = self.shared.leadership.subscribe();
        let asking = async {
            loop {
                let term = leadership.borrow_and_update().term;
                let moved = leadership.wait_for(|now| now.term > term);
                tokio::pin!(moved);
                tokio::select! {
                    answer = self.ask() => if answer.is_ok() {
                        return answer;
                    },
                    _ = &mut moved => continue,
                }
                // Whoever was asked may have stepped down a moment ago.
                if tokio::time::timeout(self.shared.leader_patience(), moved).await.is_err() {
                    return Err(ReadError::NoLeader);
                }
            }
        };
        let answer = tokio::time::timeout(self.shared.request_timeout(), asking).await;
        answer.unwrap_or(Err(ReadError::NoLeader))
    }

    async fn ask(&self) -> Result<u64, ReadError> {
        if self.shared.is_leader() {
            return confirm(&self.shared).await;
        }
        let (done, answer) = oneshot::channel();
        let sent = self.shared.forwards.send(Job { work: Work::ReadIndex, done });
        sent.map_err(|_| ReadError::Stopping)?;
        match answer.await {
            Ok(Ok(Answer::ReadIndex(index))) => Ok(index),
            _ => Err(ReadError::NoLeader),
        }
    }
}

/// The log index that covers every acknowledged write, if this node leads. Asks no other node for
/// it: two that take each other for the leader would wait for each other.
pub(crate) async fn confirm(shared: &Shared) -> Result<u64, ReadError> {
    let raft = shared.raft().filter(|_| shared.is_leader()).ok_or(ReadError::NoLeader)?;
    // Acknowledged writes are applied here, so what is applied covers them; the gate, looked at
    // afterwards, says that nobody else acknowledged any.
    let applied = shared.applied.index();
    let leads_alone = shared.lease_reads() && shared.gate.is_open();
    if leads_alone || planted(Bug::SkipReadIndex) {
        return Ok(applied);
    }
    let confirmed = raft.get_read_log_id(ReadPolicy::ReadIndex).await;
    confirmed.map(|(id, _)| id.index()).map_err(|_| ReadError::NoLeader)
}
