//! The reads of a leader that no node follows any more, or that applies entries late.

use std::time::Duration;

use crate::host::NODES;
use crate::random::Random;
use crate::world::{FORMING, LONG, World};

/// Followers show committed entries long before a leader with this lag.
const APPLY_LAG_MS_MAX: u64 = 200;

#[test]
fn a_leader_that_applies_later_than_its_followers_shows_nothing_older() {
    for seed in 0..3 {
        let mut world = World::new(&mut Random::new(seed));
        world.step(FORMING).expect("a cluster forms");
        let mut leads = |host: &usize| world.ask(*host, async |group| group.is_leader());
        let leader = (0..NODES.len()).find(&mut leads).expect("a node leads");
        world.hosts[leader].threads.let_apply_lag(APPLY_LAG_MS_MAX);
        world.step(Duration::from_secs(20)).expect("no node fails");
        let checked = world.record.check();
        assert_eq!(checked, Ok(()), "seed {seed}");
        assert!(world.record.returned() > 500, "seed {seed}: too few operations");
    }
}

#[test]
fn a_leader_that_was_replaced_answers_no_reads() {
    for seed in 0..4 {
        let mut world = World::calm(seed);
        let mut leads = |host: &usize| world.ask(*host, async |group| group.is_leader());
        let old = (0..NODES.len()).find(&mut leads).expect("a node leads");
        world.isolate(old);
        world.step(LONG).expect("no node fails");
        let another = (old + 1) % NODES.len();
        let served = world.ask(another, async |group| group.read_barrier().await);
        assert_eq!(served.map(drop), Ok(()), "seed {seed}: the majority continues");
        let still_leads = world.ask(old, async |group| group.is_leader());
        assert!(still_leads, "seed {seed}: it does not lead any more, so this tests nothing");
        let served = world.ask(old, async |group| group.read_barrier().await);
        assert!(served.is_err(), "seed {seed}: it does not know what was written meanwhile");
    }
}
