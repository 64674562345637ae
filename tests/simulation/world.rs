//! Three nodes in one process: first with faults, then without, then the checkers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use ironkv::consensus::Group;

use crate::client::SimulatedClient;
use crate::history::workload::Record;
use crate::host::{Host, NODES};
use crate::member::{Cluster, Membership};
use crate::nemesis::faults::Faults;
use crate::nemesis::plan::Plan;
use crate::random::Random;
use crate::trace::Trace;

/// Time to form the cluster, so that faults meet a working one.
pub(crate) const FORMING: Duration = Duration::from_secs(5);

/// Longer than leases, the restart guard and an election.
pub(crate) const LONG: Duration = Duration::from_secs(5);

/// Longer than the time between two digests of a node, and than a request for them.
const DIGESTING: Duration = Duration::from_secs(2);
/// The name of a machine that runs on a copy of another one's disk.
const COPY: &str = "n4";

/// The result of one simulation.
pub(crate) struct Outcome {
    /// Everything that was sent, requested and answered, and how it ended.
    pub(crate) trace: String,
    pub(crate) returned: usize,
    pub(crate) faults: BTreeMap<&'static str, u32>,
    pub(crate) verdict: Result<(), String>,
}

/// Runs one seed from the start to the checks.
pub(crate) fn simulate(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let plan = Plan::of(seed);
    let mut world = World::with_spares(&mut random, plan.spares());
    world.prepare(plan);
    let mut faults = Faults::new(&mut world, random, plan);
    let verdict = faults.run();
    let made = faults.made();
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
    pub(crate) cluster: Cluster,
    sent: Trace,
}

impl World {
    /// Before the start: nothing runs before the first step.
    pub(crate) fn new(random: &mut Random) -> Self {
        Self::with_spares(random, &[])
    }

    /// The same with more machines, whose nodes are not members yet.
    pub(crate) fn with_spares(random: &mut Random, spares: &[&'static str]) -> Self {
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
        let (record, sent, cluster) = (Record::new(), Trace::default(), Cluster::default());
        let names: Vec<_> = NODES.iter().chain(spares).copied().collect();
        let host = |name: &&'static str| {
            let others = names.iter().filter(|other| *other != name);
            let seeds = others.map(|other| format!("{other}:6380")).collect();
            let wanted = NODES.contains(name);
            let membership = Membership::new(&cluster, seeds, *name == NODES[0], wanted);
            Host::new(name, membership, &record, &sent, random.next())
        };
        let hosts: Vec<_> = names.iter().map(host).collect();
        for host in &hosts {
            start(&mut sim, host.clone());
        }
        Self { sim, hosts, record, cluster, sent }
    }

    fn prepare(&self, plan: Plan) {
        self.record.writes_much.set(plan.disks_fill);
        for (key, value) in plan.flags() {
            self.set_flag(key, value);
        }
    }

    /// A setting of all nodes, effective from their next start.
    pub(crate) fn set_flag(&self, key: &str, value: &str) {
        for host in &self.hosts {
            host.flags.borrow_mut().push((key.to_owned(), value.to_owned()));
        }
    }

    /// Starts another machine on a copy of the disk of one; returns its number.
    pub(crate) fn start_copy(&mut self, of: usize) -> usize {
        let membership = Membership::new(&self.cluster, Vec::new(), false, true);
        let mut host = Host::new(COPY, membership, &self.record, &self.sent, 0);
        host.disk = self.hosts[of].disk.copy();
        start(&mut self.sim, host.clone());
        self.hosts.push(host);
        self.hosts.len() - 1
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

    /// Lets simulated time pass.
    pub(crate) fn step(&mut self, duration: Duration) -> Result<(), String> {
        let end = self.sim.elapsed() + duration;
        while self.sim.elapsed() < end {
            self.sim.step().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Cuts the power of a machine; `seed` chooses what remains of unflushed data.
    pub(crate) fn crash(&mut self, host: usize, seed: u64) {
        self.sim.crash(self.hosts[host].name);
        self.hosts[host].disk.crash(seed);
    }

    /// Isolates a machine from all others.
    pub(crate) fn isolate(&mut self, host: usize) {
        let name = self.hosts[host].name;
        for other in self.hosts.iter().filter(|other| other.name != name) {
            self.sim.partition(name, other.name);
        }
    }

    /// Removes all cuts.
    pub(crate) fn repair(&mut self) {
        for (index, one) in self.hosts.iter().enumerate() {
            for other in &self.hosts[index + 1..] {
                self.sim.repair(one.name, other.name);
            }
        }
    }

    /// Lets a machine that is not a member become one, if there is such a machine.
    pub(crate) fn want_another(&mut self) {
        let idle = self.hosts.iter().find(|host| !host.membership.is_wanted());
        if let Some(host) = idle {
            host.membership.want(true);
            self.sim.bounce(host.name);
        }
    }

    /// Machines whose nodes were removed and that should be members get an empty disk and join
    /// again.
    pub(crate) fn replace_removed(&mut self) {
        for host in &self.hosts {
            if host.membership.is_removed() && host.membership.is_wanted() {
                self.sim.bounce(host.name);
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
        self.wait_for(host, &answer)
    }

    /// Lets time pass until a client of a machine's node has done something.
    ///
    /// # Panics
    /// When it does not within a simulated minute.
    pub(crate) fn call<A: 'static, F: Future<Output = A> + 'static>(
        &mut self,
        host: usize,
        question: impl FnOnce(SimulatedClient) -> F + 'static,
    ) -> A {
        let answer = self.hosts[host].call(question);
        self.wait_for(host, &answer)
    }

    fn wait_for<A>(&mut self, host: usize, answer: &RefCell<Option<A>>) -> A {
        let end = self.sim.elapsed() + Duration::from_secs(60);
        loop {
            if let Some(answer) = answer.take() {
                return answer;
            }
            assert!(self.sim.elapsed() < end, "{} does not answer", self.hosts[host].name);
            self.sim.step().expect("no node fails");
        }
    }

    /// The machine whose node leads.
    ///
    /// # Panics
    /// When none does.
    pub(crate) fn leader(&mut self) -> usize {
        self.leader_of(&[0, 1, 2])
    }

    /// Of these machines the one whose node leads.
    ///
    /// # Panics
    /// When none does.
    pub(crate) fn leader_of(&mut self, hosts: &[usize]) -> usize {
        let mut leads = |host: &&usize| self.ask(**host, async |group| group.is_leader());
        *hosts.iter().find(&mut leads).expect("a node leads")
    }

    fn digests(&self) -> Vec<Option<String>> {
        self.hosts.iter().map(Host::digest).collect()
    }

    /// Lets time pass until members have reported new digests.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        self.replace_removed();
        self.hosts.iter().for_each(Host::forget_digest);
        self.step(DIGESTING)
    }

    fn members(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.membership.is_wanted())
    }

    /// Whether every member has served every key and all have equal data.
    pub(crate) fn is_whole(&self) -> bool {
        self.members().all(|host| host.used.get()) && self.difference().is_none()
    }

    /// The digests of members if they differ.
    fn difference(&self) -> Option<Vec<Option<String>>> {
        let all: Vec<_> = self.members().map(Host::digest).collect();
        let same = all.iter().all(|digest| digest.is_some() && *digest == all[0]);
        (!same).then_some(all)
    }

    fn judge(&self) -> Result<(), String> {
        self.record.check()?;
        if self.record.deadlines.expired() == 0 {
            return Err("no key was seen to expire".to_owned());
        }
        if let Some(host) = self.members().find(|host| !host.used.get()) {
            return Err(format!("{} does not serve every key again", host.name));
        }
        match self.difference() {
            None => Ok(()),
            Some(different) => Err(format!("the nodes do not hold the same: {different:?}")),
        }
    }
}

fn start(sim: &mut turmoil::Sim<'static>, host: Host) {
    sim.host(host.name, move || {
        let host = host.clone();
        async move { host.live().await.map_err(Into::into) }
    });
}
