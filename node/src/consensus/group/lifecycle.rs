//! From a data directory to a running group, and back in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Group;
use super::open::{GroupOptions, open};
use super::parts::Parts;
use super::start_core::start_core;
use crate::base::threads::ThreadMain;
use crate::consensus::background::reclaim::Reclaim;
use crate::consensus::errors::StartError;
use crate::consensus::membership::change::Expected;
use crate::consensus::membership::incarnation;
use crate::consensus::storage::parts;
use crate::consensus::tasks::Tasks;
use crate::data::meta::{Facts, Meta};

/// How long a stopping leader waits for its successor: a hand-over takes milliseconds, unless all
/// nodes stop at once.
const HAND_OVER_PATIENCE: Duration = Duration::from_secs(1);

/// How long a stopping node waits for the answers to what it proposed.
const IN_FLIGHT_PATIENCE: Duration = Duration::from_secs(1);

/// Whether a node may start on a directory of which this is known.
pub fn check_facts(facts: &Facts) -> Result<(), StartError> {
    facts.check_level()?;
    if let Some(reason) = facts.removed.clone() {
        return Err(StartError::Removed(reason));
    }
    if let Some(reason) = facts.condemned.clone() {
        return Err(StartError::Condemned(reason));
    }
    match facts.superseded.clone() {
        Some(superseded) => Err(StartError::Superseded(superseded.reason)),
        None => Ok(()),
    }
}

impl Group {
    /// Opens the directory, loads the checkpoint, starts the threads and, when the directory has an
    /// identity, the core. Blocks while it reads.
    pub async fn start(options: GroupOptions) -> Result<Self, StartError> {
        let directory = options.directory.join(format!("group-{}", options.group_id));
        parts::check_meta(&*options.disk, &options.directory, &directory)?;
        options.disk.create_directory(&directory).map_err(StartError::Checkpoint)?;
        let meta = Arc::new(Meta::open(&*options.disk, &options.directory)?);
        check_facts(&meta.facts())?;
        parts::check_data(&*options.disk, &meta.facts(), &options.directory, &directory)?;
        incarnation::draw(&meta)?;
        let threads = options.threads.clone();
        let tasks = Tasks::start(&*threads);
        let (reclaim, questions) = Reclaim::new();
        let group = Self(Arc::new(open(options, directory, meta.clone(), tasks, reclaim)?));
        group.0.reclaimer().start(&*threads, questions);
        if let (Some(node_id), Some(cluster_id)) = (meta.facts().node_id, meta.facts().cluster_id) {
            start_core(&group.0, node_id, cluster_id).await.map_err(StartError::Core)?;
        }
        Ok(group)
    }
}

/// See [`Group::stop`].
pub(super) async fn stop(parts: &Parts) {
    let limit = Duration::from_millis(parts.own.config.load().raft.shutdown_timeout_ms);
    if tokio::time::timeout(limit, stop_in_order(parts)).await.is_err() {
        tracing::warn!("the group did not stop in order within its time");
    }
}

/// See [`Group::hand_over`].
pub(super) async fn hand_over(parts: &Parts) {
    if !parts.cluster.leadership.is_leader() {
        return;
    }
    let handing_over = parts.control.transfers.transfer(None, Expected::Any);
    match tokio::time::timeout(HAND_OVER_PATIENCE, handing_over).await {
        Ok(Ok(())) => tracing::info!("leadership was handed over"),
        Ok(Err(error)) => tracing::info!(%error, "leadership was not handed over"),
        Err(_) => tracing::info!("leadership was not handed over in time"),
    }
}

async fn stop_in_order(parts: &Parts) {
    hand_over(parts).await;
    parts.own.lifetime.stopping.store(true, Ordering::Release);
    // What is on its way to the log gets its answer if it comes soon.
    let all = parts.own.config.load().raft.proposals_in_flight;
    let answered =
        tokio::time::timeout(IN_FLIGHT_PATIENCE, parts.requests.window.acquire_many(all));
    if answered.await.is_err() {
        tracing::info!("some proposals were not answered before the stop");
    }
    if let Some(core) = parts.cluster.raft.core()
        && let Err(error) = core.raft.shutdown().await
    {
        tracing::warn!(%error, "the consensus core did not stop in order");
    }
    parts.data.log.close().await;
    close_meta(parts).await;
}

/// On the thread that may wait for the disk, after everything that was to be noted before. Some
/// threads still hold the facts for a moment, and the directory may be opened again at once.
async fn close_meta(parts: &Parts) {
    let (done, closed) = tokio::sync::oneshot::channel();
    let meta = parts.own.meta.clone();
    let main: ThreadMain = Box::new(move || {
        Box::pin(async move {
            meta.close();
            // The stop may have run out of time.
            let _ = done.send(());
        })
    });
    if parts.own.tasks.run_on_disk_thread(main) {
        // An error means that the thread has ended.
        let _ = closed.await;
    }
}
