//! Hands leadership over.

use std::sync::Arc;
use std::time::Duration;

use openraft::{ReadPolicy, ServerState};

use super::checks::{check_position, keeps_up};
use super::{ChangeError, Expected};
use crate::base::config::LiveConfig;
use crate::base::ids::NodeId;
use crate::consensus::leadership::who_leads::LeadershipState;
use crate::consensus::raft_handle::RaftHandle;
use crate::consensus::raft_metrics::matched;
use crate::consensus::time::ClusterTime;
use crate::consensus::types::{LeaderId, Metrics};

/// Longest wait of a transfer for a majority to hear of the leader's time.
const TELL_TIME_TIMEOUT: Duration = Duration::from_millis(200);

/// What a hand-over depends on.
pub(crate) struct Transfers {
    pub(crate) config: Arc<LiveConfig>,
    pub(crate) raft: Arc<RaftHandle>,
    pub(crate) leadership: Arc<LeadershipState>,
    pub(crate) time: Arc<ClusterTime>,
}

impl Transfers {
    /// Hands the leadership over to `target`, or to the voter that is furthest; waits until another
    /// term has a leader. Without a `target` any other node will do.
    pub(crate) async fn transfer(
        &self,
        target: Option<NodeId>,
        expected: Expected,
    ) -> Result<(), ChangeError> {
        let core = self.raft.core().ok_or(ChangeError::NotLeader(None))?;
        let metrics = self.raft.metrics().ok_or(ChangeError::NotLeader(None))?;
        check_position(&metrics, expected)?;
        let successor = self.pick_successor(&metrics, target)?;
        // From the first message on another node may win an election in spite of leases.
        self.leadership.gate.close_for(metrics.vote.leader_id);
        // A majority hears of the last time that was shown, so that the successor begins after it.
        let told = core.raft.get_read_log_id(ReadPolicy::ReadIndex);
        let _ = tokio::time::timeout(TELL_TIME_TIMEOUT, told).await;
        let triggered = core.raft.trigger().transfer_leader(successor).await;
        triggered.map_err(|_| ChangeError::Unknown)?;
        // The request may have met a later leadership of this node, which it then hands over.
        if let Some(now) = self.raft.metrics().filter(|now| now.state == ServerState::Leader) {
            self.leadership.gate.close_for(now.vote.leader_id);
        }
        let timeout = self.config.load().raft.leader_patience();
        let mut leadership = self.leadership.leadership.subscribe();
        let next =
            leadership.wait_for(|now| now.term > metrics.current_term && now.leader.is_some());
        // The successor may be slow to flush what it lacks; then whoever notices the silence
        // stands.
        let now = match tokio::time::timeout(timeout * 2, next).await {
            Ok(Ok(now)) => *now,
            _ => return Err(ChangeError::Unknown),
        };
        if now.is_self {
            self.leadership.gate.close_for(LeaderId { term: now.term, node_id: metrics.id });
        }
        match now.leader {
            Some(leader) if leader == target.unwrap_or(leader) && !now.is_self => Ok(()),
            // The successor did not make it in time, and the voters elected whom they could reach.
            Some(leader) => Err(ChangeError::Refused(format!(
                "node {successor} was not elected; node {leader} leads now"
            ))),
            None => Err(ChangeError::Unknown),
        }
    }

    pub(crate) fn pick_successor(
        &self,
        metrics: &Metrics,
        target: Option<NodeId>,
    ) -> Result<NodeId, ChangeError> {
        let refuse = |text: String| Err(ChangeError::Refused(text));
        let mut candidates = metrics
            .membership_config
            .voter_ids()
            .filter(|id| *id != metrics.id && keeps_up(metrics, *id));
        match target {
            Some(id) if id == metrics.id => refuse(format!("node {id} leads already")),
            Some(id) if !self.may_lead(id) => {
                refuse(wrong_clock(id, self.time.offset_of(id).unwrap_or(0)))
            }
            Some(id) if candidates.any(|candidate| candidate == id) => Ok(id),
            Some(id) => refuse(format!("node {id} is no voter that is reachable and caught up")),
            None => match candidates.max_by_key(|id| (self.may_lead(*id), matched(metrics, *id))) {
                Some(id) => Ok(id),
                None => refuse("no other voter is reachable and caught up".to_owned()),
            },
        }
    }

    /// Whether a clock that is so far ahead of a majority's is right enough to lead. One of which
    /// nothing is known is.
    pub(crate) fn is_right(&self, offset_ms: Option<i64>) -> bool {
        let bound_ms = self.config.load().raft.clock_offset_max_ms;
        offset_ms.is_none_or(|offset_ms| offset_ms.unsigned_abs() <= bound_ms)
    }

    /// Whether another voter's clock allows it to lead, as far as this leader knows.
    pub(crate) fn may_lead(&self, id: NodeId) -> bool {
        self.is_right(self.time.offset_of(id))
    }
}

fn wrong_clock(id: NodeId, offset_ms: i64) -> String {
    let side = if offset_ms < 0 { "behind" } else { "ahead of" };
    let off_ms = offset_ms.unsigned_abs();
    format!("the clock of node {id} is {off_ms} ms {side} a majority's: set it right first")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_a_node_with_a_wrong_clock_says_on_which_side_it_is() {
        let said = |offset_ms| wrong_clock(NodeId(3), offset_ms);
        assert_eq!(
            said(-60_000),
            "the clock of node 3 is 60000 ms behind a majority's: set it right first"
        );
        assert!(said(7000).contains("7000 ms ahead of a majority's"));
    }
}
