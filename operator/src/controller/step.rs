//! What the planner answers.

use super::{MembershipVersion, NodeId};

/// One step. Whatever was decided on is part of it, so that a step that was overtaken by another is
/// refused instead of made: a membership version by the leader, a uid or a resource version by the
/// API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// All that was asked for is there.
    Done,
    /// Nothing to do now; look again later.
    Wait(Waiting),
    /// Nothing may be done; a person must decide.
    Stop(Stop),
    /// Write into the status, if it is unchanged, with which pod the cluster begins.
    RecordBootstrap {
        /// Ordinal of that pod.
        ordinal: u32,
    },
    /// Write into the status that the cluster was formed; from then on no pod is initialised.
    RecordFormed,
    /// Make this empty node the first member. It is reached by the address of this very pod, never
    /// by name: the name may belong to a later pod with another disk.
    Init {
        /// Ordinal of the pod.
        ordinal: u32,
        /// The pod that was seen empty.
        pod_uid: String,
    },
    /// Let this node join as a learner, or finish joining. Before that its volume claim is marked,
    /// so that a discard that was decided on earlier is refused.
    Join {
        /// Ordinal of the pod.
        ordinal: u32,
        /// The pod that was seen without a membership.
        pod_uid: String,
    },
    /// Bring a joint configuration to its end.
    FinishChange(MembershipVersion),
    /// Give a learner a vote.
    Promote(NodeId, MembershipVersion),
    /// Take a voter's vote.
    Demote(NodeId, MembershipVersion),
    /// End a membership for ever.
    Remove(NodeId, MembershipVersion),
    /// Hand the leadership over to this voter.
    TransferLeader(NodeId, MembershipVersion),
    /// Delete a pod so that it comes back with the newest template.
    DeletePod {
        /// Its ordinal.
        ordinal: u32,
        /// Only this pod.
        pod_uid: String,
    },
    /// Delete a volume claim whose data belongs to no member, and its pod, even one whose machine
    /// does not answer: its identity was removed and cannot come back.
    DiscardDisk {
        /// Its ordinal.
        ordinal: u32,
        /// Only the claim as it was seen.
        volume_version: String,
    },
    /// Set how many ordinals have a pod.
    SetOrdinals {
        /// From 0 to one less than this.
        ordinals: u32,
        /// Only the StatefulSet as it was seen.
        version: String,
    },
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// A person set `spec.paused`.
    Paused,
    /// Pods come or go.
    Pods,
    /// The operator does not reach a member that the leader reaches.
    Unknown,
    /// A majority is there and elects.
    Election,
    /// A member receives the log.
    CatchUp,
    /// A member is silent, not long enough or by policy not to be replaced.
    Replacement,
    /// An outdated pod cannot go without harm, or by policy goes by hand.
    Roll,
    /// A member cannot leave without harm to the others.
    Leave,
}

/// Why nothing may be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// Too few voters answer to elect a leader.
    QuorumLost {
        /// Voters that answer.
        answering: u32,
        /// Voters of the membership.
        voters: u32,
    },
    /// A disk belongs to another cluster.
    ClusterIdMismatch {
        /// Ordinal of its pod.
        ordinal: u32,
        /// The cluster that it belongs to.
        found: String,
    },
    /// The cluster was formed and yet every disk is empty.
    DataLost,
}
