//! Read barriers: one question to the leader answers everyone who waited when it was asked.

use std::sync::Arc;

use openraft::ReadPolicy;
use tokio::sync::{mpsc, oneshot};

use super::errors::ReadError;
use super::forward::{Job, Work};
use super::shared::Shared;
use super::types::Raft;

/// Gets the log index up to which the state must be applied before a read.
pub(crate) type Waiter = oneshot::Sender<Result<u64, ReadError>>;

/// Answers barriers in rounds; runs on the raft thread.
pub(crate) struct ReadRounds {
    shared: Arc<Shared>,
    raft: Raft,
    queue: mpsc::UnboundedReceiver<Waiter>,
}

impl ReadRounds {
    pub(crate) const fn new(
        shared: Arc<Shared>,
        raft: Raft,
        queue: mpsc::UnboundedReceiver<Waiter>,
    ) -> Self {
        Self { shared, raft, queue }
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

    async fn round(&self) -> Result<u64, ReadError> {
        if !self.shared.is_leader() {
            return self.ask_leader().await;
        }
        // Acknowledged writes are applied here, so what is applied covers them; the gate, looked at
        // afterwards, says that nobody else acknowledged any.
        let applied = self.shared.applied.index();
        if self.shared.lease_reads() && self.shared.gate.is_open() {
            return Ok(applied);
        }
        let confirmed = self.raft.get_read_log_id(ReadPolicy::ReadIndex).await;
        confirmed.map(|(id, _)| id.index()).map_err(|_| ReadError::NoLeader)
    }

    async fn ask_leader(&self) -> Result<u64, ReadError> {
        let (done, answer) = oneshot::channel();
        let sent = self.shared.forwards.send(Job { work: Work::ReadIndex, done });
        sent.map_err(|_| ReadError::Stopping)?;
        match tokio::time::timeout(self.shared.request_timeout(), answer).await {
            Ok(Ok(Ok(super::forward::Answer::ReadIndex(index)))) => Ok(index),
            _ => Err(ReadError::NoLeader),
        }
    }
}
