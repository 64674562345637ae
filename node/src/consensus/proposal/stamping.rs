//! When a leader may stamp entries.

use std::time::Duration;

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;

use crate::consensus::shared::Shared;
use crate::consensus::types::Raft;

/// A report of a follower is not announced; the answers that bring it nearly always are.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until this leader knows the time: a majority has told it theirs, and all entries of former
/// leaders are applied. The first entry of the term brings both about. `None` when this node does
/// not lead.
pub(crate) async fn term_to_stamp(shared: &Shared, raft: &Raft) -> Option<u64> {
    let mut reports = raft.metrics();
    loop {
        let (term, leads, current) = {
            let now = reports.borrow_and_update();
            let current = now.last_applied.is_some_and(|id| id.leader_id == now.vote.leader_id);
            (now.current_term, now.state == ServerState::Leader, current)
        };
        if !leads {
            return None;
        }
        if current && shared.time.is_settled(term) {
            return Some(term);
        }
        // An error means that the core has ended: it leads no more.
        let changed = tokio::time::timeout(POLL_INTERVAL, reports.changed()).await;
        if matches!(changed, Ok(Err(_))) {
            return None;
        }
    }
}
