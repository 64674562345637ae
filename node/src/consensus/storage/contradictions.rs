//! Leaders whose log contradicts what this node knows to be committed.
//!
//! openraft (0.10.0-alpha.37) takes every position up to the committed one for one that matches,
//! and asserts it in debug builds only: a release build would skip what differs and go on with
//! another history than its leader. By the log matching property it is enough to look at one
//! position, the last one known to be committed: logs that agree there agree before it, and a log
//! that a leader may have continues there.

use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::AppendEntriesRequest;

use crate::base::seeded::{Bug, seeded};
use crate::consensus::shared::Shared;
use crate::consensus::types::{LogId, TypeConfig, Vote};

impl Shared {
    /// Ends this node for good when the request contradicts what is committed here; why.
    pub(crate) fn check_append(
        &self,
        request: &AppendEntriesRequest<TypeConfig>,
    ) -> Result<(), String> {
        let entries = request.entries.iter().map(|entry| entry.log_id);
        self.check_positions(&request.vote, request.prev_log_id.into_iter().chain(entries))
    }

    /// As [`Shared::check_append`], for the end of a snapshot.
    pub(crate) fn check_snapshot(&self, vote: &Vote, last: Option<LogId>) -> Result<(), String> {
        self.check_positions(vote, last.into_iter())
    }

    fn check_positions(
        &self,
        vote: &Vote,
        mut positions: impl Iterator<Item = LogId>,
    ) -> Result<(), String> {
        let Some(raft) = self.raft() else { return Ok(()) };
        let known = {
            let metrics = raft.metrics();
            let metrics = metrics.borrow_watched();
            // A leader of before may hold what was never committed. One that is not older than the
            // vote under which an entry was known to be committed holds that entry, even if this
            // node has gone on since the report.
            if *vote < metrics.vote {
                return Ok(());
            }
            metrics.local_committed.max(metrics.last_applied)
        };
        let Some(known) = known else { return Ok(()) };
        let Some(found) = positions.find(|position| contradicts(position, &known)) else {
            return Ok(());
        };
        if seeded(Bug::TruncateApplied) {
            return Ok(());
        }
        let reason = format!(
            "the leader has entry {} of term {} where entry {} of term {} was committed here",
            found.index, found.leader_id.term, known.index, known.leader_id.term
        );
        self.condemn(&reason);
        Err(reason)
    }
}

/// Whether no log can hold both.
fn contradicts(position: &LogId, known: &LogId) -> bool {
    let by_index = position.index.cmp(&known.index);
    let by_leader = position.leader_id.cmp(&known.leader_id);
    match by_index {
        std::cmp::Ordering::Equal => by_leader.is_ne(),
        other => by_leader.is_ne() && by_leader != other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::NodeId;
    use crate::consensus::types::LeaderId;

    #[test]
    fn a_position_contradicts_a_committed_one_when_no_log_can_hold_both() {
        let at = |term, index| LogId::new(LeaderId { term, node_id: NodeId(1) }, index);
        let known = at(5, 100);
        let cases = [
            (at(5, 100), false),
            (at(4, 100), true),
            (at(6, 100), true),
            (at(5, 99), false),
            (at(3, 99), false),
            (at(6, 99), true),
            (at(5, 101), false),
            (at(6, 101), false),
            (at(4, 101), true),
        ];
        for (position, expected) in cases {
            assert_eq!(contradicts(&position, &known), expected, "{position}");
        }
    }
}
