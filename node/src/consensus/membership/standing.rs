//! Whether this node still belongs to its cluster. A follower that was removed while it was away is
//! told nothing more, so a node that hears no leader asks the members. It believes a majority of
//! the voters of the newest membership that any of them has applied, and nothing else: a proxy, a
//! policy or a status code between the nodes says nothing about membership.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use ironkv_proto::admin::v1::{Standing, StandingRequest, StandingResponse};
use ironkv_proto::types::v1::Member;
use parking_lot::RwLock;
use tokio::time::sleep;

use super::admin_client::{AdminClient, member_to_proto};
use super::change::ChangeError;
use super::incarnation::{note_doubt, settle_objection};
use crate::base::ids::{ClusterId, NodeId};
use crate::consensus::group::Group;
use crate::consensus::network::convert::{
    log_id_from_proto, log_id_to_position, log_id_to_proto, registration_to_proto, told_from_proto,
    told_to_proto,
};
use crate::consensus::shared::Shared;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::types::{LogId, StoredMembership};
use crate::data::lineage::Registration;

/// Between two questions of a node that hears no leader, at first.
const QUESTION_INTERVAL_MIN: Duration = Duration::from_millis(250);
/// The same after a long silence.
const QUESTION_INTERVAL_MAX: Duration = Duration::from_secs(2);
/// How long one member has to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

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

    fn answer(&self, id: NodeId) -> (Standing, Option<LogId>, Vec<Member>) {
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

impl Group {
    /// What this node knows about the membership of another one.
    ///
    /// # Errors
    /// This node belongs to another cluster or to none.
    pub fn standing_of(&self, request: &StandingRequest) -> Result<StandingResponse, ChangeError> {
        let (cluster_id, id) = (&request.cluster_id, NodeId(request.node_id));
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        if identity.cluster_id.0 != *cluster_id {
            let known = &identity.cluster_id;
            return Err(ChangeError::Refused(format!("this node belongs to cluster {known}")));
        }
        if let Some(asker) = request.lineage.as_ref().filter(|_| id == identity.node_id)
            && !self.0.incarnations.is_own(&told_from_proto(asker))
        {
            // Another process has this node's id.
            self.0.incarnations.renew_at_once();
        }
        let registered = self.0.standings.registration_of(id).map(registration_to_proto);
        let (standing, membership, voters) = self.0.standings.answer(id);
        Ok(StandingResponse {
            cluster_id: identity.cluster_id.0.clone(),
            answering_node_id: identity.node_id.0,
            node_id: id.0,
            standing: standing.into(),
            membership: membership.as_ref().map(log_id_to_proto),
            voters,
            registered,
            lineage: told_to_proto(self.0.incarnations.told()),
            refuted: self.0.refuted().into_iter().map(registration_to_proto).collect(),
            confirmed_term: self.0.confirmed_term().unwrap_or(0),
        })
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
pub(super) fn valid<'a>(
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
pub(super) fn newest<'a>(
    answers: &[(LogPosition, &'a StandingResponse)],
) -> Option<(LogPosition, &'a StandingResponse)> {
    answers.iter().max_by_key(|(at, _)| at.index).copied()
}

/// Asks as long as no leader is heard, or this node or a member is not sure of its data; ends when
/// this node was removed, when its data turned out not to be the cluster's, or when it stops.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let mut interval = QUESTION_INTERVAL_MIN;
    let mut clients = BTreeMap::new();
    loop {
        tokio::select! {
            () = sleep(interval) => {}
            () = shared.incarnations.doubts().come_up() => {}
        }
        if shared.stopping.load(Ordering::Relaxed) || shared.ended.borrow().is_some() {
            return;
        }
        note_doubt(&shared).await;
        if hears_a_leader(&shared) && !shared.is_in_doubt() && !shared.has_objection() {
            interval = QUESTION_INTERVAL_MIN;
            clients.clear();
            continue;
        }
        let answers = ask(&shared, &mut clients).await;
        if shared.heed_standing(&answers.unwrap_or_default()) {
            return;
        }
        if let Some(core) = shared.core.get() {
            settle_objection(&shared, core.identity.node_id).await;
        }
        interval = (interval * 2).min(QUESTION_INTERVAL_MAX);
    }
}

impl Shared {
    /// Heeds what the members say about this node; whether it ends for good.
    fn heed_standing(&self, answers: &[StandingResponse]) -> bool {
        let Some(core) = self.core.get() else { return false };
        let (cluster_id, id) = (&core.identity.cluster_id, core.identity.node_id);
        if let Verdict::Removed(at) = judge(cluster_id, id, answers) {
            let LogPosition { index, term, .. } = at;
            self.become_removed(&format!(
                "it was removed before the membership of log index {index}, term {term}, as a \
                 majority of its voters says"
            ));
            return true;
        }
        self.heed_answers(cluster_id, id, answers)
    }
}

fn hears_a_leader(shared: &Shared) -> bool {
    let silence_ms_max = shared.config.load().raft.leader_lease_ms();
    shared.is_leader() || shared.contact_age_ms().is_some_and(|age_ms| age_ms <= silence_ms_max)
}

type Clients = BTreeMap<String, AdminClient>;

/// Asks the members that this node knows, and then those that they name. Its own address too:
/// another process may answer there.
async fn ask(shared: &Shared, clients: &mut Clients) -> Option<Vec<StandingResponse>> {
    let identity = &shared.core.get()?.identity;
    let (cluster_id, id) = (&identity.cluster_id, identity.node_id);
    let metrics = shared.metrics()?;
    let members = metrics.membership_config.nodes();
    let addresses = members.map(|(_, addresses)| addresses.raft.clone()).collect();
    let mut answers = ask_all(shared, clients, addresses, cluster_id, id).await;
    let rest = unasked(cluster_id, id, &answers);
    let rest = rest.into_iter().map(|member| member.raft_address.clone()).collect();
    answers.extend(ask_all(shared, clients, rest, cluster_id, id).await);
    Some(answers)
}

async fn ask_all(
    shared: &Shared,
    clients: &mut Clients,
    addresses: Vec<String>,
    cluster_id: &ClusterId,
    id: NodeId,
) -> Vec<StandingResponse> {
    let questions = addresses.into_iter().filter_map(|address| {
        if !clients.contains_key(&address) {
            // An address that is none is not asked.
            let client = AdminClient::new(&shared.peers, &address, ANSWER_TIMEOUT).ok()?;
            clients.insert(address.clone(), client);
        }
        let mut client = clients.get(&address)?.clone();
        let lineage = told_to_proto(shared.incarnations.told());
        Some(async move { client.standing(cluster_id, id, lineage).await.ok() })
    });
    let questions: Vec<_> = questions.collect();
    join_all(questions).await.into_iter().flatten().collect()
}

#[cfg(test)]
#[path = "standing_test.rs"]
mod tests;
