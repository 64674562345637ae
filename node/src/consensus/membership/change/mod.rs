//! Changes of who belongs to the group. Decided on a membership that the caller names and refused
//! when it is outdated; guarded here, so that no client can break a majority.

mod checks;
pub(crate) mod making;
pub(crate) mod transfer;

use crate::base::feature_level::FeatureLevel;
use crate::base::ids::NodeId;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::types::MemberAddresses;

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
    At(LogPosition),
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
