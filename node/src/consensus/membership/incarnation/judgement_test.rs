#![allow(clippy::unwrap_used)]

use ironkv_proto::admin::v1::Standing;
use ironkv_proto::types::v1::{LogId, Member};

use super::*;
use crate::consensus::network::convert::{registration_to_proto, told_to_proto};

const OWN: NodeId = NodeId(1);

fn cluster() -> ClusterId {
    ClusterId("c".to_owned())
}

/// What one of three voters says about node 1.
fn answer(from: u64, registered: Option<(u64, u64)>) -> StandingResponse {
    let voters = (1..=3).map(|id| Member { node_id: id, ..Member::default() }).collect();
    let registered = registered.map(|(incarnation, index)| Registration { incarnation, index });
    StandingResponse {
        cluster_id: "c".to_owned(),
        answering_node_id: from,
        node_id: OWN.0,
        standing: Standing::Member.into(),
        membership: Some(LogId { term: 1, leader_node_id: 1, index: 5 }),
        voters,
        registered: registered.map(registration_to_proto),
        ..StandingResponse::default()
    }
}

/// Knows that 7 is registered at 10, and has drawn 8 since.
fn lineage() -> Lineage {
    let registered = Some(Registration { incarnation: 7, index: 10 });
    Lineage { registered, drawn: vec![8] }
}

#[test]
fn only_a_majority_of_the_other_voters_ends_a_node() {
    let newer = Some((99, 20));
    let superseded = Registration { incarnation: 99, index: 20 };
    let cases = [
        (vec![], Judgement::Undecided),
        (vec![answer(2, Some((7, 10)))], Judgement::Undecided),
        (vec![answer(2, Some((7, 10))), answer(3, Some((8, 20)))], Judgement::Confirmed),
        (vec![answer(2, newer)], Judgement::Contradicted(superseded)),
        // The same voter twice, a node that is none, and one that lags.
        (vec![answer(2, newer), answer(2, newer)], Judgement::Contradicted(superseded)),
        (vec![answer(2, newer), answer(9, newer)], Judgement::Contradicted(superseded)),
        (vec![answer(2, newer), answer(3, Some((5, 3)))], Judgement::Contradicted(superseded)),
        (vec![answer(2, newer), answer(3, None)], Judgement::Contradicted(superseded)),
        (vec![answer(2, newer), answer(3, newer)], Judgement::Superseded(superseded)),
        // Members that have not registered anything yet.
        (vec![answer(2, None), answer(3, None)], Judgement::Confirmed),
    ];
    for (answers, expected) in cases {
        assert_eq!(judge_lineage(&cluster(), OWN, &lineage(), &answers), expected, "{answers:?}");
    }
}

/// The same of other numbers of voters.
fn of_voters(voters: u64, answer: StandingResponse) -> StandingResponse {
    let voters = (1..=voters).map(|id| Member { node_id: id, ..Member::default() }).collect();
    StandingResponse { voters, ..answer }
}

#[test]
fn one_of_two_voters_ends_no_node_and_two_of_four_do_not_either() {
    let superseded = Registration { incarnation: 99, index: 20 };
    let against = |voters: u64, from: u64| of_voters(voters, answer(from, Some((99, 20))));
    let judge = |answers: &[StandingResponse]| judge_lineage(&cluster(), OWN, &lineage(), answers);
    assert_eq!(judge(&[against(2, 2)]), Judgement::Contradicted(superseded));
    assert_eq!(judge(&[against(4, 2), against(4, 3)]), Judgement::Contradicted(superseded));
    let three = [against(4, 2), against(4, 3), against(4, 4)];
    assert_eq!(judge(&three), Judgement::Superseded(superseded));
    // What no majority can have without one of those that answered, no majority has.
    let fits = |voters: u64, from: u64| of_voters(voters, answer(from, Some((7, 10))));
    assert_eq!(judge(&[fits(2, 2)]), Judgement::Confirmed);
    assert_eq!(judge(&[fits(5, 2), fits(5, 3)]), Judgement::Undecided);
    assert_eq!(judge(&[fits(5, 2), fits(5, 3), fits(5, 4)]), Judgement::Confirmed);
}

#[test]
fn a_node_is_outvoted_when_a_majority_works_in_one_term_and_one_of_it_has_refuted_this_node() {
    let here = Registration { incarnation: 99, index: 20 };
    let voters = (1..=5).map(NodeId).collect();
    let registration_of = |id: NodeId| (id.0 <= 2).then_some(here);
    let working = |from: u64, term: u64, refuted: &[Registration]| StandingResponse {
        confirmed_term: term,
        refuted: refuted.iter().copied().map(registration_to_proto).collect(),
        ..answer(from, None)
    };
    let outvoted = |answers: &[StandingResponse]| outvoted_in(&voters, registration_of, answers);
    let other = Registration { incarnation: 98, index: 20 };
    let refuting = working(2, 7, &[here]);
    assert_eq!(outvoted(&[refuting.clone(), working(3, 7, &[]), working(4, 7, &[])]), Some(7));
    let cases = [
        // Too few, one of them twice, one that is no voter, one in another term.
        vec![refuting.clone(), working(3, 7, &[])],
        vec![refuting.clone(), working(3, 7, &[]), working(3, 7, &[])],
        vec![refuting.clone(), working(3, 7, &[]), working(9, 7, &[])],
        vec![refuting.clone(), working(3, 7, &[]), working(4, 6, &[])],
        // No voter has refuted what is registered here for it, or without a majority.
        vec![working(2, 7, &[]), working(3, 7, &[]), working(4, 7, &[])],
        vec![working(2, 7, &[other]), working(3, 7, &[here]), working(4, 7, &[])],
        vec![working(2, 0, &[here]), working(3, 0, &[]), working(4, 0, &[])],
    ];
    for answers in cases {
        assert_eq!(outvoted(&answers), None, "{answers:?}");
    }
}

#[test]
fn answers_about_others_and_of_other_clusters_count_for_nothing() {
    let newer = Some((99, 20));
    let about_another = StandingResponse { node_id: 2, ..answer(2, newer) };
    let of_another = StandingResponse { cluster_id: "d".to_owned(), ..answer(3, newer) };
    let own = answer(OWN.0, newer);
    let answers = [about_another, of_another, own];
    assert_eq!(judge_lineage(&cluster(), OWN, &lineage(), &answers), Judgement::Undecided);
}

#[test]
fn the_younger_of_two_directories_is_the_copy() {
    let told = |drawn: &[u64], life| {
        let registered = Some(Registration { incarnation: 7, index: 10 });
        Told { lineage: Lineage { registered, drawn: drawn.to_vec() }, life }
    };
    let from_own_address =
        |told: Told| vec![StandingResponse { lineage: told_to_proto(told), ..answer(OWN.0, None) }];
    let (original, copy) = (told(&[8], 1), told(&[8, 9], 2));
    assert!(is_copy(&copy, OWN, &from_own_address(original.clone())));
    assert!(!is_copy(&original, OWN, &from_own_address(copy.clone())));
    assert!(!is_copy(&copy, OWN, &from_own_address(copy.clone())), "its own answer");
    // Both were made from one that has stopped.
    let other = told(&[8, 10], 3);
    assert!(is_copy(&copy, OWN, &from_own_address(other.clone())));
    assert!(is_copy(&other, OWN, &from_own_address(copy.clone())));
}
