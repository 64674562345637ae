//! What the operator sees of one cluster and what is asked for, as plain values: no client, no
//! clock. When Kubernetes cannot be asked there is no `Observed` at all and nothing is planned.

use std::time::Duration;

use crate::crd::{RetentionPolicy, UpdateStrategy};

/// The identity of a data directory. A place that gets a new disk gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

/// The log entry that brought a membership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MembershipVersion {
    /// Term of the entry.
    pub term: u64,
    /// Node that wrote it.
    pub leader_node_id: u64,
    /// Its index.
    pub index: u64,
}

/// Everything that is seen of one cluster.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The pods' owner.
    pub stateful_set: StatefulSet,
    /// Each ordinal that has a pod or a volume, or should have a pod; in order.
    pub places: Vec<Place>,
    /// The newest membership that any node told; absent when none has one.
    pub membership: Option<Membership>,
    /// From the status: the ordinal with which the cluster begins.
    pub bootstrap: Option<u32>,
    /// From the status: the cluster was formed.
    pub formed: bool,
}

/// The pods' owner.
#[derive(Clone, Debug, Default)]
pub struct StatefulSet {
    /// Ordinals that have a pod: from 0 to one less than this.
    pub ordinals: u32,
    /// Its resource version.
    pub version: String,
}

/// An ordinal: an address, not an identity.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which.
    pub ordinal: u32,
    /// Its pod.
    pub pod: Option<Pod>,
    /// Its volume claim.
    pub volume: Option<Volume>,
    /// Since when Kubernetes has seen no ready pod here; zero while it sees one. It is asked, not
    /// the network between operator and pod, which may be what is broken.
    pub unready_for: Duration,
}

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its uid.
    pub uid: String,
    /// What Kubernetes says of it.
    pub state: PodState,
    /// Whether its template is not the newest one.
    pub outdated: bool,
    /// What its node said.
    pub answer: Answer,
}

/// What Kubernetes says of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodState {
    /// Not placed, or without its volume: the template is not to blame.
    Pending,
    /// Its container ends again and again or its image cannot be had: the template may be to blame.
    Failing,
    /// Its container runs.
    Running,
    /// On its way out.
    Terminating,
}

/// What a node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Silent,
    /// Its disk holds no identity.
    Empty,
    /// It belongs to this cluster.
    Node(NodeId),
    /// It was removed from this cluster and will not start again on its disk.
    Removed,
    /// It belongs to the cluster with this id.
    Foreign(String),
}

/// A volume claim.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Its uid and resource version.
    pub version: String,
    /// Whether it was made for this cluster resource and not for an earlier one of the same name.
    pub ours: bool,
}

/// Who belongs to the group.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Which one this is.
    pub version: MembershipVersion,
    /// A change was begun and not finished.
    pub joint: bool,
    /// The leader, if it answered and a quorum acknowledged it a moment ago.
    pub leader: Option<NodeId>,
    /// The members.
    pub members: Vec<Member>,
}

/// A member.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its identity.
    pub id: NodeId,
    /// The place that its address names; absent when it is none of our pods.
    pub ordinal: Option<u32>,
    /// Whether it votes.
    pub voter: bool,
    /// Whether the leader reaches it; false without a leader.
    pub reachable: bool,
    /// Whether it follows the leader's log closely; false without a leader.
    pub caught_up: bool,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Voters; 0 hibernates.
    pub replicas: u32,
    /// Nothing is to be done.
    pub paused: bool,
    /// Who rolls.
    pub roll: UpdateStrategy,
    /// Whether no outdated pod is deleted while an updated one takes no part.
    pub pause_on_failure: bool,
    /// After which time a silent member is replaced; absent: by a person.
    pub replace_after: Option<Duration>,
    /// What becomes of the volumes of members that were scaled in.
    pub removed_volumes: RetentionPolicy,
}

impl Observed {
    /// The place with this ordinal.
    pub fn place(&self, ordinal: u32) -> Option<&Place> {
        self.places.iter().find(|place| place.ordinal == ordinal)
    }
}

impl Place {
    /// What its node said; silence when there is no pod.
    pub fn answer(&self) -> &Answer {
        self.pod.as_ref().map_or(&Answer::Silent, |pod| &pod.answer)
    }
}

impl Membership {
    /// Those that vote.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.voter)
    }

    /// The member whose address is this place.
    pub fn at(&self, ordinal: u32) -> Option<&Member> {
        self.members.iter().find(|member| member.ordinal == Some(ordinal))
    }

    /// Whether its acknowledgement comes in time to commit.
    pub fn takes_part(&self, member: &Member) -> bool {
        self.leader == Some(member.id) || (member.reachable && member.caught_up)
    }

    /// Voters other than this one that take part.
    fn good_without(&self, id: NodeId) -> usize {
        self.voters().filter(|voter| voter.id != id && self.takes_part(voter)).count()
    }

    /// Whether a majority takes part while this member is away for a while.
    pub fn stands_without(&self, id: NodeId) -> bool {
        self.good_without(id) > self.voters().count() / 2
    }

    /// Whether the others have a majority of their own once this one is no voter any more.
    pub fn stands_after_loss_of(&self, id: NodeId) -> bool {
        self.good_without(id) > self.voters().filter(|voter| voter.id != id).count() / 2
    }
}
