//! The simplified world of the model checker: places, disks, a Raft group with the checks of the
//! store, and an API server that compares versions. Node ids and versions need no numbers here: a
//! place has at most one member, and a superseded step is dropped (see [`World::drop_superseded`]).

use std::time::Duration;

use crate::controller::decide::{
    Answer, Member, Membership, MembershipVersion, NodeId, Observed, Place, Pod, PodState,
    StatefulSet, Step, Target, Volume, VolumeVersion,
};
use crate::crd::{RetentionPolicy, UpdateStrategy};
use crate::names::Uid;

const LONG: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Link {
    Fine,
    /// The operator does not reach the pod, but the members do.
    Unseen,
    /// Neither the operator nor the members reach the pod.
    Cut,
    /// The machine is lost. A new pod waits for it as long as the volume claim exists.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Disk {
    Absent,
    Blank,
    /// The disk has the identity of the member whose address is this place.
    Identity,
    /// The disk has an identity that was removed.
    Removed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Vote {
    None,
    Learner,
    Voter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) pod: bool,
    pub(super) outdated: bool,
    pub(super) link: Link,
    pub(super) disk: Disk,
    pub(super) vote: Vote,
    /// Whether its disk holds every acknowledged entry.
    pub(super) current: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) spots: Vec<Spot>,
    pub(super) ordinals: u32,
    pub(super) replicas: u32,
    pub(super) leader: Option<usize>,
    /// A joint configuration of all voters, and of all voters except this one; and whether this one
    /// stays a voter afterwards.
    pub(super) joint: Option<(usize, bool)>,
    pub(super) bootstrap: Option<u32>,
    pub(super) formed: bool,
    /// The step that a second operator has decided but not executed yet.
    pub(super) pending: Option<Step>,
}

fn id(spot: usize) -> NodeId {
    NodeId(spot as u64 + 1)
}

fn spot(id: NodeId) -> usize {
    id.0 as usize - 1
}

impl World {
    pub(super) fn new(places: usize, replicas: u32) -> Self {
        let spot = Spot {
            pod: false,
            outdated: false,
            link: Link::Fine,
            disk: Disk::Absent,
            vote: Vote::None,
            current: false,
        };
        Self {
            spots: vec![spot; places],
            ordinals: 0,
            replicas,
            leader: None,
            joint: None,
            bootstrap: None,
            formed: false,
            pending: None,
        }
    }

    pub(super) fn target(&self) -> Target {
        Target {
            replicas: self.replicas,
            paused: false,
            roll: UpdateStrategy::Auto,
            pause_on_failure: false,
            replace_after: Some(Duration::from_secs(300)),
            removed_volumes: RetentionPolicy::Delete,
        }
    }

    /// Whether the operator reaches the pod.
    pub(super) fn is_seen(&self, index: usize) -> bool {
        self.spots[index].pod && self.spots[index].link == Link::Fine
    }

    fn is_up(&self, index: usize) -> bool {
        self.spots[index].pod && matches!(self.spots[index].link, Link::Fine | Link::Unseen)
    }

    pub(super) fn is_live(&self, index: usize) -> bool {
        let spot = self.spots[index];
        self.is_up(index) && spot.disk == Disk::Identity && spot.vote != Vote::None
    }

    fn voters(&self) -> Vec<usize> {
        (0..self.spots.len()).filter(|index| self.spots[*index].vote == Vote::Voter).collect()
    }

    /// Whether the voters that fit are a majority in every current configuration.
    fn majority(&self, fits: impl Fn(usize) -> bool) -> bool {
        let of = |without: Option<usize>| {
            let voters = self.voters().into_iter().filter(|voter| Some(*voter) != without);
            let voters: Vec<usize> = voters.collect();
            voters.iter().filter(|voter| fits(**voter)).count() > voters.len() / 2
        };
        of(None) && self.joint.is_none_or(|(index, _)| of(Some(index)))
    }

    /// Whether a majority serves and holds every acknowledged entry.
    pub(super) fn serves(&self) -> bool {
        self.majority(|voter| self.is_live(voter) && self.spots[voter].current)
    }

    /// Whether a majority has its disks, and no member without every acknowledged entry can win an
    /// election.
    pub(super) fn is_recoverable(&self) -> bool {
        let disk = |index: usize| {
            let spot = self.spots[index];
            spot.disk == Disk::Identity && spot.link != Link::Gone
        };
        let has_members = self.spots.iter().any(|spot| spot.vote != Vote::None);
        if !has_members {
            return !self.formed;
        }
        self.majority(disk) && !self.majority(|index| disk(index) && !self.spots[index].current)
    }

    fn leads(&self) -> Option<usize> {
        let leader = self
            .leader
            .filter(|leader| self.is_live(*leader) && self.spots[*leader].vote == Vote::Voter)?;
        self.majority(|voter| self.is_live(voter)).then_some(leader)
    }

    pub(super) fn observe(&self) -> Observed {
        let answers = |index: &usize| self.is_seen(*index) && self.is_live(*index);
        let informed = (0..self.spots.len()).any(|index| answers(&index));
        let leader = self.leads().filter(answers);
        let member = |index: usize| Member {
            id: id(index),
            ordinal: Some(index as u32),
            voter: self.spots[index].vote == Vote::Voter,
            reachable: leader.is_some() && self.is_live(index),
            caught_up: leader.is_some() && self.spots[index].current,
        };
        let members = (0..self.spots.len()).filter(|i| self.spots[*i].vote != Vote::None);
        let membership = Membership {
            version: MembershipVersion::default(),
            joint: self.joint.is_some(),
            leader: leader.map(id),
            members: members.map(member).collect(),
        };
        Observed {
            stateful_set: StatefulSet { ordinals: self.ordinals, version: String::new() },
            places: (0..self.spots.len()).filter_map(|index| self.place(index)).collect(),
            membership: informed.then_some(membership),
            bootstrap: self.bootstrap,
            formed: self.formed,
        }
    }

    fn place(&self, index: usize) -> Option<Place> {
        let spot = self.spots[index];
        let asked_for = (index as u32) < self.ordinals;
        let waits = asked_for && spot.link == Link::Gone;
        let answer = match spot.disk {
            _ if !self.is_seen(index) => Answer::Silent,
            Disk::Absent | Disk::Blank => Answer::Empty,
            Disk::Identity => Answer::Node(id(index)),
            Disk::Removed => Answer::Removed,
        };
        let state = if spot.pod { PodState::Running } else { PodState::Pending };
        let outdated = spot.pod && spot.outdated;
        let pod = Pod { uid: Uid::default(), state, outdated, answer };
        let volume = Volume { version: VolumeVersion::default(), ours: true };
        (asked_for || spot.pod || spot.disk != Disk::Absent).then(|| Place {
            ordinal: index as u32,
            pod: (spot.pod || waits).then_some(pod),
            volume: (spot.disk != Disk::Absent).then_some(volume),
            // The kubelet reports nodes that are not members as unready.
            unready_for: if self.is_live(index) || !spot.pod && !waits {
                Duration::ZERO
            } else {
                LONG
            },
        })
    }

    /// Executes a step as the API server and the store would. Returns whether the world has
    /// changed.
    pub(super) fn execute(&mut self, step: &Step, halfway: bool) -> bool {
        let before = self.clone();
        match step {
            Step::Done | Step::Wait(_) | Step::Stop(_) => {}
            Step::RecordBootstrap { ordinal } => self.bootstrap = Some(*ordinal),
            Step::RecordFormed => self.formed = true,
            Step::Init { ordinal, .. } => self.initialise(*ordinal as usize),
            Step::Join { ordinal, .. } => self.join(*ordinal as usize),
            Step::DeletePod { ordinal, .. } => self.spots[*ordinal as usize].pod = false,
            Step::SetOrdinals { ordinals, .. } => self.ordinals = *ordinals,
            Step::DiscardDisk { ordinal, .. } => {
                let spot = &mut self.spots[*ordinal as usize];
                (spot.pod, spot.link, spot.disk) = (false, Link::Fine, Disk::Absent);
                spot.current = false;
            }
            Step::TransferLeader(to, _) => {
                let to = spot(*to);
                let able = self.is_live(to) && self.spots[to].current;
                if self.leads().is_some() && self.joint.is_none() && able {
                    self.leader = Some(to);
                }
            }
            Step::FinishChange(_) => self.finish_change(),
            Step::Promote(id, _) | Step::Demote(id, _) | Step::Remove(id, _) => {
                self.change(step, spot(*id), halfway);
            }
        }
        self.update_dependents(&before);
        *self != before
    }

    fn initialise(&mut self, index: usize) {
        if !self.is_seen(index) || self.spots[index].disk != Disk::Blank {
            return;
        }
        let alone = self.spots.iter().all(|spot| spot.vote == Vote::None);
        assert!(alone, "a second cluster is formed: {self:?}");
        let spot = &mut self.spots[index];
        (spot.disk, spot.vote, spot.current) = (Disk::Identity, Vote::Voter, true);
        self.leader = Some(index);
    }

    fn join(&mut self, index: usize) {
        let spot = self.spots[index];
        let able = self.is_seen(index) && spot.disk == Disk::Blank && spot.vote == Vote::None;
        if able && self.joint.is_none() && self.leads().is_some() && self.serves() {
            let spot = &mut self.spots[index];
            (spot.disk, spot.vote, spot.current) = (Disk::Identity, Vote::Learner, false);
            self.write();
        }
    }

    /// One membership change with the checks of the store. `halfway` means that the leader dies
    /// during the change.
    fn change(&mut self, step: &Step, index: usize, halfway: bool) {
        let Some(leader) = self.leads().filter(|_| self.joint.is_none()) else { return };
        let spot = self.spots[index];
        let good = |voter: usize| self.is_live(voter) && self.spots[voter].current;
        let guarded = match (step, spot.vote) {
            (Step::Promote(..), Vote::Learner) => good(index),
            (Step::Demote(..) | Step::Remove(..), Vote::Voter) => {
                let rest = self.voters().into_iter().filter(|voter| *voter != index);
                let rest: Vec<usize> = rest.collect();
                index != leader && rest.iter().filter(|v| good(**v)).count() > rest.len() / 2
            }
            (Step::Remove(..), Vote::Learner) => true,
            _ => false,
        };
        let mut next = self.clone();
        next.spots[index].vote = match step {
            Step::Promote(..) => Vote::Voter,
            Step::Demote(..) => Vote::Learner,
            _ => Vote::None,
        };
        // The entry of a change needs a majority before and after the change.
        if !guarded || !self.serves() || !next.serves() {
            return;
        }
        let added = matches!(step, Step::Promote(..));
        if halfway && (added || spot.vote == Vote::Voter) {
            self.spots[index].vote = Vote::Voter;
            self.joint = Some((index, added));
            self.leader = None;
            self.write();
            return;
        }
        if next.spots[index].vote == Vote::None && spot.disk == Disk::Identity {
            next.spots[index].disk = Disk::Removed;
        }
        *self = next;
        self.write();
    }

    fn finish_change(&mut self) {
        let Some((index, stays)) = self.joint.filter(|_| self.leads().is_some() && self.serves())
        else {
            return;
        };
        self.joint = None;
        if !stays {
            self.spots[index].vote = Vote::Learner;
        }
        self.write();
    }

    /// An entry is acknowledged. Members that are not live lack it.
    pub(super) fn write(&mut self) {
        for index in 0..self.spots.len() {
            if !self.is_live(index) {
                self.spots[index].current = false;
            }
        }
    }

    /// Updates what follows at once from a change.
    pub(super) fn update_dependents(&mut self, before: &World) {
        self.leader = self.leads();
        for spot in &mut self.spots {
            if !spot.pod {
                spot.outdated = false;
            }
        }
        self.drop_superseded(before);
    }

    /// Drops the pending step if the versions that it carries no longer match.
    fn drop_superseded(&mut self, before: &World) {
        let changed = |index: &u32, part: fn(&Spot) -> u8| {
            part(&self.spots[*index as usize]) != part(&before.spots[*index as usize])
        };
        let votes = |world: &World| world.spots.iter().map(|spot| spot.vote).collect::<Vec<_>>();
        let superseded = match &self.pending {
            None => false,
            Some(Step::SetOrdinals { .. }) => self.ordinals != before.ordinals,
            Some(Step::RecordBootstrap { .. } | Step::RecordFormed) => {
                (self.bootstrap, self.formed) != (before.bootstrap, before.formed)
            }
            Some(
                Step::Init { ordinal, .. }
                | Step::Join { ordinal, .. }
                | Step::DeletePod { ordinal, .. },
            ) => changed(ordinal, |spot| u8::from(spot.pod)),
            // A removal changes the content of the disk but not the claim. A join annotates the
            // claim.
            Some(Step::DiscardDisk { ordinal, .. }) => changed(ordinal, |spot| match spot.disk {
                Disk::Absent => 0,
                Disk::Blank => 1,
                Disk::Identity | Disk::Removed => 2,
            }),
            Some(_) => votes(self) != votes(before) || self.joint != before.joint,
        };
        if superseded {
            self.pending = None;
        }
    }

    pub(super) fn is_at_goal(&self) -> bool {
        let whole = |(index, spot): (usize, &Spot)| {
            if (index as u32) < self.replicas {
                self.is_live(index) && spot.vote == Vote::Voter && spot.current && !spot.outdated
            } else if self.replicas == 0 {
                !spot.pod
            } else {
                spot.vote == Vote::None && !spot.pod && spot.disk == Disk::Absent
            }
        };
        self.ordinals == self.replicas
            && (self.joint.is_none() || self.replicas == 0)
            && self.spots.iter().enumerate().all(whole)
    }
}
