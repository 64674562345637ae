//! Three nodes in one process: chaos first, then peace, then the checkers.

use std::collections::BTreeMap;
use std::time::Duration;

use ironkv::consensus::Group;

use crate::faults::Faults;
use crate::host::{Host, NODES};
use crate::random::Random;
use crate::trace::Trace;
use crate::workload::Record;

/// Time to form the cluster, so that faults meet a working one.
pub(crate) const FORMING: Duration = Duration::from_secs(5);

/// Longer than leases, the restart guard and an election.
pub(crate) const LONG: Duration = Duration::from_secs(5);

/// What one simulation gave.
pub(crate) struct Outcome {
    /// All that was sent, asked and answered, and how it ended.
    pub(crate) trace: String,
    pub(crate) returned: usize,
    pub(crate) faults: BTreeMap<&'static str, u32>,
    pub(crate) verdict: Result<(), String>,
}

/// Runs one seed from birth to judgement.
pub(crate) fn simulate(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let mut world = World::new(&mut random);
    let mut faults = Faults::new(&mut world, random);
    let verdict = faults.run();
    let made = faults.made;
    let verdict = verdict.and_then(|()| world.judge());
    let (sent, record) = (world.sent.text(), &world.record);
    Outcome {
        trace: format!("{sent}{}\n{:?}\n{made:?}\n", record.trace(), world.digests()),
        returned: record.returned(),
        faults: made,
        verdict,
    }
}

/// All machines and the network between them.
pub(crate) struct World {
    pub(crate) sim: turmoil::Sim<'static>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) record: Record,
    sent: Trace,
}

impl World {
    /// At its beginning: nothing runs before the first step.
    pub(crate) fn new(random: &mut Random) -> Self {
        ironkv::base::random::seed_this_thread(random.next());
        let mut sim = turmoil::Builder::new()
            .rng_seed(random.next())
            .simulation_duration(Duration::from_secs(3600))
            .tick_duration(Duration::from_millis(1))
            .min_message_latency(Duration::from_micros(100))
            .max_message_latency(Duration::from_millis(5))
            .tcp_capacity(4096)
            .ephemeral_ports(10_000..=65_000)
            .build();
        let (record, sent) = (Record::new(), Trace::default());
        let hosts = NODES.map(|name| Host::new(name, &record, &sent, random.next())).to_vec();
        for host in &hosts {
            let host = host.clone();
            sim.host(host.name, move || {
                let host = host.clone();
                async move { host.live().await.map_err(Into::into) }
            });
        }
        Self { sim, hosts, record, sent }
    }

    /// A cluster of three voters without load.
    ///
    /// # Panics
    /// When a node fails.
    pub(crate) fn calm(seed: u64) -> Self {
        let mut world = Self::new(&mut Random::new(seed));
        world.record.running.set(false);
        world.step(FORMING).expect("a cluster forms");
        world
    }

    /// Lets time pass.
    pub(crate) fn step(&mut self, duration: Duration) -> Result<(), String> {
        let end = self.sim.elapsed() + duration;
        while self.sim.elapsed() < end {
            self.sim.step().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Cuts the power of a machine; `seed` picks what its disk keeps of what was not flushed.
    pub(crate) fn crash(&mut self, host: usize, seed: u64) {
        self.sim.crash(NODES[host]);
        self.hosts[host].disk.crash(seed);
    }

    /// Cuts a machine off from all others.
    pub(crate) fn isolate(&mut self, host: usize) {
        for other in NODES.into_iter().filter(|other| *other != NODES[host]) {
            self.sim.partition(NODES[host], other);
        }
    }

    /// Undoes all cuts.
    pub(crate) fn repair(&mut self) {
        for (index, one) in NODES.into_iter().enumerate() {
            for other in &NODES[index + 1..] {
                self.sim.repair(one, *other);
            }
        }
    }

    /// Lets time pass until a machine's node has answered.
    ///
    /// # Panics
    /// When it does not within a simulated minute.
    pub(crate) fn ask<A: 'static, F: Future<Output = A> + 'static>(
        &mut self,
        host: usize,
        question: impl FnOnce(Group) -> F + 'static,
    ) -> A {
        let answer = self.hosts[host].ask(question);
        let end = self.sim.elapsed() + Duration::from_secs(60);
        loop {
            if let Some(answer) = answer.take() {
                return answer;
            }
            assert!(self.sim.elapsed() < end, "{} does not answer", NODES[host]);
            self.sim.step().expect("no node fails");
        }
    }

    fn digests(&self) -> Vec<Option<String>> {
        self.hosts.iter().map(Host::digest).collect()
    }

    fn judge(&self) -> Result<(), String> {
        self.record.check()?;
        let mut different = self.digests();
        different.dedup();
        if different.len() == 1 && different[0].is_some() {
            return Ok(());
        }
        Err(format!("the nodes do not hold the same: {different:?}"))
    }
}
