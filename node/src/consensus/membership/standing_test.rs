#![allow(clippy::unwrap_used)]

use ironkv_proto::types::v1::LogId;

use super::*;

const NODE: NodeId = NodeId(3);

fn cluster() -> ClusterId {
    ClusterId("c".repeat(32))
}

fn answer(from: u64, index: u64, voters: &[u64], standing: Standing) -> StandingResponse {
    let member = |id: &u64| Member { node_id: *id, ..Member::default() };
    StandingResponse {
        cluster_id: cluster().0,
        answering_node_id: from,
        node_id: NODE.0,
        standing: standing.into(),
        membership: Some(LogId { term: 1, leader_node_id: 1, index }),
        voters: voters.iter().map(member).collect(),
        ..StandingResponse::default()
    }
}

fn verdict(answers: &[StandingResponse]) -> &'static str {
    match judge(&cluster(), NODE, answers) {
        Verdict::Member(_) => "member",
        Verdict::Removed(_) => "removed",
        Verdict::Undecided(_) => "undecided",
    }
}

#[test]
fn a_majority_of_the_newest_voters_decides_and_nothing_less() {
    use Standing::{Member, Removed, Unknown};
    let check = |answers: &[StandingResponse], expected| assert_eq!(verdict(answers), expected);
    check(&[], "undecided");
    check(&[answer(1, 9, &[1, 2], Removed)], "undecided");
    check(&[answer(1, 9, &[1, 2], Removed), answer(2, 9, &[1, 2], Removed)], "removed");
    // The same member twice is one.
    check(&[answer(1, 9, &[1, 2], Removed), answer(1, 9, &[1, 2], Removed)], "undecided");
    // A voter that lags behind does not stand in the way of a majority of the newer ones.
    let behind = answer(2, 5, &[1, 2, 3], Member);
    let newer = [answer(1, 9, &[1, 4, 5], Removed), answer(4, 9, &[1, 4, 5], Removed)];
    check(&[behind.clone(), newer[0].clone()], "undecided");
    check(&[behind, newer[0].clone(), newer[1].clone()], "removed");
    // A node that has not joined yet was not removed.
    check(&[answer(1, 9, &[1, 2], Unknown), answer(2, 9, &[1, 2], Unknown)], "undecided");
    check(&[answer(1, 9, &[1, 2, 3], Member)], "undecided");
    check(&[answer(1, 9, &[1, 2, 3], Member), answer(2, 9, &[1, 2, 3], Member)], "member");
    // Of two voters the other one alone can say.
    check(&[answer(1, 9, &[1, 3], Member)], "member");
}

#[test]
fn answers_about_another_node_or_cluster_count_for_nothing() {
    let removed = |from| answer(from, 9, &[1, 2], Standing::Removed);
    let other_node = StandingResponse { node_id: 4, ..removed(2) };
    let other_cluster = StandingResponse { cluster_id: "d".repeat(32), ..removed(2) };
    let no_membership = StandingResponse { membership: None, ..removed(2) };
    for useless in [other_node, other_cluster, no_membership] {
        assert_eq!(verdict(&[removed(1), useless]), "undecided");
    }
}

#[test]
fn voters_that_only_others_know_are_asked_too() {
    let answers = [answer(1, 9, &[1, 4, 5], Standing::Removed)];
    let open: Vec<u64> =
        unasked(&cluster(), NODE, &answers).iter().map(|member| member.node_id).collect();
    assert_eq!(open, [4, 5]);
}
