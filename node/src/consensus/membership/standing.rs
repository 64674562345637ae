//! Whether this node still belongs to its cluster. A follower that was removed while it was away is
//! told nothing more, so a node that hears no leader asks the members. It believes a majority of
//! the voters of the newest membership that any of them has applied, and nothing else: a proxy, a
//! policy or a status code between the nodes says nothing about membership.

use std::collections::{BTreeMap, BTreeSet};

use ironkv_proto::admin::v1::{Standing, StandingResponse};
use ironkv_proto::types::v1::Member;
use parking_lot::RwLock;

use super::admin_client::member_to_proto;
use crate::base::ids::{ClusterId, NodeId};
use crate::consensus::network::convert::{log_id_from_proto, log_id_to_position};
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::types::{LogId, StoredMembership};
use crate::data::lineage::Registration;

/// Members, their incarnations, and removed ids, as applied here.
#[derive(Debug, Default)]
pub(crate) struct Standings(RwLock<Applied>);

#[derive(Debug, Default)]
struct Applied {
    membership: StoredMembership,
    removed: BTreeSet<NodeId>,
    incarnations: BTreeMap<NodeId, Registration>,
}

impl Standings {
    /// As a start finds them.
    pub(crate) fn of(state: &ReplicatedState) -> Self {
        let standings = Self::default();
        standings.set(state);
        standings
    }

    /// Takes over what was applied.
    pub(crate) fn set(&self, state: &ReplicatedState) {
        let (membership, removed) = (state.membership.clone(), state.removed.clone());
        let incarnations = state.incarnations.clone();
        *self.0.write() = Applied { membership, removed, incarnations };
    }

    /// The incarnation in force of a member that has one.
    pub(crate) fn registration_of(&self, id: NodeId) -> Option<Registration> {
        self.0.read().incarnations.get(&id).copied()
    }

    /// Whether the node was a member once and was removed.
    pub(crate) fn is_removed(&self, id: NodeId) -> bool {
        self.0.read().removed.contains(&id)
    }

    pub(crate) fn answer(&self, id: NodeId) -> (Standing, Option<LogId>, Vec<Member>) {
        let applied = self.0.read();
        let standing = if applied.removed.contains(&id) {
            Standing::Removed
        } else if applied.membership.get_node(&id).is_some() {
            Standing::Member
        } else {
            Standing::Unknown
        };
        let voters: BTreeSet<NodeId> = applied.membership.voter_ids().collect();
        let voters = applied.membership.nodes().filter(|(id, _)| voters.contains(id));
        let voters = voters.map(|(id, addresses)| member_to_proto(*id, addresses)).collect();
        (standing, *applied.membership.log_id(), voters)
    }
}

/// What the answers of members amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A majority of the other voters has it as a member.
    Member(LogPosition),
    /// A majority of the voters has it as removed.
    Removed(LogPosition),
    /// Too few answers, or answers that differ; the reason.
    Undecided(String),
}

/// Judges the answers about one node. They count only when they are about this node of this
/// cluster, and only a majority of the voters of the newest membership among them decides.
pub fn judge(cluster_id: &ClusterId, id: NodeId, answers: &[StandingResponse]) -> Verdict {
    let answers = valid(cluster_id, id, answers);
    let Some((at, newest)) = newest(&answers) else {
        return Verdict::Undecided("no member has answered".to_owned());
    };
    let voters: BTreeSet<u64> =
        newest.voters.iter().map(|member| member.node_id).filter(|voter| *voter != id.0).collect();
    let agree = |standing: Standing| {
        let agreeing = answers.iter().filter(|(_, answer)| answer.standing() == standing);
        let ids: BTreeSet<u64> = agreeing.map(|(_, answer)| answer.answering_node_id).collect();
        ids.intersection(&voters).count()
    };
    let (removed, member) = (agree(Standing::Removed), agree(Standing::Member));
    let majority = voters.len() / 2 + 1;
    if removed >= majority {
        Verdict::Removed(at)
    } else if member >= majority {
        Verdict::Member(at)
    } else {
        Verdict::Undecided(format!(
            "of {} other voters {member} have node {id} as a member and {removed} as removed; \
             {majority} must agree",
            voters.len()
        ))
    }
}

/// Voters of the newest membership among the answers that have not answered yet.
pub fn unasked<'a>(
    cluster_id: &ClusterId,
    id: NodeId,
    answers: &'a [StandingResponse],
) -> Vec<&'a Member> {
    let valid = valid(cluster_id, id, answers);
    let Some((_, newest)) = newest(&valid) else { return Vec::new() };
    let answered = |voter: u64| answers.iter().any(|answer| answer.answering_node_id == voter);
    let open = |member: &&Member| member.node_id != id.0 && !answered(member.node_id);
    newest.voters.iter().filter(open).collect()
}

/// Answers of other members about this node of this cluster.
pub(crate) fn valid<'a>(
    cluster_id: &ClusterId,
    id: NodeId,
    answers: &'a [StandingResponse],
) -> Vec<(LogPosition, &'a StandingResponse)> {
    let own = answers.iter().filter(|answer| {
        answer.cluster_id == cluster_id.0
            && answer.node_id == id.0
            && answer.answering_node_id != id.0
            && !answer.voters.is_empty()
    });
    own.filter_map(|answer| {
        let at = log_id_from_proto(answer.membership.as_ref()?);
        Some((log_id_to_position(&at), answer))
    })
    .collect()
}

/// Memberships are committed, so the index orders them.
pub(crate) fn newest<'a>(
    answers: &[(LogPosition, &'a StandingResponse)],
) -> Option<(LogPosition, &'a StandingResponse)> {
    answers.iter().max_by_key(|(at, _)| at.index).copied()
}

#[cfg(test)]
#[path = "standing_test.rs"]
mod tests;
