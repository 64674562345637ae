//! When checkpoints are written and how much log is kept behind them. Runs beside the core, which
//! only learns of checkpoints that are in force and is told up to where to purge.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::Instant;

use crate::base::hash::stable_hash;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::shared::{Ended, Shared};
use crate::consensus::snapshot::checkpoints::WriteError;
use crate::consensus::types::{Metrics, Raft};

/// A fast writer fills a small disk within a second or two.
const INTERVAL: Duration = Duration::from_millis(100);
/// Pause between questions whether a checkpoint that found no room would find it now.
const ROOM_INTERVAL: Duration = Duration::from_secs(1);
/// How soon the core knows of a checkpoint.
const CORE_PATIENCE: Duration = Duration::from_secs(1);
/// Pause after an attempt that filled the disk; doubled by every further one.
const RETRY_AFTER: Duration = Duration::from_secs(2);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(64);
/// The log takes at most one part in so many of what it and the free disk are together, both
/// before a checkpoint is due and behind the one in force.
const DISK_SHARE: u64 = 4;

/// Writes checkpoints as they become due and purges the log behind them, until the group stops.
pub(crate) async fn run(shared: Arc<Shared>, raft: Raft) {
    let (mut pause, mut not_before) = (RETRY_AFTER, Instant::now());
    loop {
        tokio::time::sleep(INTERVAL).await;
        if shared.stopping.load(Ordering::Relaxed) || shared.ended.borrow().is_some() {
            return;
        }
        if is_due(&shared) && Instant::now() >= not_before {
            match write(&shared, &raft).await {
                Ok(_) => pause = RETRY_AFTER,
                Err(WriteError::NoRoom { .. }) => not_before = Instant::now() + ROOM_INTERVAL,
                Err(WriteError::Full(_)) => {
                    not_before = Instant::now() + pause;
                    pause = (pause * 2).min(RETRY_AFTER_MAX);
                }
                Err(WriteError::Failed(_)) => return,
            }
        } else if Instant::now() >= not_before
            && shared.checkpoints.stats.no_room.load(Ordering::Relaxed)
        {
            // It is due no longer, but whether there is room is still told.
            let _ = shared.checkpoints.check_room(shared.applied.memory_bytes()).await;
            not_before = Instant::now() + ROOM_INTERVAL;
        }
        if purge(&shared, &raft).await.is_err() {
            tracing::warn!("the consensus core has stopped");
            return;
        }
    }
}

/// Writes a checkpoint of what is applied now, if it fits; its log index. A failure of the disk
/// ends the group.
pub(crate) async fn write(shared: &Arc<Shared>, raft: &Raft) -> Result<u64, WriteError> {
    let written = async {
        if !seeded(Bug::FullDiskFatal) {
            shared.checkpoints.check_room(shared.applied.memory_bytes()).await?;
        }
        let cut = shared.apply.cut().await?;
        shared.checkpoints.write(cut).await
    };
    if let Err(error) = written.await {
        if seeded(Bug::FullDiskFatal) || !error.may_pass() {
            shared.end(Ended::Failed(format!("a checkpoint cannot be written: {error}")));
        }
        return Err(error);
    }
    // A node that writes checkpoints of its own needs no half of a leader's.
    if let Err(error) = shared.incoming.remove_leftovers().await {
        tracing::warn!(%error, "cannot remove what snapshots left");
    }
    // An error says that the core has stopped: the checkpoint is in force all the same.
    let _ = raft.trigger().snapshot().await;
    let index = shared.checkpoints.index().unwrap_or(0);
    let mut reports = raft.metrics();
    let known = async {
        while known_to_core(&reports.borrow_and_update()) < index {
            if reports.changed().await.is_err() {
                return;
            }
        }
    };
    // It is asked again if it takes longer.
    let _ = tokio::time::timeout(CORE_PATIENCE, known).await;
    Ok(index)
}

fn known_to_core(metrics: &Metrics) -> u64 {
    metrics.snapshot.map_or(0, |id| id.index)
}

fn is_due(shared: &Shared) -> bool {
    let index = shared.checkpoints.index();
    let behind = shared.log.bytes_after(index.unwrap_or(0));
    let config = shared.config.load();
    let share =
        shared.applied.memory_bytes() / 100 * u64::from(config.checkpoint.log_percent_of_data);
    let enough = config.checkpoint.log_bytes_min.max(share).min(disk_share(shared));
    let node = shared.meta.facts().node_id.map_or(0, |id| id.0);
    // With too little room a checkpoint is the only way to give log back.
    let in_need = lacks_room(shared) && behind >= config.log.segment_bytes;
    in_need
        || shared.checkpoints.is_damaged()
        || behind >= with_jitter(enough, (node, index.unwrap_or(0)), shared.is_leader())
}

/// All nodes have the same log, but must not write at the same moment: up to a quarter more than
/// `enough` by node and checkpoint, and an eighth more on the leader, which is to be last.
fn with_jitter(enough: u64, (node, index): (u64, u64), is_leader: bool) -> u64 {
    let seed = [node.to_le_bytes(), index.to_le_bytes()].concat();
    let by_node = enough / 1024 * (stable_hash(&seed) % 256);
    let last = if is_leader { enough / 8 } else { 0 };
    enough.saturating_add(by_node).saturating_add(last)
}

/// Whether the log is to give back all that it can.
pub(crate) fn lacks_room(shared: &Shared) -> bool {
    shared.disk_full()
        || shared.checkpoints.stats.no_room.load(Ordering::Relaxed)
        || shared.incoming.lacks_room()
}

fn disk_share(shared: &Shared) -> u64 {
    match shared.room.free_bytes() {
        // The room watch has not looked yet.
        0 => u64::MAX,
        free_bytes => free_bytes.saturating_add(shared.log.stats().bytes) / DISK_SHARE,
    }
}

/// Has the core drop log behind the checkpoint in force, but for what followers that are slow may
/// still ask for.
async fn purge(
    shared: &Shared,
    raft: &Raft,
) -> Result<(), openraft::errors::Fatal<crate::consensus::types::TypeConfig>> {
    let Some(index) = shared.checkpoints.index() else { return Ok(()) };
    let (known, purged) = {
        let metrics = raft.metrics();
        let metrics = metrics.borrow_watched();
        (known_to_core(&metrics), metrics.purged.map_or(0, |id| id.index))
    };
    if known < index {
        // The core forgets what it is told while it still takes in the checkpoint before.
        raft.trigger().snapshot().await?;
    }
    let last = if seeded(Bug::LogKeptByCount) {
        index.checked_sub(5000)
    } else if lacks_room(shared) {
        Some(index)
    } else {
        let keep_bytes = shared.config.load().log.retained_bytes.min(disk_share(shared));
        shared.log.last_to_purge(index, keep_bytes)
    };
    match last {
        // Each purge is a flush, and files are given back as a whole.
        Some(last) if frees_much(shared, purged, last) => {
            if lacks_room(shared) {
                shared.room.give_back(last);
            }
            raft.trigger().purge_log(last).await
        }
        _ => Ok(()),
    }
}

fn frees_much(shared: &Shared, purged: u64, last: u64) -> bool {
    let freed_bytes = shared.log.bytes_after(purged).saturating_sub(shared.log.bytes_after(last));
    last > purged && freed_bytes >= shared.config.load().log.segment_bytes / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_take_checkpoints_at_different_bytes_and_the_leader_last_within_a_bound() {
        let enough = 256 << 20;
        for index in [0, 7, 100_000] {
            let at = |node, leads| with_jitter(enough, (node, index), leads);
            let [one, two, three] = [1, 2, 3].map(|node| at(node, false));
            assert!(one != two && two != three && one != three, "{one} {two} {three}");
            assert!([one, two, three].iter().all(|at| (enough..enough * 5 / 4).contains(at)));
            assert_eq!(at(1, true), one + enough / 8);
        }
        assert!(with_jitter(u64::MAX, (1, 1), true) == u64::MAX, "no limit stays none");
    }
}
