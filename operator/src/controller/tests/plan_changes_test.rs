//! The next step while pods are rolled, members leave and a cluster hibernates.

use std::time::Duration;

use super::situations_test::*;
use crate::controller::decide::{Answer, NodeId, Observed, Step, Stop, Waiting};
use crate::crd::{RetentionPolicy, UpdateStrategy};

#[test]
fn pods_are_rolled_one_after_another_the_leader_last() {
    let start = healthy(3);
    follows(&start, "a follower goes first", |o, _| outdated(o, 0..3), delete_pod(1));
    follows(
        &start,
        "the leader hands over when all others are new",
        |o, _| outdated(o, 0..1),
        Step::TransferLeader(NodeId(2), VERSION),
    );
    follows(
        &start,
        "the former leader goes like any follower",
        |o, _| {
            outdated(o, 0..1);
            group(o).leader = Some(NodeId(2));
        },
        delete_pod(0),
    );
    follows(
        &start,
        "no pod goes while a new one is not back",
        |o, _| {
            outdated(o, 0..2);
            dead(o, 2, Duration::ZERO);
        },
        Step::Wait(Waiting::Replacement),
    );
    follows(
        &start,
        "no pod goes while a new one is catching up",
        |o, _| {
            outdated(o, 0..2);
            group(o).members[2].caught_up = false;
        },
        Step::Wait(Waiting::CatchUp),
    );
    follows(
        &start,
        "no pod goes while no client is sent to a new one",
        |o, _| {
            outdated(o, 0..2);
            o.places[2].unready_for = Duration::from_secs(1);
        },
        Step::Wait(Waiting::Pods),
    );
    follows(
        &start,
        "an old one that no client is sent to goes first",
        |o, _| {
            outdated(o, 0..3);
            o.places[2].unready_for = Duration::from_secs(1);
        },
        delete_pod(2),
    );
}

#[test]
fn outdated_pods_that_need_no_roll() {
    let start = healthy(3);
    follows(
        &start,
        "an outdated pod that is out of order goes before the others",
        |o, _| {
            outdated(o, 0..3);
            dead(o, 2, HOUR);
        },
        delete_pod(2),
    );
    follows(
        &start,
        "not even that where a new pod fails and the roll is to stop",
        |o, t| {
            outdated(o, 0..2);
            dead(o, 1, HOUR);
            dead(o, 2, Duration::from_secs(60));
            t.pause_on_failure = true;
            no_leader(o);
        },
        Step::Stop(Stop::QuorumLost { answering: 1, voters: 3 }),
    );
    follows(
        &start,
        "by hand means by hand",
        |o, t| {
            outdated(o, 0..3);
            t.roll = UpdateStrategy::Manual;
        },
        Step::Wait(Waiting::Roll),
    );
    follows(
        &start,
        "a surplus pod is not rolled, it leaves",
        |o, t| {
            pod_at(o, 2).outdated = true;
            t.replicas = 1;
        },
        Step::Demote(NodeId(3), VERSION),
    );
    let start = healthy(1);
    follows(
        &start,
        "the only member is rolled although no other can take over",
        |o, _| outdated(o, 0..1),
        delete_pod(0),
    );
}

#[test]
fn members_leave_one_after_another() {
    let start = healthy(5);
    follows(
        &start,
        "the highest follower loses its vote first",
        |_, t| t.replicas = 3,
        Step::Demote(NodeId(5), VERSION),
    );
    follows(
        &start,
        "then its membership",
        |o, t| {
            t.replicas = 3;
            learner(o, 4, true);
        },
        Step::Remove(NodeId(5), VERSION),
    );
    follows(
        &start,
        "more members asked for again: the learner gets its vote back",
        |o, _| learner(o, 4, true),
        Step::Promote(NodeId(5), VERSION),
    );
    follows(
        &start,
        "a leader that leaves hands over when it is the last to leave",
        |o, t| {
            t.replicas = 3;
            group(o).leader = Some(NodeId(5));
            forgotten(o, 3, Answer::Removed);
        },
        Step::TransferLeader(NodeId(1), VERSION),
    );
    follows(
        &start,
        "a dead one goes first",
        |o, t| {
            t.replicas = 3;
            dead(o, 3, Duration::ZERO);
        },
        Step::Remove(NodeId(4), VERSION),
    );
}

#[test]
fn pods_and_volumes_leave_after_their_members() {
    let start = healthy(5);
    follows(
        &start,
        "no member leaves while one that stays is away",
        |o, t| {
            t.replicas = 3;
            dead(o, 1, Duration::ZERO);
        },
        Step::Wait(Waiting::Replacement),
    );
    follows(
        &start,
        "pods go when their members have gone",
        |o, t| {
            t.replicas = 3;
            removed(o, Duration::from_secs(2));
        },
        set_ordinals(3),
    );
    follows(
        &start,
        "pods stay until no client is sent to them",
        |o, t| {
            t.replicas = 3;
            removed(o, Duration::from_secs(1));
        },
        Step::Wait(Waiting::Pods),
    );
    follows(
        &start,
        "volumes go when their pods have gone",
        |o, t| {
            t.replicas = 3;
            gone(o);
        },
        discard(3),
    );
    follows(
        &start,
        "volumes stay where they are to stay",
        |o, t| {
            t.replicas = 3;
            gone(o);
            t.removed_volumes = RetentionPolicy::Retain;
        },
        Step::Done,
    );
}

/// The last two of five members have left and have been unready since then.
fn removed(observed: &mut Observed, unready_for: Duration) {
    for at in [4, 3] {
        forgotten(observed, at, Answer::Removed);
        observed.places[at].unready_for = unready_for;
    }
}

/// Their pods were deleted too.
fn gone(observed: &mut Observed) {
    removed(observed, HOUR);
    observed.places[3..].iter_mut().for_each(|place| place.pod = None);
    observed.stateful_set.ordinals = 3;
}

#[test]
fn a_cluster_hibernates_and_wakes_with_every_member() {
    fn asleep(observed: &mut Observed) {
        observed.membership = None;
        observed.stateful_set.ordinals = 0;
        observed.places.iter_mut().for_each(|place| place.pod = None);
    }
    let start = healthy(5);
    follows(&start, "pods go, members stay", |_, t| t.replicas = 0, set_ordinals(0));
    follows(
        &start,
        "pods that are on their way out are waited for",
        |o, t| {
            t.replicas = 0;
            o.stateful_set.ordinals = 0;
        },
        Step::Wait(Waiting::Pods),
    );
    follows(
        &start,
        "asleep",
        |o, t| {
            t.replicas = 0;
            asleep(o);
        },
        Step::Done,
    );
    follows(
        &start,
        "all members wake, even when fewer are wanted, so that a majority is there",
        |o, t| {
            t.replicas = 3;
            asleep(o);
        },
        set_ordinals(5),
    );
}
