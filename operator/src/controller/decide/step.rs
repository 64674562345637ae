//! The result of the planner.

use super::{MembershipVersion, NodeId, VolumeVersion};
use crate::names::Uid;

/// One step. It carries the versions on which it was decided, so that a superseded step is refused:
/// the leader compares the membership version, the API server the uid or the resource version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The target is reached.
    Done,
    /// There is nothing to do now; a later reconcile plans again.
    Wait(Waiting),
    /// Nothing may be changed; a person must decide.
    Stop(Stop),
    /// Write the ordinal of the first member into the status, if the status is unchanged.
    RecordBootstrap {
        /// Ordinal of the first member.
        ordinal: u32,
    },
    /// Write into the status that the cluster was formed. No node is initialised afterwards.
    RecordFormed,
    /// Make this empty node the first member. The request goes to the IP address of this pod, not
    /// to its name, because the name may belong to a later pod with another disk.
    Init {
        /// Ordinal of the pod.
        ordinal: u32,
        /// The pod whose disk was observed to be empty.
        pod_uid: Uid,
    },
    /// Let this node join as a learner, or finish joining. The volume claim is annotated first, so
    /// that the API server refuses an earlier decision to discard it.
    Join {
        /// Ordinal of the pod.
        ordinal: u32,
        /// The pod whose node was observed to be no member.
        pod_uid: Uid,
    },
    /// Finish a joint configuration.
    FinishChange(MembershipVersion),
    /// Give a learner a vote.
    Promote(NodeId, MembershipVersion),
    /// Make a voter a learner.
    Demote(NodeId, MembershipVersion),
    /// Remove a member permanently.
    Remove(NodeId, MembershipVersion),
    /// Transfer the leadership to this voter.
    TransferLeader(NodeId, MembershipVersion),
    /// Delete a pod, so that the StatefulSet creates it again from the newest template.
    DeletePod {
        /// Ordinal of the pod.
        ordinal: u32,
        /// The pod must still have this uid.
        pod_uid: Uid,
    },
    /// Delete a volume claim whose data belongs to no member, and its pod, even if its machine does
    /// not answer: its identity was removed and cannot return.
    DiscardDisk {
        /// Ordinal of the pod.
        ordinal: u32,
        /// The claim must still have this version.
        volume_version: VolumeVersion,
    },
    /// Set the number of replicas of the StatefulSet.
    SetOrdinals {
        /// The ordinals from 0 to one less than this get a pod.
        ordinals: u32,
        /// The StatefulSet must still have this resource version.
        version: String,
    },
}

/// What the operator waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waiting {
    /// `spec.paused` is set.
    Paused,
    /// Pods are being created or deleted.
    Pods,
    /// The operator does not reach a member that the leader reaches.
    Unknown,
    /// A majority answers and elects a leader.
    Election,
    /// A member receives the log.
    CatchUp,
    /// A member does not answer, and it is not replaced: not yet, or not by the operator.
    Replacement,
    /// An outdated pod cannot be deleted safely, or a person is to delete it.
    Roll,
    /// A member cannot be removed safely.
    Leave,
}

/// Why nothing may be changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stop {
    /// The voters that answer are no majority, so they cannot elect a leader.
    QuorumLost {
        /// Number of voters that answer.
        answering: u32,
        /// Number of voters in the membership.
        voters: u32,
    },
    /// A disk belongs to another cluster.
    ClusterIdMismatch {
        /// Ordinal of its pod.
        ordinal: u32,
        /// Id of the cluster that it belongs to.
        found: String,
    },
    /// The cluster was formed, but every disk is empty.
    DataLost,
}
