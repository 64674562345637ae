//! A power cut must not make a node forget its vote.

use std::time::Duration;

use ironkv::consensus::Group;
use ironkv_proto::admin::v1::StandingRequest;
use ironkv_proto::raft::v1::{Vote, VoteRequest};
use ironkv_proto::types::v1::{Lineage, LogId, Route};

use crate::host::NODES;
use crate::world::{LONG, World};

/// The machine whose vote is requested, and the candidates.
pub(crate) const VOTER: usize = 2;
/// In this order, because a vote may change to a candidate with a greater id.
const CANDIDATES: [u64; 2] = [2, 1];

/// Shorter than a lease.
const SHORT: Duration = Duration::from_millis(50);

/// Requests a vote as a candidate with every entry; returns whether it is granted, or why it is not
/// considered.
pub(crate) async fn ask_vote(group: Group, term: u64, candidate: u64) -> Result<bool, String> {
    let identity = group.identity().ok_or("no identity yet")?;
    let route = Route {
        cluster_id: identity.cluster_id.0.clone().into_bytes().into(),
        group_id: identity.group_id.0,
        target_node_id: identity.node_id.0,
        sender_node_id: candidate,
        sender: Some(lineage(&group, candidate)?),
        target: None,
    };
    let vote = Vote { term, node_id: candidate, committed: false };
    let last = LogId { term: term - 1, leader_node_id: candidate, index: 1 << 40 };
    let request = VoteRequest {
        route: Some(route),
        vote: Some(vote),
        last: Some(last),
        leadership_transfer: false,
    };
    let answer = group.handle_vote(request, false).await;
    answer.map(|answer| answer.granted).map_err(|status| status.message().to_owned())
}

/// The lineage of the node's current directory, as far as this node knows it.
fn lineage(group: &Group, id: u64) -> Result<Lineage, String> {
    let identity = group.identity().ok_or("no identity yet")?;
    let cluster_id = identity.cluster_id.0.clone();
    let question = StandingRequest { cluster_id, node_id: id, lineage: None };
    let answer = group.standing_of(&question).map_err(|error| error.to_string())?;
    let own = answer.lineage.filter(|_| identity.node_id.0 == id);
    Ok(own.unwrap_or(Lineage { registered: answer.registered, ..Lineage::default() }))
}

#[test]
fn a_vote_outlives_a_power_cut() {
    for seed in 0..4 {
        let mut world = World::calm(seed);
        // An isolated node has granted no lease to a leader.
        world.isolate(VOTER);
        world.step(LONG).expect("no node fails");
        let term = world.ask(VOTER, async |group| group.status().term) + 10;
        let granted = world.ask(VOTER, move |group| ask_vote(group, term, CANDIDATES[0]));
        assert_eq!(granted, Ok(true), "seed {seed}");
        world.crash(VOTER, seed);
        world.sim.bounce(NODES[VOTER]);
        world.step(LONG).expect("no node fails");
        let granted = world.ask(VOTER, move |group| ask_vote(group, term, CANDIDATES[1]));
        assert_eq!(granted, Ok(false), "seed {seed}: two votes in one term");
    }
}

#[test]
fn a_restarted_node_grants_no_vote_before_every_lease_is_over() {
    for seed in 0..4 {
        let mut world = World::calm(seed);
        let term = world.ask(VOTER, async |group| group.status().term) + 10;
        world.crash(VOTER, seed);
        world.isolate(VOTER);
        world.sim.bounce(NODES[VOTER]);
        world.step(SHORT).expect("no node fails");
        let granted = world.ask(VOTER, move |group| ask_vote(group, term, CANDIDATES[0]));
        assert_ne!(granted, Ok(true), "seed {seed}: the leader may still answer reads alone");
        world.step(LONG).expect("no node fails");
        let granted = world.ask(VOTER, move |group| ask_vote(group, term, CANDIDATES[0]));
        assert_eq!(granted, Ok(true), "seed {seed}: it never votes again");
    }
}
