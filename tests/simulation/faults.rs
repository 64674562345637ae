//! The nemesis: seeded faults, then an end to them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::host::NODES;
use crate::random::Random;
use crate::world::{FORMING, World};

const CHAOS: Duration = Duration::from_secs(12);
const HEALING: Duration = Duration::from_secs(10);

/// The nemesis.
pub(crate) struct Faults<'a> {
    world: &'a mut World,
    random: Random,
    /// How often each fault was made.
    pub(crate) made: BTreeMap<&'static str, u32>,
}

impl<'a> Faults<'a> {
    pub(crate) const fn new(world: &'a mut World, random: Random) -> Self {
        Self { world, random, made: BTreeMap::new() }
    }

    /// Chaos, then peace.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        self.world.step(FORMING)?;
        let end = self.world.sim.elapsed() + CHAOS;
        while self.world.sim.elapsed() < end {
            self.fault()?;
            let pause = Duration::from_millis(200 + self.random.below(2500));
            self.world.step(pause)?;
        }
        self.heal();
        self.world.record.running.set(false);
        self.world.step(HEALING)
    }

    fn count(&mut self, fault: &'static str) {
        *self.made.entry(fault).or_default() += 1;
    }

    fn fault(&mut self) -> Result<(), String> {
        let victim = self.random.below(NODES.len() as u64) as usize;
        let name = NODES[victim];
        match self.random.below(6) {
            0 | 1 => {
                self.count("crash");
                self.world.crash(victim, self.random.next());
                let down = Duration::from_millis(self.random.below(3000));
                self.world.step(down)?;
                self.world.sim.bounce(name);
            }
            2 => {
                self.count("isolation");
                self.world.isolate(victim);
            }
            3 => {
                self.count("one-way cut");
                let other = NODES[(victim + 1) % NODES.len()];
                self.world.sim.partition_oneway(name, other);
            }
            4 => {
                self.count("clock skew");
                let ms = self.random.below(20_000) as i64 - 10_000;
                self.world.hosts[victim].clock.skew(ms);
            }
            _ => {
                self.count("slow network");
                let latency = Duration::from_millis(5 + self.random.below(60));
                self.world.sim.set_max_message_latency(latency);
            }
        }
        if self.random.below(2) == 0 {
            self.world.repair();
        }
        Ok(())
    }

    fn heal(&mut self) {
        self.world.repair();
        self.world.sim.set_max_message_latency(Duration::from_millis(5));
        for host in &self.world.hosts {
            host.clock.skew(0);
        }
    }
}
