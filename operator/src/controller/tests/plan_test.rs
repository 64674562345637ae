//! The next step while a cluster is formed, grows and loses members.

use std::time::Duration;

use super::situations_test::*;
use crate::controller::decide::{Answer, NodeId, PodState, Step, Stop, Waiting};

#[test]
fn a_cluster_is_formed_once() {
    let start = fresh(3);
    follows(
        &start,
        "the seed is written down before anything is formed",
        |_, _| {},
        Step::RecordBootstrap { ordinal: 0 },
    );
    follows(
        &start,
        "the written seed is initialised",
        |o, _| o.bootstrap = Some(0),
        Step::Init { ordinal: 0, pod_uid: "pod-0".into() },
    );
    follows(
        &start,
        "every disk is asked before one is initialised",
        |o, _| answers(o, 2, Answer::Silent),
        Step::Wait(Waiting::Pods),
    );
    follows(
        &start,
        "pods are asked for first",
        |o, _| {
            o.stateful_set.ordinals = 0;
            o.places.clear();
        },
        set_ordinals(3),
    );
    follows(
        &start,
        "a cluster that was formed is not formed again on empty disks",
        |o, _| o.formed = true,
        Step::Stop(Stop::DataLost),
    );
    follows(
        &start,
        "a volume beyond the target may hold a member, so it is asked too",
        |o, t| {
            t.replicas = 1;
            o.stateful_set.ordinals = 1;
        },
        set_ordinals(3),
    );
    follows(
        &start,
        "a disk of another cluster stops everything",
        |o, _| answers(o, 1, Answer::Foreign("f00".to_owned())),
        Step::Stop(Stop::ClusterIdMismatch { ordinal: 1, found: "f00".to_owned() }),
    );
    follows(
        &start,
        "pods that fail with an old template are recreated before there is a cluster",
        |o, _| {
            outdated(o, 0..3);
            answers(o, 1, Answer::Silent);
            pod_at(o, 1).state = PodState::Failing;
            (0..3).for_each(|at| {
                if at != 1 {
                    pod_at(o, at).outdated = false;
                }
            });
        },
        delete_pod(1),
    );
}

#[test]
fn members_join_one_after_another() {
    let start = healthy(3);
    follows(&start, "all is there", |_, _| {}, Step::Done);
    follows(
        &start,
        "that the cluster was formed is written down before another node joins",
        |o, _| {
            o.formed = false;
            forgotten(o, 2, Answer::Empty);
        },
        Step::RecordFormed,
    );
    follows(&start, "an empty node joins", |o, _| forgotten(o, 2, Answer::Empty), join(2));
    follows(
        &start,
        "a node that was interrupted while it joined goes on",
        |o, _| forgotten(o, 2, Answer::Node(NodeId(9))),
        join(2),
    );
    follows(
        &start,
        "a second node waits for the learner before it",
        |o, _| {
            learner(o, 1, false);
            forgotten(o, 2, Answer::Empty);
        },
        Step::Wait(Waiting::CatchUp),
    );
    follows(
        &start,
        "a learner that has caught up gets a vote",
        |o, _| learner(o, 2, true),
        Step::Promote(NodeId(3), VERSION),
    );
    follows(
        &start,
        "a learner that lags gets none",
        |o, _| learner(o, 2, false),
        Step::Wait(Waiting::CatchUp),
    );
    follows(
        &start,
        "a joint configuration is finished before anything else",
        |o, _| {
            group(o).joint = true;
            learner(o, 2, true);
        },
        Step::FinishChange(VERSION),
    );
    follows(&start, "more members need pods first", |_, t| t.replicas = 5, set_ordinals(5));
    follows(
        &start,
        "a place whose pod was taken away by hand gets it back",
        |o, _| {
            o.stateful_set.ordinals = 2;
            o.places[2].pod = None;
        },
        set_ordinals(3),
    );
    follows(
        &start,
        "paused means paused",
        |o, t| {
            t.paused = true;
            forgotten(o, 2, Answer::Empty);
        },
        Step::Wait(Waiting::Paused),
    );
}

#[test]
fn a_lost_member_is_replaced_and_a_silent_one_given_time() {
    let start = healthy(3);
    follows(
        &start,
        "a member whose disk is empty is removed before the new node joins",
        |o, _| {
            dead(o, 2, HOUR);
            answers(o, 2, Answer::Empty);
        },
        Step::Remove(NodeId(3), VERSION),
    );
    follows(
        &start,
        "a member whose place has another identity is removed",
        |o, _| {
            dead(o, 2, HOUR);
            answers(o, 2, Answer::Node(NodeId(9)));
        },
        Step::Remove(NodeId(3), VERSION),
    );
    follows(
        &start,
        "a member that was silent for long is removed",
        |o, _| dead(o, 2, HOUR),
        Step::Remove(NodeId(3), VERSION),
    );
    follows(
        &start,
        "a member that was silent for a moment is waited for",
        |o, _| dead(o, 2, Duration::from_secs(60)),
        Step::Wait(Waiting::Replacement),
    );
    follows(
        &start,
        "a silent member is left alone where a person decides",
        |o, t| {
            dead(o, 2, HOUR);
            t.replace_after = None;
        },
        Step::Wait(Waiting::Replacement),
    );
    follows(
        &start,
        "an old member is not removed where the rest has no majority",
        |o, _| {
            dead(o, 2, HOUR);
            group(o).members[1].caught_up = false;
        },
        Step::Wait(Waiting::Replacement),
    );
    follows(
        &start,
        "a template that fails everywhere costs no disk",
        |o, _| {
            dead(o, 2, HOUR);
            pod_at(o, 2).state = PodState::Failing;
            outdated(o, 0..2);
        },
        Step::Wait(Waiting::Replacement),
    );
    follows(
        &start,
        "one pod that fails where others run is replaced",
        |o, _| {
            dead(o, 2, HOUR);
            pod_at(o, 2).state = PodState::Failing;
        },
        Step::Remove(NodeId(3), VERSION),
    );
}

#[test]
fn disks_of_former_members_are_discarded_and_unknown_members_left_alone() {
    let start = healthy(3);
    follows(
        &start,
        "a disk whose member was removed is discarded",
        |o, _| forgotten(o, 2, Answer::Removed),
        discard(2),
    );
    follows(
        &start,
        "a removed member's disk that cannot be read is discarded too",
        |o, _| {
            dead(o, 2, HOUR);
            forgotten(o, 2, Answer::Silent);
        },
        discard(2),
    );
    follows(
        &start,
        "a volume of an earlier cluster is left to a person",
        |o, _| {
            forgotten(o, 2, Answer::Removed);
            o.places[2].volume.as_mut().expect("a volume").ours = false;
        },
        Step::Wait(Waiting::Pods),
    );
    follows(
        &start,
        "a member that only the operator does not reach is not touched",
        |o, _| {
            answers(o, 2, Answer::Silent);
            o.places[2].unready_for = HOUR;
        },
        Step::Wait(Waiting::Unknown),
    );
    follows(
        &start,
        "nothing is removed while another member is not known",
        |o, _| {
            dead(o, 2, HOUR);
            answers(o, 1, Answer::Silent);
        },
        Step::Wait(Waiting::Unknown),
    );
}

#[test]
fn without_a_leader_nothing_is_removed() {
    let start = healthy(3);
    follows(
        &start,
        "a majority that answers elects by itself",
        |o, _| {
            dead(o, 2, HOUR);
            no_leader(o);
        },
        Step::Wait(Waiting::Election),
    );
    follows(
        &start,
        "no majority answers",
        |o, _| {
            dead(o, 1, HOUR);
            dead(o, 2, HOUR);
            no_leader(o);
        },
        Step::Stop(Stop::QuorumLost { answering: 1, voters: 3 }),
    );
    follows(
        &start,
        "no majority has a disk",
        |o, _| {
            no_leader(o);
            answers(o, 1, Answer::Empty);
            answers(o, 2, Answer::Empty);
        },
        Step::Stop(Stop::QuorumLost { answering: 1, voters: 3 }),
    );
    follows(
        &start,
        "the operator is cut off from pods that Kubernetes sees ready",
        |o, _| {
            no_leader(o);
            answers(o, 1, Answer::Silent);
            answers(o, 2, Answer::Silent);
        },
        Step::Wait(Waiting::Unknown),
    );
    follows(
        &start,
        "outdated pods that fail are recreated even so, for that may be the cure",
        |o, _| {
            dead(o, 1, HOUR);
            dead(o, 2, HOUR);
            no_leader(o);
            outdated(o, 0..3);
            pod_at(o, 1).state = PodState::Failing;
        },
        delete_pod(1),
    );
}
