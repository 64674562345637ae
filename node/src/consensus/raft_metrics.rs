//! What openraft's metrics say of leader and members.

use std::time::Duration;

use openraft::{Instant as _, ServerState};

use crate::base::ids::NodeId;
use crate::base::limits::MEMBER_SILENCE_MAX;
use crate::consensus::types::Metrics;

/// The only voter is its own majority.
pub(crate) fn leads_alone(metrics: &Metrics) -> bool {
    metrics.state == ServerState::Leader
        && metrics.membership_config.voter_ids().all(|voter| voter == metrics.id)
}

pub(crate) fn matched(metrics: &Metrics, id: NodeId) -> Option<u64> {
    if id == metrics.id {
        return metrics.last_log_index;
    }
    metrics.replication.as_ref()?.get(&id).copied().flatten().map(|id| id.index)
}

/// Milliseconds since a majority last acknowledged this leader.
pub(crate) fn quorum_age_ms(metrics: &Metrics) -> Option<u64> {
    if leads_alone(metrics) {
        return Some(0);
    }
    let at = metrics.last_quorum_acked.filter(|_| metrics.state == ServerState::Leader);
    at.map(|at| at.into_inner().elapsed().as_millis() as u64)
}

/// Whether no majority has answered this leader for so long. It leads on as soon as one does,
/// unless another node was elected meanwhile.
pub(crate) fn lost_majority(metrics: &Metrics, silence_max: Duration) -> bool {
    quorum_age_ms(metrics).is_some_and(|age_ms| u128::from(age_ms) > silence_max.as_millis())
}

/// Whether a member answers this leader.
pub(crate) fn is_reachable(metrics: &Metrics, id: NodeId) -> bool {
    answered_since(metrics, id, MEMBER_SILENCE_MAX)
}

/// Whether a member has answered something that this leader sent less than `ago` ago.
pub(crate) fn answered_since(metrics: &Metrics, id: NodeId, ago: Duration) -> bool {
    if id == metrics.id {
        return true;
    }
    let heartbeats = metrics.heartbeat.as_ref();
    let answered = heartbeats.and_then(|all| all.get(&id).copied().flatten());
    answered.is_some_and(|at| at.into_inner().elapsed() < ago)
}
