//! What the answers of members amount to about the data of the node that asks.

use std::collections::{BTreeMap, BTreeSet};

use ironkv_proto::admin::v1::StandingResponse;

use super::objection::outvoted_in;
use super::{Doubt, Told};
use crate::base::ids::{ClusterId, NodeId};
use crate::base::seeded::{Bug, seeded};
use crate::consensus::membership::standing::{newest, valid};
use crate::consensus::network::convert::{
    log_id_from_proto, registration_from_proto, told_from_proto,
};
use crate::consensus::shared::Shared;
use crate::data::lineage::{Lineage, Registration};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// So many other voters have answered that every majority has one of them, apart from this
    /// node, and no answer speaks against it.
    Confirmed,
    /// A majority of the voters has something registered that its directory never drew.
    Superseded(Registration),
    /// Some member has; too few voters to be certain. Of two voters neither is a majority.
    Contradicted(Registration),
    /// Too few answers.
    Undecided,
}

/// Judges the answers about node `id` by the voters of the newest membership among them. A member
/// that lags has applied an older registration, which speaks against nobody.
pub(crate) fn judge_lineage(
    cluster_id: &ClusterId,
    id: NodeId,
    lineage: &Lineage,
    answers: &[StandingResponse],
) -> Judgement {
    let answers = valid(cluster_id, id, answers);
    let Some((_, newest)) = newest(&answers) else { return Judgement::Undecided };
    let voters: BTreeSet<u64> = newest.voters.iter().map(|member| member.node_id).collect();
    let majority = voters.len() / 2 + 1;
    let others: BTreeSet<u64> = voters.iter().copied().filter(|voter| *voter != id.0).collect();
    let seen = |answer: &StandingResponse| {
        answer.registered.as_ref().map(registration_from_proto).filter(|seen| !lineage.fits(*seen))
    };
    let against =
        answers.iter().filter_map(|(_, answer)| Some((answer.answering_node_id, seen(answer)?)));
    let against: BTreeMap<u64, Registration> = against.collect();
    let answered = answers.iter().map(|(_, answer)| answer.answering_node_id);
    let answered: BTreeSet<u64> = answered.collect();
    let agreeing = against.keys().filter(|from| voters.contains(from)).count();
    match against.values().max_by_key(|seen| seen.index) {
        Some(seen) if agreeing >= majority => Judgement::Superseded(*seen),
        Some(seen) => Judgement::Contradicted(*seen),
        None if answered.intersection(&others).count() > others.len() / 2 => Judgement::Confirmed,
        None => Judgement::Undecided,
    }
}

/// Whether the directory of the node that asks was made from the one of a process that runs with
/// its id: the answer at its own address comes from another process, whose incarnation it knows. Of
/// two copies of one directory each is one.
pub(crate) fn is_copy(own: &Told, id: NodeId, answers: &[StandingResponse]) -> bool {
    let others = answers.iter().filter(|answer| answer.answering_node_id == id.0);
    let mut others = others.filter_map(|answer| answer.lineage.as_ref().map(told_from_proto));
    others.any(|other| {
        let younger = own.lineage.current().is_some_and(|current| other.lineage.knows(current));
        other.life != own.life && !younger
    })
}

impl Shared {
    /// Heeds what the members say about this node's data; whether it ends for good.
    pub(crate) fn heed_answers(
        &self,
        cluster_id: &ClusterId,
        id: NodeId,
        answers: &[StandingResponse],
    ) -> bool {
        let own = self.incarnations.told();
        let copied = is_copy(&own, id, answers) && !seeded(Bug::IncarnationIgnored);
        if copied {
            let text = format!(
                "another process answers as node {id} at this node's address; this data directory \
                 is a copy of that one's"
            );
            self.doubt(Doubt::Copied(text));
        } else if self.is_only_voter(id) {
            self.end_doubt(|doubt| matches!(doubt, Doubt::Copied(_)));
        }
        if let Some(reason) = self.outvoted(cluster_id, id, answers) {
            self.condemn(&reason);
            return true;
        }
        let counted: Vec<_> =
            answers.iter().filter(|answer| self.counts(answer)).cloned().collect();
        match judge_lineage(cluster_id, id, &own.lineage, &counted) {
            Judgement::Confirmed => self.end_doubt(|doubt| match doubt {
                Doubt::Superseded(_) => true,
                Doubt::Copied(_) => !copied,
                Doubt::Alone(_) => false,
            }),
            Judgement::Superseded(seen) => {
                self.become_superseded(id, seen);
                return !seeded(Bug::IncarnationIgnored);
            }
            Judgement::Contradicted(_) if seeded(Bug::IncarnationIgnored) => {}
            // The majority that works with this node may not be the cluster's any more.
            Judgement::Contradicted(seen) if self.lacks_membership_of(&counted) => {
                self.doubt(Doubt::superseded(id, seen));
            }
            Judgement::Contradicted(seen) => self.heed_objection(id, seen),
            Judgement::Undecided => {}
        }
        false
    }

    /// Whether an answer comes from the directory that is registered for the node that answers.
    fn counts(&self, answer: &StandingResponse) -> bool {
        let registered = self.standings.registration_of(NodeId(answer.answering_node_id));
        let told = answer.lineage.as_ref().map(told_from_proto);
        registered.is_none_or(|seen| told.is_some_and(|told| told.lineage.fits(seen)))
    }

    fn is_only_voter(&self, id: NodeId) -> bool {
        self.metrics().is_some_and(|metrics| metrics.membership_config.voter_ids().eq([id]))
    }

    fn lacks_membership_of(&self, answers: &[StandingResponse]) -> bool {
        let own = self.metrics().and_then(|metrics| *metrics.membership_config.log_id());
        let at = |answer: &StandingResponse| answer.membership.as_ref().map(log_id_from_proto);
        answers.iter().any(|answer| at(answer) > own)
    }

    /// Why the data here is not that of a majority that works.
    fn outvoted(
        &self,
        cluster_id: &ClusterId,
        id: NodeId,
        answers: &[StandingResponse],
    ) -> Option<String> {
        let voters = self.metrics()?.membership_config.voter_ids().collect();
        let registration_of = |id| self.standings.registration_of(id);
        let answers: Vec<_> =
            valid(cluster_id, id, answers).into_iter().map(|(_, answer)| answer.clone()).collect();
        let term = outvoted_in(&voters, registration_of, &answers)?;
        Some(format!(
            "a majority of the voters works in term {term} without entries that were committed here"
        ))
    }
}

#[cfg(test)]
#[path = "judgement_test.rs"]
mod tests;
