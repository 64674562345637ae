//! The requests of a replication stream that are under way.

use std::collections::VecDeque;

use openraft::raft::AppendEntriesRequest;
use parking_lot::Mutex;

use crate::consensus::types::{LogId, TypeConfig};

/// The last log id of each, oldest first. Answers come in the same order.
///
/// openraft takes an answer for one to the newest request that ends where the answer ends or
/// before, and a request that only tells a commit ends where the one before it ended. A leader that
/// was paused would so take an old answer for one to what it has just sent, hold its lease for
/// renewed, and answer reads though another leads. So an answer is passed on only with that of the
/// last request which it could be taken for.
#[derive(Debug, Default)]
pub(super) struct Unanswered(Mutex<VecDeque<Option<LogId>>>);

impl Unanswered {
    /// A request goes out.
    pub(super) fn sent(&self, request: &AppendEntriesRequest<TypeConfig>) {
        let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
        self.0.lock().push_back(last);
    }

    /// The oldest is answered; whether openraft would take that for an answer to another one.
    pub(super) fn answered(&self, matching: Option<LogId>) -> bool {
        let mut requests = self.0.lock();
        requests.pop_front();
        requests.front().is_some_and(|next| *next <= matching)
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::NodeId;
    use crate::consensus::types::{LeaderId, Vote};

    const LEADER: LeaderId = LeaderId { term: 1, node_id: NodeId(1) };

    fn log_id(index: u64) -> Option<LogId> {
        Some(LogId::new(LEADER, index))
    }

    fn commit_at(index: u64) -> AppendEntriesRequest<TypeConfig> {
        AppendEntriesRequest {
            vote: Vote::new_committed(LEADER.term, LEADER.node_id),
            prev_log_id: log_id(index),
            entries: Vec::new(),
            leader_commit: log_id(index),
        }
    }

    #[test]
    fn an_answer_that_could_be_taken_for_another_one_is_held_back() {
        let unanswered = Unanswered::default();
        for index in [4, 5, 5, 5, 6] {
            unanswered.sent(&commit_at(index));
        }
        let held = [4, 5, 5, 5, 6].map(|index| unanswered.answered(log_id(index)));
        assert_eq!(held, [false, true, true, false, false]);
        assert!(unanswered.is_empty());
    }
}
