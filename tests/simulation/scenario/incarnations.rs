//! Copies and old states of a data directory: they are detected and never counted.

use std::time::Duration;

use ironkv::base::disk::MemoryDisk;

use crate::host::NODES;
use crate::random::Random;
use crate::scenario::disks::write;
use crate::world::{FORMING, LONG, World};

/// The reason with which a node ends on a directory that is not the one of the cluster.
const NOT_ITS_OWN: &str = "never drew";

/// Longer than the life of an incarnation.
const RENEWAL: Duration = Duration::from_secs(75);

/// A cluster without faults in which every incarnation is registered, and its leader.
fn registered(seed: u64) -> (World, usize) {
    let mut world = World::calm(seed);
    world.step(LONG).expect("no node fails");
    let leading = world.leader();
    (world, leading)
}

/// Restarts a node and lets its next incarnation be registered.
fn restart(world: &mut World, host: usize, seed: u64) {
    world.crash(host, seed);
    world.sim.bounce(NODES[host]);
    world.step(LONG).expect("no node fails");
}

/// Restores an old state of a disk and starts the node on it.
fn put_back(world: &mut World, host: usize, old: &MemoryDisk, seed: u64) {
    world.crash(host, seed);
    world.hosts[host].disk.put_back(old);
    world.sim.bounce(NODES[host]);
}

fn unconfirmed(world: &mut World, host: usize) -> Option<String> {
    world.ask(host, async |group| group.status().unconfirmed)
}

/// Every node takes part, and a write of one node reaches all.
fn all_take_part(world: &mut World, value: u32, label: &str) {
    for host in 0..NODES.len() {
        assert_eq!(unconfirmed(world, host), None, "{label}: node {host} is unconfirmed");
        let written = world.ask(host, move |group| write(group, value));
        assert_eq!(written, Ok(()), "{label}: node {host}");
    }
}

#[test]
fn a_copy_beside_the_original_ends_and_the_original_continues() {
    for seed in 0..3 {
        let (mut world, leading) = registered(seed);
        // The leader and, with other seeds, the followers.
        let original = (leading + seed as usize) % NODES.len();
        world.start_copy(original);
        let ended = world.step(2 * LONG).expect_err("the copy continues");
        assert!(ended.contains(NOT_ITS_OWN), "seed {seed}: {ended}");
        all_take_part(&mut world, 6, &format!("seed {seed}"));
    }
}

#[test]
fn an_old_state_that_is_restored_ends_its_node_permanently() {
    for seed in 0..3 {
        let (mut world, leading) = registered(seed);
        let node = (leading + 1) % NODES.len();
        let old = world.hosts[node].disk.copy();
        restart(&mut world, node, seed);
        all_take_part(&mut world, 6, &format!("seed {seed}"));
        put_back(&mut world, node, &old, seed);
        let ended = world.step(2 * LONG).expect_err("it takes part again");
        assert!(ended.contains(NOT_ITS_OWN), "seed {seed}: {ended}");
        world.sim.bounce(NODES[node]);
        let ended = world.step(LONG).expect_err("it starts again");
        assert!(ended.contains("is not its node's any more"), "seed {seed}: {ended}");
    }
}

#[test]
fn an_old_state_is_detected_without_a_restart_of_its_node_in_between() {
    let (mut world, leading) = registered(0);
    let node = (leading + 1) % NODES.len();
    let old = world.hosts[node].disk.copy();
    world.step(RENEWAL).expect("no node fails");
    put_back(&mut world, node, &old, 0);
    let ended = world.step(2 * LONG).expect_err("it takes part again");
    assert!(ended.contains(NOT_ITS_OWN), "{ended}");
}

#[test]
fn an_old_voter_and_a_peer_without_the_entry_lose_nothing_that_was_acknowledged() {
    for seed in 0..3 {
        let (mut world, leading) = registered(seed);
        let (node, behind) = ((leading + 1) % NODES.len(), (leading + 2) % NODES.len());
        let old = world.hosts[node].disk.copy();
        restart(&mut world, node, seed);
        let leading_still = world.ask(leading, async |group| group.is_leader());
        assert!(leading_still, "seed {seed}: another node leads, so this shows nothing");
        world.isolate(behind);
        let written = world.ask(leading, |group| write(group, 9));
        assert_eq!(written, Ok(()), "seed {seed}");
        // Only the leader is left of those that acknowledged, and it is isolated.
        put_back(&mut world, node, &old, seed);
        world.repair();
        world.isolate(leading);
        world.step(3 * LONG).expect("one voter alone ends no node");
        for host in [node, behind] {
            let leads = world.ask(host, async |group| group.is_leader());
            assert!(!leads, "seed {seed}: a majority without the entry has a leader");
        }
        assert!(unconfirmed(&mut world, node).is_some(), "seed {seed}: it does not detect it");
        world.repair();
        let ended = world.step(3 * LONG).expect_err("it takes part again");
        assert!(ended.contains(NOT_ITS_OWN), "seed {seed}: {ended}");
        let written = world.ask(behind, |group| write(group, 8));
        assert_eq!(written, Ok(()), "seed {seed}: the two others are a majority");
    }
}

#[test]
fn restarts_at_any_time_of_a_registration_are_no_copies() {
    for seed in 0..3 {
        let (mut world, leading) = registered(seed);
        let mut random = Random::new(seed);
        for round in 0..12 {
            let node = if round % 4 == 3 { leading } else { (leading + 1) % NODES.len() };
            world.crash(node, seed + round);
            world.sim.bounce(NODES[node]);
            // From before the first message until after the registration.
            let pause = Duration::from_millis(random.next() % 2500);
            world.step(pause).expect("no node fails");
        }
        world.step(2 * LONG).expect("no node fails");
        all_take_part(&mut world, 7, &format!("seed {seed}"));
    }
}

#[test]
fn a_cluster_whose_nodes_all_stop_at_once_comes_back() {
    for seed in 0..3 {
        let (mut world, _) = registered(seed);
        for round in 0..3 {
            for host in 0..NODES.len() {
                world.crash(host, seed + round);
            }
            for name in NODES {
                world.sim.bounce(name);
            }
            world.step(LONG).expect("no node fails");
            all_take_part(&mut world, 6 + round as u32, &format!("seed {seed}, round {round}"));
        }
    }
}

#[test]
fn the_first_node_on_its_earliest_state_does_not_lead_beside_its_cluster() {
    for seed in 0..3 {
        let mut world = World::new(&mut Random::new(seed));
        world.record.running.set(false);
        world.isolate(0);
        world.step(LONG).expect("no node fails");
        assert!(world.ask(0, async |group| group.is_leader()), "seed {seed}: no cluster begins");
        let earliest = world.hosts[0].disk.copy();
        world.repair();
        world.step(2 * FORMING).expect("a cluster forms");
        all_take_part(&mut world, 6, &format!("seed {seed}"));
        let peers = ["n2:6380", "n3:6380"].join(",");
        world.hosts[0].flags.borrow_mut().push(("node.peers".to_owned(), peers));
        put_back(&mut world, 0, &earliest, seed);
        for _ in 0..200 {
            let Ok(()) = world.step(Duration::from_millis(10)) else { break };
            let leads = world.hosts[0].ask(async |group| group.is_leader());
            let stepped = world.step(Duration::from_millis(5));
            assert_ne!(leads.take(), Some(true), "seed {seed}: it leads beside its cluster");
            if stepped.is_err() {
                break;
            }
        }
        let written = world.ask(1, |group| write(group, 7));
        assert_eq!(written, Ok(()), "seed {seed}: the others are a majority");
    }
}
