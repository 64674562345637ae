//! openraft's state machine: hands committed entries to the apply thread and waits for it.

use std::io;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::RaftSnapshotBuilder;
use openraft::storage::{EntryResponder, RaftStateMachine};

use super::apply_worker::ApplyHandle;
use crate::base::limits::APPLY_BATCH_ENTRIES;
use crate::consensus::snapshot::checkpoints::Checkpoints;
use crate::consensus::snapshot::transfer::CheckpointFile;
use crate::consensus::types::{LogId, Snapshot, SnapshotMeta, StoredMembership, TypeConfig};

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

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<CheckpointBuilder> {
        self.checkpoints.current_snapshot().map(CheckpointBuilder)
    }

    async fn get_snapshot_builder(&mut self) -> CheckpointBuilder {
        unreachable!("the core asks through try_create_snapshot_builder")
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta,
        snapshot: CheckpointFile,
    ) -> io::Result<()> {
        // It was checked as a whole (`incoming`). Once it is in force the keys of before can go
        // first, so that both are never in memory together.
        self.checkpoints.adopt(snapshot).await?;
        self.apply.drop_keys().await?;
        let (keyspace, state) = self.checkpoints.load_current().await?;
        self.apply.install(keyspace, state).await
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot<CheckpointFile>>> {
        Ok(self.checkpoints.current_snapshot())
    }
}

/// Tells the core of the checkpoint in force. Checkpoints are written without the core
/// (`checkpoint_trigger`), because it takes every error of a builder for its own end, and a
/// checkpoint that finds no room is none.
pub(crate) struct CheckpointBuilder(Snapshot<CheckpointFile>);

impl RaftSnapshotBuilder<TypeConfig> for CheckpointBuilder {
    type SnapshotData = CheckpointFile;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<CheckpointFile>> {
        Ok(self.0.clone())
    }
}
