//! A member says against a node that takes part that its directory is a copy or an old state. One
//! member's word must not stop a majority that works: while that majority confirms that the node's
//! leader still leads, and no log entry has replaced the node's registration, the member has
//! another history, and is the one that must stop.

use std::collections::BTreeSet;
use std::sync::Arc;

use ironkv_proto::admin::v1::StandingResponse;
use tokio::time::Instant;

use super::Doubt;
use crate::base::ids::NodeId;
use crate::consensus::network::convert::registration_from_proto;
use crate::consensus::read::read_index::confirm_by_majority;
use crate::consensus::shared::Shared;
use crate::data::lineage::Registration;

/// What is said against this directory while its node takes part.
#[derive(Debug, Default)]
pub(super) struct Objections {
    /// Not judged yet. Until then the node votes for no other leader and does not stand: under the
    /// one that it has, nothing counts that this leader does not allow.
    pending: Option<Registration>,
    /// A majority works that does not have these; they can never come into its log.
    refuted: Vec<Registration>,
}

impl Shared {
    /// The term in which a majority works with this process: an entry of its leader is applied that
    /// came here after the start. Before that, what this node acknowledges may be what it forgot.
    pub(crate) fn confirmed_term(&self) -> Option<u64> {
        let metrics = self.metrics().filter(|_| !self.is_in_doubt())?;
        let applied = metrics.last_applied?;
        let new = applied.index > *self.incarnations.end_at_start.get()?;
        let leads = metrics.vote.committed && applied.leader_id == metrics.vote.leader_id;
        (new && leads).then_some(applied.leader_id.term)
    }

    /// A member has applied a registration that this directory never drew.
    pub(super) fn heed_objection(&self, own: NodeId, seen: Registration) {
        let doubts = &self.incarnations.doubts;
        if doubts.objections.lock().refuted.contains(&seen) {
            return;
        }
        if self.confirmed_term().is_none() {
            return self.doubt(Doubt::superseded(own, seen));
        }
        if doubts.objections.lock().pending.replace(seen).is_none() {
            tracing::warn!(index = seen.index, "a member says that this node's data is old");
            self.allow_election();
            doubts.asked.notify_one();
        }
    }

    /// Whether this node votes and stands for no new leader until it is known who is right.
    pub(crate) fn has_objection(&self) -> bool {
        self.incarnations.doubts.objections.lock().pending.is_some()
    }

    /// What a majority has refuted.
    pub(crate) fn refuted(&self) -> Vec<Registration> {
        self.incarnations.doubts.objections.lock().refuted.clone()
    }

    pub(super) fn allow_election(&self) {
        if let Some(raft) = self.raft() {
            raft.runtime_config().elect(self.may_stand());
        }
    }
}

/// Ends an objection, now that the members were asked.
pub(crate) async fn settle_objection(shared: &Arc<Shared>, own: NodeId) {
    let Some(seen) = shared.incarnations.doubts.objections.lock().pending else { return };
    // In doubt since then, the node does nothing that an objection keeps it from.
    let confirmed = match shared.confirmed_term() {
        Some(_) => is_refuted(shared).await,
        None => false,
    };
    if confirmed {
        tracing::warn!(index = seen.index, "a majority works without that log entry");
    } else {
        shared.doubt(Doubt::superseded(own, seen));
    }
    {
        let mut objections = shared.incarnations.doubts.objections.lock();
        if confirmed && !objections.refuted.contains(&seen) {
            objections.refuted.push(seen);
        }
        if objections.pending == Some(seen) {
            objections.pending = None;
        }
    }
    shared.allow_election();
}

/// Whether everything that was committed before is applied here: what is registered for this node
/// would be among it, and would have ended it.
async fn is_refuted(shared: &Arc<Shared>) -> bool {
    let deadline = Instant::now() + shared.request_timeout();
    let Ok(point) = confirm_by_majority(shared, deadline).await else { return false };
    let applied = shared.applied.wait_for(point.index);
    let applied = tokio::time::timeout_at(deadline, applied).await.is_ok();
    applied && shared.confirmed_term().is_some()
}

/// The term in which a majority of these voters works, if one of them has refuted what is
/// registered for it here: this node then has another history than they have.
pub(super) fn outvoted_in(
    voters: &BTreeSet<NodeId>,
    registration_of: impl Fn(NodeId) -> Option<Registration>,
    answers: &[StandingResponse],
) -> Option<u64> {
    let from = |answer: &StandingResponse| NodeId(answer.answering_node_id);
    let refutes = |answer: &&StandingResponse| {
        let refuted = answer.refuted.iter().map(registration_from_proto);
        let own = registration_of(from(answer));
        own.is_some_and(|own| refuted.into_iter().any(|refuted| refuted == own))
    };
    let of_voters = || answers.iter().filter(|answer| voters.contains(&from(answer)));
    let refuting = of_voters().filter(refutes).map(|answer| answer.confirmed_term);
    let term = refuting.max().filter(|term| *term > 0)?;
    let working = of_voters().filter(|answer| answer.confirmed_term == term).map(from);
    let working: BTreeSet<NodeId> = working.collect();
    (working.len() > voters.len() / 2).then_some(term)
}
