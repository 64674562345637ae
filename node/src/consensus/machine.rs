//! openraft's state machine: hands committed entries to the apply thread and waits for it.

use std::io;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::RaftSnapshotBuilder;
use openraft::storage::{EntryResponder, RaftStateMachine};

use super::apply_thread::{ApplyHandle, Cut};
use super::checkpoints::Checkpoints;
use super::snapshot::CheckpointFile;
use super::types::{LogId, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};
use crate::base::limits::APPLY_BATCH_ENTRIES;

/// The door from openraft to the apply thread and the checkpoints.
pub(crate) struct StateMachine {
    pub(crate) apply: ApplyHandle,
    pub(crate) checkpoints: Arc<Checkpoints>,
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = CheckpointFile;
    type SnapshotBuilder = CheckpointBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let state = self.apply.state().await?;
        Ok((state.applied, state.membership))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + Send,
    {
        let mut batch = Vec::new();
        while let Some(entry) = entries.next().await {
            batch.push(entry?);
            if batch.len() == APPLY_BATCH_ENTRIES {
                self.apply.apply(std::mem::take(&mut batch)).await?;
            }
        }
        if batch.is_empty() { Ok(()) } else { self.apply.apply(batch).await }
    }

    async fn get_snapshot_builder(&mut self) -> CheckpointBuilder {
        CheckpointBuilder {
            cut: Some(self.apply.cut().await),
            checkpoints: self.checkpoints.clone(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: CheckpointFile,
    ) -> io::Result<()> {
        let (keyspace, state) = self.checkpoints.adopt(meta.last_log_id, snapshot).await?;
        self.apply.install(keyspace, state).await
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot<CheckpointFile>>> {
        self.checkpoints.current_snapshot()
    }
}

/// Writes the checkpoint of a cut that was taken between two entries.
pub(crate) struct CheckpointBuilder {
    cut: Option<io::Result<Cut>>,
    checkpoints: Arc<Checkpoints>,
}

impl RaftSnapshotBuilder<TypeConfig> for CheckpointBuilder {
    type SnapshotData = CheckpointFile;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<CheckpointFile>> {
        let taken = || io::Error::other("the cut was already written");
        let cut = self.cut.take().ok_or_else(taken)??;
        self.checkpoints.write(cut).await
    }
}
