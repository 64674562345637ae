//! The nemesis: seeded faults, then an end of all faults.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::nemesis::changes::Changes;
use crate::nemesis::decay::decay;
use crate::nemesis::plan::Plan;
use crate::random::Random;
use crate::world::{FORMING, World};

const CHAOS: Duration = Duration::from_secs(12);

/// Longest time after the faults until everything works again.
const HEALING: Duration = Duration::from_secs(60);

/// The machine whose files decay.
const DECAYING: usize = 1;

/// Free bytes on a disk that is nearly full: enough for some of a segment of the log and a
/// checkpoint.
const ROOM_BYTES_MAX: u64 = 2 << 20;

/// For so long a leader uses the last report of a clock.
const FORGETTING: Duration = Duration::from_millis(1200);

/// A second, a minute, a day, a year.
const STEPS_MS: [i64; 4] = [1000, 60_000, 86_400_000, 31_536_000_000];

/// A tenth too fast or too slow.
const DRIFT_US: i64 = 100_000;

/// The faults, by the names under which they are counted.
pub(crate) const FAULTS: [&str; 11] = [
    "crash",
    "isolation",
    "one-way cut",
    "clock skew",
    "late apply",
    "hung disk",
    "blackout",
    "slow network",
    "full disk",
    "full disks",
    "decay",
];

/// The nemesis.
pub(crate) struct Faults<'a> {
    world: &'a mut World,
    random: Random,
    plan: Plan,
    changes: Changes,
    made: BTreeMap<&'static str, u32>,
    /// A clock is wrong, and what it shows is too early.
    clock_is_behind: bool,
}

impl<'a> Faults<'a> {
    pub(crate) const fn new(world: &'a mut World, random: Random, plan: Plan) -> Self {
        let changes = Changes::new(plan.voters_min);
        Self { world, random, plan, changes, made: BTreeMap::new(), clock_is_behind: false }
    }

    /// Runs a phase with faults and one without.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        self.world.step(FORMING)?;
        self.world.cluster.keep_learners(self.plan.members_change);
        let end = self.world.sim.elapsed() + CHAOS;
        while self.world.sim.elapsed() < end {
            self.change_members()?;
            self.fault()?;
            let pause = Duration::from_millis(200 + self.random.below(2500));
            self.world.step(pause)?;
        }
        self.heal();
        self.world.record.running.set(false);
        let end = self.world.sim.elapsed() + HEALING;
        while self.world.sim.elapsed() < end && !self.world.is_whole() {
            self.changes.replace_damaged(self.world, &mut self.random);
            self.world.settle()?;
        }
        Ok(())
    }

    /// How often each fault and each change was made.
    pub(crate) fn made(mut self) -> BTreeMap<&'static str, u32> {
        let changes: Vec<_> = self.changes.made().collect();
        changes.into_iter().for_each(|change| self.count(change));
        self.made
    }

    fn change_members(&mut self) -> Result<(), String> {
        self.changes.replace_damaged(self.world, &mut self.random);
        self.world.replace_removed();
        if !self.plan.members_change {
            return Ok(());
        }
        for _ in 0..=self.random.below(2) {
            self.changes.ask(self.world, &mut self.random);
            let pause = Duration::from_millis(self.random.below(400));
            self.world.step(pause)?;
        }
        self.world.replace_removed();
        Ok(())
    }

    fn count(&mut self, fault: &'static str) {
        *self.made.entry(fault).or_default() += 1;
    }

    fn fault(&mut self) -> Result<(), String> {
        let victim = self.random.below(self.world.hosts.len() as u64) as usize;
        let name = self.world.hosts[victim].name;
        if self.plan.disk_decays && self.random.below(4) == 0 {
            self.let_decay();
        }
        if self.plan.disks_fill && self.random.below(2) == 0 {
            return self.fill_disks(victim);
        }
        match self.random.below(9) {
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
                let other = self.world.hosts[(victim + 1) % self.world.hosts.len()].name;
                self.world.sim.partition_oneway(name, other);
            }
            4 if self.plan.clocks_go_wrong() => {
                self.count("clock skew");
                self.wrong_clock(victim)?;
            }
            5 => {
                self.count("late apply");
                self.world.hosts[victim].threads.let_apply_lag(self.random.below(100));
            }
            6 => {
                // Shorter or longer than a leader waits for it.
                self.count("hung disk");
                self.world.hosts[victim].disk.hang(true);
                let silence = Duration::from_millis(self.random.below(5000));
                self.world.step(silence)?;
                self.world.hosts[victim].disk.hang(false);
            }
            7 => {
                self.count("blackout");
                self.blackout(victim)?;
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

    /// Bits flip always on the same machine, so that a majority is undamaged.
    fn let_decay(&mut self) {
        let host = &self.world.hosts[DECAYING];
        host.membership.let_decay();
        if decay(&host.disk, &mut self.random) {
            self.count("decay");
        }
    }

    /// One disk becomes full, or all of them; later, depending on the seed, there is space again.
    fn fill_disks(&mut self, victim: usize) -> Result<(), String> {
        let all = self.random.below(3) == 0;
        self.count(if all { "full disks" } else { "full disk" });
        for (index, host) in self.world.hosts.iter().enumerate() {
            if !all && index != victim {
                continue;
            }
            match self.random.below(3) {
                0 => host.disk.refuse_writes(1 + self.random.below(20)),
                _ => host.disk.leave_room(self.random.below(ROOM_BYTES_MAX)),
            }
        }
        let full = Duration::from_millis(500 + self.random.below(4000));
        self.world.step(full)?;
        if self.random.below(2) == 0 {
            self.make_room();
        }
        Ok(())
    }

    fn make_room(&self) {
        for host in &self.world.hosts {
            host.disk.set_capacity(None);
            host.disk.refuse_writes(0);
        }
    }

    /// The power of all machines is cut at once, and one of them gets no messages for a while
    /// afterwards.
    fn blackout(&mut self, paused: usize) -> Result<(), String> {
        if self.clock_is_behind {
            self.world.record.deadlines.time_is_uncertain();
        }
        for host in 0..self.world.hosts.len() {
            self.world.crash(host, self.random.next());
        }
        self.world.isolate(paused);
        for host in 0..self.world.hosts.len() {
            let name = self.world.hosts[host].name;
            let apart = Duration::from_millis(self.random.below(500));
            self.world.step(apart)?;
            self.world.sim.bounce(name);
        }
        let pause = Duration::from_millis(self.random.below(4000));
        self.world.step(pause)?;
        self.world.repair();
        Ok(())
    }

    /// A step of a second to a year, or a drift. One clock at a time: two are a majority.
    fn wrong_clock(&mut self, victim: usize) -> Result<(), String> {
        self.world.hosts.iter().for_each(|host| host.clock.skew(0));
        // Until the leader has received, or no longer uses, the report of the other one.
        self.world.step(FORGETTING)?;
        self.world.record.deadlines.time_is_certain();
        let clock = &self.world.hosts[victim].clock;
        let sign = if self.random.below(2) == 0 { 1 } else { -1 };
        self.clock_is_behind = sign < 0;
        match self.random.below(5) {
            0 => clock.drift(sign * DRIFT_US),
            size => clock.skew(sign * STEPS_MS[size as usize - 1]),
        }
        Ok(())
    }

    fn heal(&mut self) {
        self.world.repair();
        self.world.cluster.keep_learners(false);
        self.make_room();
        self.world.sim.set_max_message_latency(Duration::from_millis(5));
        for host in &self.world.hosts {
            host.clock.skew(0);
            host.threads.let_apply_lag(0);
        }
    }
}
