//! Background work of the leader and of every node: expired keys, checkpoints.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::entry::Item;
use super::shared::Shared;
use super::types::Raft;
use crate::base::limits::EXPIRE_BATCH_KEYS;

const EXPIRE_INTERVAL: Duration = Duration::from_millis(100);
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Proposes the removal of keys that are due. Their owners cannot see them any more; this gives the
/// memory back and lets every node tell its subscribers.
pub(crate) async fn expire(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(EXPIRE_INTERVAL).await;
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        if !shared.is_leader() {
            continue;
        }
        while propose_due(&shared).await {}
    }
}

/// Whether there may be more.
async fn propose_due(shared: &Shared) -> bool {
    let now_ms = shared.read_time_ms();
    let batches: Vec<Item> = {
        let keyspace = shared.keyspace.read();
        if !keyspace.settings.active_expire {
            return false;
        }
        let due = keyspace.databases().map(|(database, content)| Item::Expire {
            database,
            keys: content.due(now_ms, EXPIRE_BATCH_KEYS),
        });
        due.filter(|item| matches!(item, Item::Expire { keys, .. } if !keys.is_empty())).collect()
    };
    let mut more = false;
    for item in batches {
        let full = matches!(&item, Item::Expire { keys, .. } if keys.len() == EXPIRE_BATCH_KEYS);
        let outcome = shared.queue_item(item, false).await;
        more |= full && matches!(outcome, Ok(Ok(_)));
    }
    more
}

/// Asks for a checkpoint when the log behind the last one has grown enough.
pub(crate) async fn checkpoint(shared: Arc<Shared>, raft: Raft) {
    let mut written_before = shared.log.stats().bytes_written;
    // What a restart replayed counts too.
    let mut carried = shared.log.stats().bytes;
    loop {
        tokio::time::sleep(CHECKPOINT_INTERVAL).await;
        let written = shared.log.stats().bytes_written;
        let enough = {
            let config = &shared.config.load().checkpoint;
            let share = shared.applied.memory_bytes() / 100 * u64::from(config.log_percent_of_data);
            config.log_bytes_min.max(share)
        };
        if carried + (written - written_before) < enough {
            continue;
        }
        (written_before, carried) = (written, 0);
        if let Err(error) = raft.trigger().snapshot().await {
            tracing::warn!(%error, "the consensus core has stopped");
            return;
        }
    }
}
