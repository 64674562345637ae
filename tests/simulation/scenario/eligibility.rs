//! A node with a wrong clock leads only when no other node can.

use std::time::Duration;

use crate::host::NODES;
use crate::scenario::disks::write;
use crate::world::{LONG, World};

/// Twelve times the clock offset with which a node may still lead.
const WRONG_MS: i64 = 60_000;

/// Time for a node to learn that its clock is wrong.
const HEARING: Duration = Duration::from_secs(1);

/// Shorter than the time that other nodes get to become leader, longer than an election.
const TOO_EARLY: Duration = Duration::from_millis(3500);

/// Longer than that time and some elections.
const LONG_ENOUGH: Duration = Duration::from_secs(20);

/// The nodes among these that lead and are accepted as leader by others.
fn leading(world: &mut World, hosts: &[usize]) -> Vec<usize> {
    let leads = |host: &&usize| world.ask(**host, async |group| group.is_leader());
    hosts.iter().filter(leads).copied().collect()
}

fn clock_is_wrong(world: &mut World, host: usize) -> bool {
    world.ask(host, async |group| group.status().clock_wrong)
}

/// The leader's clock is right; the clocks of the two others are a minute off, in different
/// directions.
fn two_wrong_clocks(seed: u64) -> (World, usize, [usize; 2]) {
    let mut world = World::calm(seed);
    let right = world.leader();
    let wrong = [(right + 1) % NODES.len(), (right + 2) % NODES.len()];
    world.hosts[wrong[0]].clock.skew(WRONG_MS);
    world.hosts[wrong[1]].clock.skew(-WRONG_MS);
    world.step(HEARING).expect("no node fails");
    for host in wrong {
        assert!(clock_is_wrong(&mut world, host), "seed {seed}: it does not know");
    }
    (world, right, wrong)
}

#[test]
fn nodes_with_wrong_clocks_lead_when_the_only_other_one_is_dead_and_give_way_when_it_is_back() {
    for seed in 0..3 {
        let (mut world, right, wrong) = two_wrong_clocks(seed);
        world.crash(right, seed);
        world.step(TOO_EARLY).expect("no node fails");
        assert!(leading(&mut world, &wrong).is_empty(), "seed {seed}: elected too early");
        let written = world.ask(wrong[0], |group| write(group, 7));
        assert_eq!(written, Ok(()), "seed {seed}: no node leads although two of three are up");
        world.sim.bounce(NODES[right]);
        world.step(LONG_ENOUGH).expect("no node fails");
        assert_eq!(world.leader(), right, "seed {seed}: the leadership stays with a wrong clock");
        let written = world.ask(wrong[1], |group| write(group, 8));
        assert_eq!(written, Ok(()), "seed {seed}");
    }
}

#[test]
fn nodes_with_wrong_clocks_lead_when_the_only_other_one_is_cut_off() {
    for seed in 0..3 {
        let (mut world, right, wrong) = two_wrong_clocks(seed);
        world.isolate(right);
        world.step(TOO_EARLY).expect("no node fails");
        assert!(leading(&mut world, &wrong).is_empty(), "seed {seed}: elected too early");
        let written = world.ask(wrong[0], |group| write(group, 7));
        assert_eq!(written, Ok(()), "seed {seed}: no node leads although two of three are up");
    }
}

/// The node with the right clock lacks entries, so no other node votes for it.
#[test]
fn a_node_with_a_wrong_clock_leads_when_the_other_lacks_what_was_acknowledged() {
    for seed in 0..3 {
        let mut world = World::calm(seed);
        let leader = world.leader();
        let (wrong, behind) = ((leader + 1) % NODES.len(), (leader + 2) % NODES.len());
        world.hosts[wrong].clock.skew(WRONG_MS);
        world.step(HEARING).expect("no node fails");
        assert!(clock_is_wrong(&mut world, wrong), "seed {seed}: it does not know");
        world.isolate(behind);
        let written = world.ask(leader, |group| write(group, 6));
        assert_eq!(written, Ok(()), "seed {seed}");
        world.crash(leader, seed);
        world.repair();
        let written = world.ask(behind, async |group| {
            // Requests to the dead leader have an unknown outcome.
            for _ in 0..5 {
                if write(group.clone(), 7).await.is_ok() {
                    return true;
                }
            }
            false
        });
        assert!(written, "seed {seed}: no node leads although two of three are up");
        world.step(LONG).expect("no node fails");
        assert_eq!(leading(&mut world, &[wrong, behind]), [wrong], "seed {seed}");
        let value = world.ask(behind, async |group| group.status().applied);
        let own = world.ask(wrong, async |group| group.status().applied);
        assert_eq!(value, own, "seed {seed}: it does not get what it lacks");
    }
}
