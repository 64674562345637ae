//! Reads of a leader that nobody follows any more.

use crate::host::NODES;
use crate::world::{LONG, World};

#[test]
fn a_leader_that_was_replaced_answers_no_reads() {
    for seed in 0..4 {
        let mut world = World::calm(seed);
        let mut leads = |host: &usize| world.ask(*host, async |group| group.is_leader());
        let old = (0..NODES.len()).find(&mut leads).expect("somebody leads");
        world.isolate(old);
        world.step(LONG).expect("no node fails");
        let another = (old + 1) % NODES.len();
        let served = world.ask(another, async |group| group.read_barrier().await);
        assert_eq!(served, Ok(()), "seed {seed}: the majority goes on");
        let still_leads = world.ask(old, async |group| group.is_leader());
        assert!(still_leads, "seed {seed}: it knows that it leads no more, so this shows nothing");
        let served = world.ask(old, async |group| group.read_barrier().await);
        assert!(served.is_err(), "seed {seed}: it does not know what was written meanwhile");
    }
}
