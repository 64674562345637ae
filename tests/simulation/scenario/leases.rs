//! Nodes with different timings.

use std::time::Duration;

use ironkv::resp::Reply;

use crate::client::{Answer, SimulatedClient};
use crate::host::NODES;
use crate::random::Random;
use crate::scenario::votes::{VOTER, ask_vote};
use crate::world::{FORMING, World};

fn flag(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// The first node creates the cluster and leads; its settings allow a lease of 4.2 s. The others
/// elect another leader after 1.2 s.
#[test]
fn a_leader_with_longer_timings_than_its_followers_answers_nothing_stale() {
    for seed in 0..3 {
        let mut world = World::new(&mut Random::new(seed));
        world.record.running.set(false);
        let long = [
            flag("raft.election_timeout_min_ms", "11000"),
            flag("raft.election_timeout_max_ms", "12000"),
        ];
        world.hosts[0].flags.borrow_mut().extend(long);
        world.step(FORMING).expect("a cluster forms");
        assert_eq!(world.leader(), 0);
        let set = |value: &'static str| {
            async move |mut client: SimulatedClient| {
                while client.call(&["SET", "key", value]).await != Answer::Reply(Reply::OK) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        };
        world.call(0, set("old"));
        world.isolate(0);
        // Another node leads and changes the key; the first one still believes that it is the
        // leader.
        world.call(1, set("new"));
        let read = world.hosts[0].call(async |mut client| client.call(&["GET", "key"]).await);
        world.step(Duration::from_secs(1)).expect("no node fails");
        let stale = Answer::Reply(Reply::Bulk(bytes::Bytes::from_static(b"old")));
        assert_ne!(read.take(), Some(stale), "seed {seed}: a stale read");
    }
}

/// The settings at that time determine a lease that the node granted before its restart.
#[test]
fn a_restart_with_shorter_timings_keeps_the_leases_granted_before() {
    let long = [
        flag("raft.election_timeout_min_ms", "11000"),
        flag("raft.election_timeout_max_ms", "12000"),
    ];
    for seed in 0..2 {
        let mut world = World::new(&mut Random::new(seed));
        world.record.running.set(false);
        for host in &world.hosts {
            host.flags.borrow_mut().extend(long.clone());
        }
        world.step(FORMING).expect("a cluster forms");
        assert_eq!(world.leader(), 0);
        let term = world.ask(VOTER, async |group| group.status().term) + 10;
        world.hosts[VOTER].flags.borrow_mut().clear();
        world.crash(VOTER, seed);
        world.isolate(VOTER);
        world.sim.bounce(NODES[VOTER]);
        // Longer than any lease of the new settings, shorter than a lease of the old ones. A second
        // restart keeps the old lease as well.
        for _ in 0..2 {
            world.step(Duration::from_millis(2000)).expect("no node fails");
            let granted = world.ask(VOTER, move |group| ask_vote(group, term, 1));
            assert_ne!(granted, Ok(true), "seed {seed}: the old leader may answer reads alone");
            world.crash(VOTER, seed + 7);
            world.sim.bounce(NODES[VOTER]);
        }
        world.step(Duration::from_secs(8)).expect("no node fails");
        let granted = world.ask(VOTER, move |group| ask_vote(group, term, 1));
        assert_eq!(granted, Ok(true), "seed {seed}: it never votes again");
        // From now on the new settings count.
        world.crash(VOTER, seed + 9);
        world.sim.bounce(NODES[VOTER]);
        world.step(Duration::from_secs(2)).expect("no node fails");
        let granted = world.ask(VOTER, move |group| ask_vote(group, term + 1, 1));
        assert_eq!(granted, Ok(true), "seed {seed}: the old lease never ends");
    }
}
