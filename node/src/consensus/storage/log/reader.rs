//! The read thread: reads from segment files for callers that must not wait for a disk.

use std::sync::Arc;

use tokio::sync::mpsc::Receiver;

use super::shared::Shared;

/// Reads that wait; more callers wait to be let in. One is as large as the caller bounds it.
pub(super) const JOBS_MAX: usize = 16;

/// A read with its answer.
pub(super) type ReadJob = Box<dyn FnOnce(&Shared) + Send>;

/// Does one after the other, until every handle is gone or the log is closed.
pub(super) async fn run(shared: Arc<Shared>, mut jobs: Receiver<ReadJob>) {
    while let Some(job) = jobs.recv().await {
        job(&shared);
    }
}
