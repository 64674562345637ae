//! Situations for tests of the planner.

use std::time::Duration;

use crate::controller::decide::{
    Answer, Member, Membership, MembershipVersion, NodeId, Observed, Place, Pod, PodState,
    StatefulSet, Step, Target, Volume, VolumeVersion, plan,
};
use crate::crd::{RetentionPolicy, UpdateStrategy};
use crate::names::Uid;

pub(super) const VERSION: MembershipVersion =
    MembershipVersion { term: 2, leader_node_id: 1, index: 40 };
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// A cluster that has reached its target. The node at ordinal `n` has the id `n + 1`, and the first
/// one leads.
pub(super) fn healthy(members: u32) -> (Observed, Target) {
    let place = |ordinal| Place {
        ordinal,
        pod: Some(pod(ordinal, Answer::Node(NodeId(u64::from(ordinal) + 1)))),
        volume: Some(Volume { version: volume_version(ordinal), ours: true }),
        unready_for: Duration::ZERO,
    };
    let member = |ordinal| Member {
        id: NodeId(u64::from(ordinal) + 1),
        ordinal: Some(ordinal),
        voter: true,
        reachable: true,
        caught_up: true,
    };
    let observed = Observed {
        stateful_set: StatefulSet { ordinals: members, version: "set".to_owned() },
        places: (0..members).map(place).collect(),
        membership: Some(Membership {
            version: VERSION,
            joint: false,
            leader: Some(NodeId(1)),
            members: (0..members).map(member).collect(),
        }),
        bootstrap: Some(0),
        formed: true,
    };
    let target = Target {
        replicas: members,
        paused: false,
        roll: UpdateStrategy::Auto,
        pause_on_failure: false,
        replace_after: Some(Duration::from_secs(300)),
        removed_volumes: RetentionPolicy::Delete,
    };
    (observed, target)
}

fn uid(ordinal: u32) -> Uid {
    format!("pod-{ordinal}").into()
}

fn volume_version(ordinal: u32) -> VolumeVersion {
    let uid = format!("claim-{ordinal}").into();
    VolumeVersion { uid, resource_version: ordinal.to_string() }
}

pub(super) fn pod(ordinal: u32, answer: Answer) -> Pod {
    Pod { uid: uid(ordinal), state: PodState::Running, outdated: false, answer }
}

/// Pods with empty disks, before the cluster is formed.
pub(super) fn fresh(members: u32) -> (Observed, Target) {
    let (mut observed, target) = healthy(members);
    (observed.membership, observed.bootstrap, observed.formed) = (None, None, false);
    (0..members as usize).for_each(|at| answers(&mut observed, at, Answer::Empty));
    (observed, target)
}

pub(super) fn group(observed: &mut Observed) -> &mut Membership {
    observed.membership.as_mut().expect("a membership")
}

pub(super) fn pod_at(observed: &mut Observed, at: usize) -> &mut Pod {
    observed.places[at].pod.as_mut().expect("a pod")
}

pub(super) fn answers(observed: &mut Observed, at: usize, answer: Answer) {
    pod_at(observed, at).answer = answer;
}

pub(super) fn outdated(observed: &mut Observed, places: std::ops::Range<usize>) {
    places.for_each(|at| pod_at(observed, at).outdated = true);
}

/// Neither the leader nor the operator has reached the member for this long.
pub(super) fn dead(observed: &mut Observed, at: usize, unready_for: Duration) {
    answers(observed, at, Answer::Silent);
    observed.places[at].unready_for = unready_for;
    let member = &mut group(observed).members[at];
    (member.reachable, member.caught_up) = (false, false);
}

pub(super) fn learner(observed: &mut Observed, at: usize, caught_up: bool) {
    let member = &mut group(observed).members[at];
    (member.voter, member.caught_up) = (false, caught_up);
}

/// The node is no longer a member.
pub(super) fn forgotten(observed: &mut Observed, at: usize, answer: Answer) {
    answers(observed, at, answer);
    group(observed).members.retain(|member| member.ordinal != Some(at as u32));
}

pub(super) fn no_leader(observed: &mut Observed) {
    let group = group(observed);
    group.leader = None;
    for member in &mut group.members {
        (member.reachable, member.caught_up) = (false, false);
    }
}

pub(super) fn delete_pod(ordinal: u32) -> Step {
    Step::DeletePod { ordinal, pod_uid: uid(ordinal) }
}

pub(super) fn join(ordinal: u32) -> Step {
    Step::Join { ordinal, pod_uid: uid(ordinal) }
}

pub(super) fn discard(ordinal: u32) -> Step {
    Step::DiscardDisk { ordinal, volume_version: volume_version(ordinal) }
}

pub(super) fn set_ordinals(ordinals: u32) -> Step {
    Step::SetOrdinals { ordinals, version: "set".to_owned() }
}

/// Checks the next step in a situation. The sentence explains a failure.
pub(super) fn follows(
    start: &(Observed, Target),
    sentence: &str,
    change: fn(&mut Observed, &mut Target),
    step: Step,
) {
    let (mut observed, mut target) = start.clone();
    change(&mut observed, &mut target);
    assert_eq!(plan(&observed, &target), step, "{sentence}");
}
