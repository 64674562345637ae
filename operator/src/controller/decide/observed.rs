//! What the planner decides on: the observed state of one cluster and the target, as plain values.
//! When Kubernetes cannot be reached there is no [`Observed`], and nothing is planned.

use std::time::Duration;

use crate::crd::{RetentionPolicy, UpdateStrategy};
use crate::names::Uid;

/// The identity of a data directory. An ordinal that gets a new disk gets a new node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u64);

/// The log entry that introduced a membership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MembershipVersion {
    /// Term of the entry.
    pub(crate) term: u64,
    /// Leader that proposed the entry.
    pub(crate) leader_node_id: u64,
    /// Index of the entry.
    pub(crate) index: u64,
}

/// The observed state of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// The StatefulSet of the pods.
    pub(crate) stateful_set: StatefulSet,
    /// Each ordinal that has a pod or a volume, or should have a pod; in ascending order.
    pub(crate) places: Vec<Place>,
    /// The newest membership that a node reported; `None` when no node has one.
    pub(crate) membership: Option<Membership>,
    /// From the status: the ordinal of the first member.
    pub(crate) bootstrap: Option<u32>,
    /// From the status: the cluster was formed.
    pub(crate) formed: bool,
}

/// The facts in the status that later reconciles rely on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatusLatches {
    /// The ordinal of the first member.
    pub(crate) bootstrap: Option<u32>,
    /// The cluster was formed.
    pub(crate) formed: bool,
}

/// The StatefulSet of the pods.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatefulSet {
    /// Its number of replicas: the ordinals from 0 to one less than this have a pod.
    pub(crate) ordinals: u32,
    /// Its resource version; empty until the watch has seen it.
    pub(crate) version: String,
}

/// An ordinal of the StatefulSet: an address, not an identity.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The ordinal.
    pub(crate) ordinal: u32,
    /// Its pod.
    pub(crate) pod: Option<Pod>,
    /// Its volume claim.
    pub(crate) volume: Option<Volume>,
    /// For how long Kubernetes has seen no ready pod here; zero while it sees one. This is the view
    /// of Kubernetes, because the network between operator and pod may be what is broken.
    pub(crate) unready_for: Duration,
}

/// A pod.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    /// Its uid.
    pub(crate) uid: Uid,
    /// Its state as Kubernetes reports it.
    pub(crate) state: PodState,
    /// Whether its template is older than the newest one.
    pub(crate) outdated: bool,
    /// The answer of its node.
    pub(crate) answer: Answer,
}

/// The state of a pod as Kubernetes reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodState {
    /// It is not scheduled, or its volume is missing: the template is not the cause.
    Pending,
    /// Its container crashes repeatedly or its image cannot be pulled: the template may be the
    /// cause.
    Failing,
    /// Its container runs.
    Running,
    /// It is being deleted.
    Terminating,
}

/// The answer of a node to the request for its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The node did not answer.
    Silent,
    /// Its disk holds no identity.
    Empty,
    /// It belongs to this cluster.
    Node(NodeId),
    /// It was removed from this cluster and cannot start again with its disk.
    Removed,
    /// It belongs to the cluster with this id.
    Foreign(String),
}

/// A volume claim.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    /// The observed version of the claim.
    pub(crate) version: VolumeVersion,
    /// Whether it was made for this cluster, and not for an earlier one of the same name.
    pub(crate) ours: bool,
}

/// One version of one volume claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct VolumeVersion {
    /// Its uid.
    pub(crate) uid: Uid,
    /// Its resource version.
    pub(crate) resource_version: String,
}

/// The members of the Raft group.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    /// The log entry that introduced it.
    pub(crate) version: MembershipVersion,
    /// Whether it is a joint configuration: a change has begun and is not finished.
    pub(crate) joint: bool,
    /// The leader, if it answered and a quorum acknowledged it recently.
    pub(crate) leader: Option<NodeId>,
    /// The members.
    pub(crate) members: Vec<Member>,
}

/// A member.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its identity.
    pub(crate) id: NodeId,
    /// The ordinal in its address; `None` when the address is not that of a pod of this cluster.
    pub(crate) ordinal: Option<u32>,
    /// Whether it votes.
    pub(crate) voter: bool,
    /// Whether the leader reaches it; false without a leader.
    pub(crate) reachable: bool,
    /// Whether it follows the leader's log closely; false without a leader.
    pub(crate) caught_up: bool,
}

/// The desired state.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Number of voters; 0 hibernates the cluster.
    pub(crate) replicas: u32,
    /// Whether the operator must change nothing.
    pub(crate) paused: bool,
    /// Whether the operator or a person rolls outdated pods.
    pub(crate) roll: UpdateStrategy,
    /// Whether no outdated pod is deleted while the node of an updated one does not answer.
    pub(crate) pause_on_failure: bool,
    /// After which time a silent member is replaced; `None` when a person decides.
    pub(crate) replace_after: Option<Duration>,
    /// What happens to the volumes of members that were scaled in.
    pub(crate) removed_volumes: RetentionPolicy,
}

impl Observed {
    /// The place with this ordinal.
    pub(crate) fn place(&self, ordinal: u32) -> Option<&Place> {
        self.places.iter().find(|place| place.ordinal == ordinal)
    }
}

impl Place {
    /// The answer of its node; silent when there is no pod.
    pub(crate) fn answer(&self) -> &Answer {
        self.pod.as_ref().map_or(&Answer::Silent, |pod| &pod.answer)
    }
}

impl Membership {
    /// The members that vote.
    pub(crate) fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.voter)
    }

    /// The member whose address has this ordinal.
    pub(crate) fn at(&self, ordinal: u32) -> Option<&Member> {
        self.members.iter().find(|member| member.ordinal == Some(ordinal))
    }

    /// Whether its acknowledgements arrive in time to commit entries.
    pub(crate) fn takes_part(&self, member: &Member) -> bool {
        self.leader == Some(member.id) || (member.reachable && member.caught_up)
    }

    /// The number of other voters that take part.
    fn good_without(&self, id: NodeId) -> usize {
        self.voters().filter(|voter| voter.id != id && self.takes_part(voter)).count()
    }

    /// Whether the other members have a majority while this one is temporarily absent.
    pub(crate) fn has_majority_without(&self, id: NodeId) -> bool {
        self.good_without(id) > self.voters().count() / 2
    }

    /// Whether the other members have a majority once this one is no longer a voter.
    pub(crate) fn has_majority_after_removal_of(&self, id: NodeId) -> bool {
        self.good_without(id) > self.voters().filter(|voter| voter.id != id).count() / 2
    }
}
