//! Changes of who belongs to the group. Decided on a membership that the caller names and refused
//! when it is outdated; guarded here, so that no client can break a majority.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::errors::{ClientWriteError, RaftError};
use openraft::{ChangeMembers, Precondition, ReadPolicy, ServerState};

use crate::base::feature_level::FeatureLevel;
use crate::base::ids::NodeId;
use crate::base::limits::{MEMBER_SILENCE_MAX, MEMBERS_MAX};
use crate::consensus::shared::{Core, Shared};
use crate::consensus::status::{answered_since, is_reachable, matched};
use crate::consensus::types::{LeaderId, LogId, MemberAddresses, Metrics, TypeConfig};
use crate::services::cluster::is_close;

/// Time for one change to commit; then its fate is unknown to the caller, who asks for the status.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait of a transfer for a majority to hear of the leader's time.
const TELL_TIME_TIMEOUT: Duration = Duration::from_millis(200);

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds a member without a vote, whose program understands this feature level.
    AddLearner(NodeId, MemberAddresses, FeatureLevel),
    /// Gives a caught-up learner a vote.
    Promote(NodeId),
    /// Takes a voter's vote.
    Demote(NodeId),
    /// Ends a membership; the id is never used again.
    Remove(NodeId),
    /// Replaces the addresses of a member, who asks for it.
    Move {
        /// Which.
        id: NodeId,
        /// Where it is now.
        addresses: MemberAddresses,
        /// Whether it is in contact with its leader now, by the addresses before.
        hears_leader: bool,
    },
}

/// The membership that a change was decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is now.
    Any,
    /// The one that this log entry brought: index, term, leader.
    At(crate::consensus::storage::log::LogPosition),
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Another node leads, or none.
    #[error("{}", other_leader(*.0))]
    NotLeader(Option<NodeId>),
    /// The node that was asked neither leads nor reaches a leader; in its words.
    #[error("{0}")]
    NoLeader(String),
    /// The node that would make it cannot be reached.
    #[error("no answer from another node: {0}")]
    Unreachable(String),
    /// The membership has changed since.
    #[error("the membership is not the expected one; look at the status and decide again")]
    Outdated,
    /// Another change has not finished.
    #[error("another membership change is under way; wait for it")]
    InProgress,
    /// It would put the data or the majority at risk, or makes no sense.
    #[error("{0}")]
    Refused(String),
    /// It may or may not be made.
    #[error("the fate of the change is unknown; look at the status")]
    Unknown,
}

fn other_leader(leader: Option<NodeId>) -> String {
    leader.map_or("no leader is known".to_owned(), |id| {
        format!("this node does not lead; node {id} does")
    })
}

/// Makes one change on the leader.
pub(crate) async fn change(
    shared: &Arc<Shared>,
    change: Change,
    expected: Expected,
) -> Result<LogId, ChangeError> {
    let core = shared.core.get().ok_or(ChangeError::NotLeader(None))?;
    let metrics = shared.metrics().ok_or(ChangeError::NotLeader(None))?;
    let based_on = check_position(&metrics, expected)?;
    check_change(shared, &metrics, &change)?;
    if let Some(voters) = voters_after(&metrics, &change) {
        await_majority(shared, core, &voters).await?;
    }
    let _level_kept = match &change {
        Change::AddLearner(_, _, understood) => Some(shared.keep_level(*understood).await?),
        Change::Promote(_) | Change::Demote(_) | Change::Remove(_) | Change::Move { .. } => None,
    };
    if let (Change::AddLearner(id, addresses, _) | Change::Move { id, addresses, .. }, Some(at)) =
        (&change, based_on)
        && metrics.membership_config.get_node(id) == Some(addresses)
    {
        // Asked for again: decisions on this membership stay good.
        return Ok(at);
    }
    let retain = !matches!(change, Change::Remove(_));
    let members = match change {
        Change::AddLearner(id, addresses, _) => {
            ChangeMembers::AddNodes(BTreeMap::from([(id, addresses)]))
        }
        Change::Promote(id) => ChangeMembers::AddVoterIds(BTreeSet::from([id])),
        Change::Demote(id) => ChangeMembers::RemoveVoters(BTreeSet::from([id])),
        Change::Remove(id) if is_voter(&metrics, id) => {
            ChangeMembers::RemoveVoters(BTreeSet::from([id]))
        }
        Change::Remove(id) => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
        // Every message names cluster and node, so a wrong address reaches no other voter.
        Change::Move { id, addresses, .. } => {
            ChangeMembers::SetNodes(BTreeMap::from([(id, addresses)]))
        }
    };
    submit(core, members, retain, based_on).await
}

/// The voters after a change; `None` if it leaves them as they are.
fn voters_after(metrics: &Metrics, change: &Change) -> Option<BTreeSet<NodeId>> {
    let mut voters: BTreeSet<NodeId> = metrics.membership_config.voter_ids().collect();
    let changed = match change {
        Change::AddLearner(..) | Change::Move { .. } => false,
        Change::Promote(id) => voters.insert(*id),
        Change::Demote(id) | Change::Remove(id) => voters.remove(id),
    };
    changed.then_some(voters)
}

/// Waits until a majority of the future voters has answered a heartbeat that was sent after this
/// call. Answers of before do not count: a voter may have died since, and a change that no majority
/// of its voters confirms stops the cluster.
async fn await_majority(
    shared: &Shared,
    core: &Core,
    voters: &BTreeSet<NodeId>,
) -> Result<(), ChangeError> {
    let asked = tokio::time::Instant::now();
    let heartbeat = Duration::from_millis(shared.config.load().raft.heartbeat_ms);
    let majority = voters.len() / 2 + 1;
    loop {
        let metrics = shared.metrics().ok_or(ChangeError::NotLeader(None))?;
        let answered = |voter: &&NodeId| answered_since(&metrics, **voter, asked.elapsed());
        let silent: Vec<String> =
            voters.iter().filter(|voter| !answered(voter)).map(ToString::to_string).collect();
        if voters.len() - silent.len() >= majority {
            return Ok(());
        }
        if asked.elapsed() >= MEMBER_SILENCE_MAX {
            return Err(ChangeError::Refused(format!(
                "a majority of the {} voters after this change has to answer, but {} did not: wait \
                 until they are back",
                voters.len(),
                nodes(&silent)
            )));
        }
        // An error means that the core has ended.
        core.raft.trigger().heartbeat().await.map_err(|_| ChangeError::Unknown)?;
        tokio::time::sleep(heartbeat / 4).await;
    }
}

fn nodes(ids: &[String]) -> String {
    let noun = if ids.len() == 1 { "node" } else { "nodes" };
    format!("{noun} {}", ids.join(", "))
}

async fn submit(
    core: &Core,
    members: ChangeMembers<NodeId, MemberAddresses>,
    retain: bool,
    based_on: Option<LogId>,
) -> Result<LogId, ChangeError> {
    // Compared again inside the core, where no other change can come in between.
    let unchanged = Precondition::LastMembershipLogId { last_membership_log_id: based_on };
    let changing = core.raft.change_membership_if(members, retain, [unchanged]);
    match tokio::time::timeout(CHANGE_TIMEOUT, changing).await {
        Ok(Ok(response)) => Ok(response.log_id),
        Ok(Err(RaftError::APIError(error))) => Err(change_error(error)),
        Ok(Err(RaftError::Fatal(_))) | Err(_) => Err(ChangeError::Unknown),
    }
}

/// How long a change may be halfway before this leader takes it for abandoned.
const HALFWAY_MAX: Duration = Duration::from_secs(2);

/// Finishes, on the leader, a change whose leader went away halfway: it would stand in the way of
/// every other one. A node that was to be removed stays as a learner, to be removed again.
pub(crate) async fn finish_abandoned(shared: Arc<Shared>) {
    let mut seen = None;
    while !shared.stopping.load(Ordering::Relaxed) {
        tokio::time::sleep(HALFWAY_MAX).await;
        let (Some(core), Some(metrics)) = (shared.core.get(), shared.metrics()) else { return };
        let halfway = metrics.membership_config.get_joint_config().len() > 1;
        let now = metrics.membership_config.log_id().filter(|_| halfway);
        if now.is_some() && now == seen && metrics.state == ServerState::Leader {
            let rest = ChangeMembers::AddVoterIds(BTreeSet::new());
            match submit(core, rest, true, now).await {
                Ok(_) => tracing::info!("finished a membership change that was left halfway"),
                Err(error) => tracing::info!(%error, "cannot finish a membership change yet"),
            }
        }
        seen = now;
    }
}

fn change_error(error: ClientWriteError<TypeConfig>) -> ChangeError {
    use openraft::errors::ChangeMembershipError as Reason;
    match error {
        ClientWriteError::ForwardToLeader(to) => ChangeError::NotLeader(to.leader_id),
        ClientWriteError::LogEntryDiscarded(_) => ChangeError::Unknown,
        ClientWriteError::PreconditionFailed(_) => ChangeError::Outdated,
        ClientWriteError::ChangeMembershipError(
            Reason::InProgress(_) | Reason::UncommittedLeaderLog(_),
        ) => ChangeError::InProgress,
        ClientWriteError::ChangeMembershipError(reason) => ChangeError::Refused(reason.to_string()),
    }
}

fn check_position(metrics: &Metrics, expected: Expected) -> Result<Option<LogId>, ChangeError> {
    if metrics.state != ServerState::Leader {
        return Err(ChangeError::NotLeader(metrics.current_leader));
    }
    let now = *metrics.membership_config.log_id();
    if let Expected::At(position) = expected
        && now.as_ref().map(crate::consensus::network::convert::log_id_to_position)
            != Some(position)
    {
        return Err(ChangeError::Outdated);
    }
    let unfinished = metrics.membership_config.get_joint_config().len() > 1
        || metrics.committed_membership_config.log_id() != &now;
    if unfinished { Err(ChangeError::InProgress) } else { Ok(now) }
}

fn is_voter(metrics: &Metrics, id: NodeId) -> bool {
    metrics.membership_config.voter_ids().any(|voter| voter == id)
}

fn check_change(shared: &Shared, metrics: &Metrics, change: &Change) -> Result<(), ChangeError> {
    let refuse = |text: String| Err(ChangeError::Refused(text));
    let member = |id: NodeId| metrics.membership_config.get_node(&id);
    match change {
        Change::AddLearner(id, addresses, _) => {
            if shared.standings.is_removed(*id) {
                return refuse(format!(
                    "node {id} was removed and cannot come back; empty its data directory"
                ));
            }
            if let Some(known) = member(*id) {
                return if known == addresses {
                    Ok(())
                } else {
                    refuse(format!("node {id} is a member with other addresses"))
                };
            }
            if metrics.membership_config.nodes().count() >= MEMBERS_MAX {
                return refuse(format!("a group has at most {MEMBERS_MAX} members"));
            }
            check_address(metrics, *id, addresses)
        }
        Change::Move { id, addresses, hears_leader } => {
            let Some(known) = member(*id) else {
                return refuse(format!("node {id} is not a member"));
            };
            let elsewhere = known.raft != addresses.raft && *id != metrics.id && !hears_leader;
            if elsewhere && is_reachable(metrics, *id) {
                return refuse(format!(
                    "node {id} still answers at {}: stop what runs there first",
                    known.raft
                ));
            }
            check_address(metrics, *id, addresses)
        }
        Change::Promote(id) | Change::Demote(id) | Change::Remove(id) if member(*id).is_none() => {
            refuse(format!("node {id} is not a member"))
        }
        Change::Promote(id) if is_voter(metrics, *id) => refuse(format!("node {id} votes already")),
        Change::Promote(id) if !is_caught_up(metrics, *id) => refuse(format!(
            "node {id} has not caught up with the log yet: it has entry {} of {}; wait until \
             `ironkv cluster status` shows it as caught up",
            matched(metrics, *id).unwrap_or(0),
            metrics.last_log_index.unwrap_or(0)
        )),
        Change::Promote(id) if !is_reachable(metrics, *id) => refuse(format!(
            "node {id} does not answer: a vote that is silent could stop all writes"
        )),
        Change::Promote(_) => Ok(()),
        Change::Demote(id) if !is_voter(metrics, *id) => refuse(format!("node {id} does not vote")),
        Change::Remove(id) if !is_voter(metrics, *id) => Ok(()),
        Change::Demote(id) | Change::Remove(id) => check_loss(metrics, *id),
    }
}

/// Whether no other member has these addresses.
fn check_address(
    metrics: &Metrics,
    id: NodeId,
    addresses: &MemberAddresses,
) -> Result<(), ChangeError> {
    if addresses.raft.is_empty() {
        return Err(ChangeError::Refused("the new member has no raft address".to_owned()));
    }
    let taken = |(other, known): &(&NodeId, &MemberAddresses)| {
        **other != id && known.raft == addresses.raft
    };
    match metrics.membership_config.nodes().find(taken) {
        Some((other, _)) => {
            Err(ChangeError::Refused(format!("address {} belongs to node {other}", addresses.raft)))
        }
        None => Ok(()),
    }
}

/// Whether the voters without `id` would still have a majority that is there and up to date.
fn check_loss(metrics: &Metrics, id: NodeId) -> Result<(), ChangeError> {
    if id == metrics.id {
        let text = "this node leads; transfer the leadership to another voter first";
        return Err(ChangeError::Refused(text.to_owned()));
    }
    let rest: BTreeSet<NodeId> =
        metrics.membership_config.voter_ids().filter(|voter| *voter != id).collect();
    if rest.is_empty() {
        return Err(ChangeError::Refused("the last voter cannot go".to_owned()));
    }
    let good = rest.iter().filter(|voter| keeps_up(metrics, **voter)).count();
    let majority = rest.len() / 2 + 1;
    if good < majority {
        return Err(ChangeError::Refused(format!(
            "without node {id} only {good} of {} voters are reachable and caught up, {majority} \
             are needed",
            rest.len()
        )));
    }
    Ok(())
}

fn is_caught_up(metrics: &Metrics, id: NodeId) -> bool {
    let last = metrics.last_log_index.unwrap_or(0);
    matched(metrics, id).is_some_and(|matched| is_close(matched, last))
}

/// What [`crate::services::cluster::RaftStatus::is_caught_up`] shows.
fn keeps_up(metrics: &Metrics, id: NodeId) -> bool {
    is_reachable(metrics, id) && is_caught_up(metrics, id)
}

/// Hands the leadership over to `target`, or to the voter that is furthest; waits until another
/// term has a leader. Without a `target` any other node will do.
pub(crate) async fn transfer(
    shared: &Arc<Shared>,
    target: Option<NodeId>,
    expected: Expected,
) -> Result<(), ChangeError> {
    let core = shared.core.get().ok_or(ChangeError::NotLeader(None))?;
    let metrics = shared.metrics().ok_or(ChangeError::NotLeader(None))?;
    check_position(&metrics, expected)?;
    let successor = pick_successor(shared, &metrics, target)?;
    // From the first message on another node may win an election in spite of leases.
    shared.gate.close_for(metrics.vote.leader_id);
    // A majority hears of the last time that was shown, so that the successor begins after it.
    let told = core.raft.get_read_log_id(ReadPolicy::ReadIndex);
    let _ = tokio::time::timeout(TELL_TIME_TIMEOUT, told).await;
    let triggered = core.raft.trigger().transfer_leader(successor).await;
    triggered.map_err(|_| ChangeError::Unknown)?;
    // The request may have met a later leadership of this node, which it then hands over.
    if let Some(now) = shared.metrics().filter(|now| now.state == ServerState::Leader) {
        shared.gate.close_for(now.vote.leader_id);
    }
    let mut leadership = shared.leadership.subscribe();
    let next = leadership.wait_for(|now| now.term > metrics.current_term && now.leader.is_some());
    // The successor may be slow to flush what it lacks; then whoever notices the silence stands.
    let now = match tokio::time::timeout(shared.leader_patience() * 2, next).await {
        Ok(Ok(now)) => *now,
        _ => return Err(ChangeError::Unknown),
    };
    if now.is_self {
        shared.gate.close_for(LeaderId { term: now.term, node_id: metrics.id });
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
    shared: &Shared,
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
        Some(id) if !shared.may_lead(id) => {
            refuse(wrong_clock(id, shared.time.offset_of(id).unwrap_or(0)))
        }
        Some(id) if candidates.any(|candidate| candidate == id) => Ok(id),
        Some(id) => refuse(format!("node {id} is no voter that is reachable and caught up")),
        None => match candidates.max_by_key(|id| (shared.may_lead(*id), matched(metrics, *id))) {
            Some(id) => Ok(id),
            None => refuse("no other voter is reachable and caught up".to_owned()),
        },
    }
}

fn wrong_clock(id: NodeId, offset_ms: i64) -> String {
    let side = if offset_ms < 0 { "behind" } else { "ahead of" };
    let off_ms = offset_ms.unsigned_abs();
    format!("the clock of node {id} is {off_ms} ms {side} a majority's: set it right first")
}

#[cfg(test)]
impl crate::consensus::Group {
    /// Goes halfway to these voters and leaves it there, as a leader that dies does.
    pub(crate) async fn leave_halfway(&self, voters: BTreeSet<NodeId>) {
        use openraft::{EntryPayload, Membership};
        let metrics = self.0.metrics().unwrap();
        let nodes: BTreeMap<_, _> =
            metrics.membership_config.nodes().map(|(id, node)| (*id, node.clone())).collect();
        let before = metrics.membership_config.voter_ids().collect();
        let joint = Membership::new(vec![before, voters], nodes).unwrap();
        let raft = self.0.raft().unwrap();
        raft.append_membership(joint, EntryPayload::Blank, []).await.unwrap();
    }
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
