//! Changes of who belongs to the group. Decided on a membership that the caller names and refused
//! when it is outdated; guarded here, so that no client can break a majority.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::errors::{ClientWriteError, RaftError};
use openraft::{ChangeMembers, Precondition, ServerState};

use super::shared::{Core, Shared};
use super::status::{is_reachable, matched};
use super::types::{LogId, MemberAddresses, Metrics, TypeConfig};
use crate::base::ids::NodeId;
use crate::base::limits::{CAUGHT_UP_ENTRIES, MEMBERS_MAX};

/// Time for one change to commit; then its fate is unknown to the caller, who asks for the status.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds a member without a vote.
    AddLearner(NodeId, MemberAddresses),
    /// Gives a caught-up learner a vote.
    Promote(NodeId),
    /// Takes a voter's vote.
    Demote(NodeId),
    /// Ends a membership; the id is never used again.
    Remove(NodeId),
}

/// The membership that a change was decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is now.
    Any,
    /// The one that this log entry brought: index, term, leader.
    At(super::log::LogPosition),
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Another node leads, or none.
    #[error("this node does not lead{}", other_leader(*.0))]
    NotLeader(Option<NodeId>),
    /// Whoever would make it cannot be reached.
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
    leader.map_or(String::new(), |id| format!("; node {id} does"))
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
    if let (Change::AddLearner(id, _), Some(at)) = (&change, based_on)
        && metrics.membership_config.get_node(id).is_some()
    {
        // Asked for again: decisions on this membership stay good.
        return Ok(at);
    }
    let retain = !matches!(change, Change::Remove(_));
    let members = match change {
        Change::AddLearner(id, addresses) => {
            ChangeMembers::AddNodes(BTreeMap::from([(id, addresses)]))
        }
        Change::Promote(id) => ChangeMembers::AddVoterIds(BTreeSet::from([id])),
        Change::Demote(id) => ChangeMembers::RemoveVoters(BTreeSet::from([id])),
        Change::Remove(id) if is_voter(&metrics, id) => {
            ChangeMembers::RemoveVoters(BTreeSet::from([id]))
        }
        Change::Remove(id) => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
    };
    submit(core, members, retain, based_on).await
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
        && now.as_ref().map(super::convert::log_id_to_position) != Some(position)
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
        Change::AddLearner(id, addresses) => {
            if shared.tombstones.contains(*id) {
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
            if addresses.raft.is_empty() {
                return refuse("the new member has no raft address".to_owned());
            }
            let taken = |other: &MemberAddresses| other.raft == addresses.raft;
            match metrics.membership_config.nodes().find(|(_, other)| taken(other)) {
                Some((other, _)) => {
                    refuse(format!("address {} belongs to node {other}", addresses.raft))
                }
                None => Ok(()),
            }
        }
        Change::Promote(id) | Change::Demote(id) | Change::Remove(id) if member(*id).is_none() => {
            refuse(format!("node {id} is not a member"))
        }
        Change::Promote(id) if is_voter(metrics, *id) => refuse(format!("node {id} votes already")),
        Change::Promote(id) if !is_caught_up(metrics, *id) => {
            refuse(format!("node {id} has not caught up with the log yet"))
        }
        Change::Promote(_) => Ok(()),
        Change::Demote(id) if !is_voter(metrics, *id) => refuse(format!("node {id} does not vote")),
        Change::Remove(id) if !is_voter(metrics, *id) => Ok(()),
        Change::Demote(id) | Change::Remove(id) => check_loss(metrics, *id),
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
    let good = rest
        .iter()
        .filter(|voter| is_reachable(metrics, **voter) && is_caught_up(metrics, **voter))
        .count();
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

/// Close enough to the leader's log that a majority with this member does not stall.
pub(crate) fn is_caught_up(metrics: &Metrics, id: NodeId) -> bool {
    let last = metrics.last_log_index.unwrap_or(0);
    matched(metrics, id).is_some_and(|matched| matched + CAUGHT_UP_ENTRIES >= last)
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
    let successor = pick_successor(&metrics, target)?;
    // From the first message on another node may win an election in spite of leases.
    shared.gate.close_for(metrics.vote.leader_id);
    let triggered = core.raft.trigger().transfer_leader(successor).await;
    triggered.map_err(|_| ChangeError::Unknown)?;
    let mut leadership = shared.leadership.subscribe();
    let next = leadership.wait_for(|now| now.term > metrics.current_term && now.leader.is_some());
    // The successor may be slow to flush what it lacks; then whoever notices the silence stands.
    let now = match tokio::time::timeout(shared.leader_patience() * 2, next).await {
        Ok(Ok(now)) => *now,
        _ => return Err(ChangeError::Unknown),
    };
    match now.leader {
        Some(leader) if leader == target.unwrap_or(leader) && !now.is_self => Ok(()),
        // The successor did not make it in time, and the voters elected whom they could reach.
        Some(leader) => Err(ChangeError::Refused(format!(
            "node {successor} was not elected; node {leader} leads now"
        ))),
        None => Err(ChangeError::Unknown),
    }
}

fn pick_successor(metrics: &Metrics, target: Option<NodeId>) -> Result<NodeId, ChangeError> {
    let refuse = |text: String| Err(ChangeError::Refused(text));
    let mut candidates = metrics
        .membership_config
        .voter_ids()
        .filter(|id| *id != metrics.id && is_reachable(metrics, *id) && is_caught_up(metrics, *id));
    match target {
        Some(id) if id == metrics.id => refuse(format!("node {id} leads already")),
        Some(id) if candidates.any(|candidate| candidate == id) => Ok(id),
        Some(id) => refuse(format!("node {id} is no voter that is reachable and caught up")),
        None => match candidates.max_by_key(|id| matched(metrics, *id)) {
            Some(id) => Ok(id),
            None => refuse("no other voter is reachable and caught up".to_owned()),
        },
    }
}

#[cfg(test)]
impl super::Group {
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
