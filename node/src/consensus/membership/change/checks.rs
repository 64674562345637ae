//! What a leader refuses: changes that were decided on an old membership, and such that would put
//! data or majority at risk.

use std::collections::BTreeSet;

use openraft::ServerState;

use super::{Change, ChangeError, Expected};
use crate::base::ids::NodeId;
use crate::base::limits::MEMBERS_MAX;
use crate::consensus::membership::standing::Standings;
use crate::consensus::network::convert::log_id_to_position;
use crate::consensus::raft_metrics::{is_reachable, matched};
use crate::consensus::types::{LogId, MemberAddresses, Metrics};
use crate::services::cluster::is_close;

pub(super) fn check_position(
    metrics: &Metrics,
    expected: Expected,
) -> Result<Option<LogId>, ChangeError> {
    if metrics.state != ServerState::Leader {
        return Err(ChangeError::NotLeader(metrics.current_leader));
    }
    let now = *metrics.membership_config.log_id();
    if let Expected::At(position) = expected
        && now.as_ref().map(log_id_to_position) != Some(position)
    {
        return Err(ChangeError::Outdated);
    }
    let unfinished = metrics.membership_config.get_joint_config().len() > 1
        || metrics.committed_membership_config.log_id() != &now;
    if unfinished { Err(ChangeError::InProgress) } else { Ok(now) }
}

pub(super) fn is_voter(metrics: &Metrics, id: NodeId) -> bool {
    metrics.membership_config.voter_ids().any(|voter| voter == id)
}

pub(super) fn check_change(
    standings: &Standings,
    metrics: &Metrics,
    change: &Change,
) -> Result<(), ChangeError> {
    let refuse = |text: String| Err(ChangeError::Refused(text));
    let member = |id: NodeId| metrics.membership_config.get_node(&id);
    match change {
        Change::AddLearner(id, addresses, _) => {
            if standings.is_removed(*id) {
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
pub(super) fn keeps_up(metrics: &Metrics, id: NodeId) -> bool {
    is_reachable(metrics, id) && is_caught_up(metrics, id)
}
