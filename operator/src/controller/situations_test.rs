//! Situations to plan in.

use std::time::Duration;

use super::{
    Answer, Member, Membership, MembershipVersion, NodeId, Observed, Place, Pod, PodState,
    StatefulSet, Step, Target, Volume, plan,
};
use crate::crd::{RetentionPolicy, UpdateStrategy};

pub(super) const VERSION: MembershipVersion =
    MembershipVersion { term: 2, leader_node_id: 1, index: 40 };
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// A cluster at its target; the node at ordinal `n` has the id `n + 1`, the first leads.
pub(super) fn healthy(members: u32) -> (Observed, Target) {
    let place = |ordinal| Place {
        ordinal,
        pod: Some(pod(ordinal, Answer::Node(NodeId(u64::from(ordinal) + 1)))),
        volume: Some(Volume { version: format!("volume-{ordinal}"), ours: true }),
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

pub(super) fn pod(ordinal: u32, answer: Answer) -> Pod {
    Pod { uid: format!("pod-{ordinal}"), state: PodState::Running, outdated: false, answer }
}

/// Pods and empty disks, nothing formed.
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

/// Nobody has reached it for this long.
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

/// Not a member any more.
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
    Step::DeletePod { ordinal, pod_uid: format!("pod-{ordinal}") }
}

pub(super) fn join(ordinal: u32) -> Step {
    Step::Join { ordinal, pod_uid: format!("pod-{ordinal}") }
}

pub(super) fn discard(ordinal: u32) -> Step {
    Step::DiscardDisk { ordinal, volume_version: format!("volume-{ordinal}") }
}

pub(super) fn set_ordinals(ordinals: u32) -> Step {
    Step::SetOrdinals { ordinals, version: "set".to_owned() }
}

/// Checks which step follows from a situation, and says the sentence when it is another.
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
