//! Three nodes in one process: chaos first, then peace, then the checkers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ironkv::base::config::{LiveConfig, Sources, load};
use ironkv::base::disk::MemoryDisk;
use ironkv::base::ids::NodeId;
use ironkv::consensus::{Change, Expected};
use ironkv::node::{Doors, Node, Surroundings};

use crate::client::SimulatedClient;
use crate::doors::{SimulatedClock, SimulatedNet, SimulatedThreads};
use crate::random::Random;
use crate::workload::{Record, use_lists, use_registers};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
const CHAOS: Duration = Duration::from_secs(12);
const HEALING: Duration = Duration::from_secs(10);
const CLIENTS_PER_NODE: u64 = 1;

/// What one simulation gave.
pub(crate) struct Outcome {
    pub(crate) trace: String,
    pub(crate) returned: usize,
    pub(crate) faults: BTreeMap<&'static str, u32>,
    pub(crate) verdict: Result<(), String>,
}

/// What outlives a crash of a node, and what all nodes share.
#[derive(Clone)]
struct Host {
    name: &'static str,
    disk: MemoryDisk,
    clock: SimulatedClock,
    record: Record,
    random: Rc<RefCell<Random>>,
    digests: Rc<RefCell<BTreeMap<&'static str, String>>>,
    starts: Rc<Cell<u64>>,
}

/// Runs one seed from birth to judgement.
pub(crate) fn simulate(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
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
    let record = Record::new();
    let digests = Rc::new(RefCell::new(BTreeMap::new()));
    let hosts: Vec<Host> = NODES
        .into_iter()
        .map(|name| Host {
            name,
            disk: MemoryDisk::new(),
            clock: SimulatedClock::default(),
            record: record.clone(),
            random: Rc::new(RefCell::new(Random::new(random.next()))),
            digests: digests.clone(),
            starts: Rc::default(),
        })
        .collect();
    for host in &hosts {
        let host = host.clone();
        sim.host(host.name, move || {
            let host = host.clone();
            async move { host.live().await.map_err(Into::into) }
        });
    }
    let mut faults = Faults { sim: &mut sim, hosts: &hosts, random, made: BTreeMap::new() };
    let verdict = faults.run(&record).and_then(|()| judge(&record, &digests.borrow()));
    let made = faults.made;
    let digests = digests.borrow();
    Outcome {
        trace: format!("{}\n{digests:?}\n{made:?}", record.trace()),
        returned: record.returned(),
        faults: made,
        verdict,
    }
}

fn judge(record: &Record, digests: &BTreeMap<&str, String>) -> Result<(), String> {
    record.check()?;
    let mut different: Vec<_> = digests.values().collect();
    different.dedup();
    if digests.len() != NODES.len() || different.len() != 1 {
        return Err(format!("the nodes do not hold the same: {digests:?}"));
    }
    Ok(())
}

impl Host {
    /// One life of a node: from its start to its crash.
    async fn live(&self) -> Result<(), String> {
        self.starts.set(self.starts.get() + 1);
        let node = Node::start(self.config(), self.surroundings())
            .await
            .map_err(|error| format!("{}: {error}", self.name))?;
        self.join_cluster(&node).await;
        for _ in 0..CLIENTS_PER_NODE {
            for lists in [false, true] {
                let number = self.random.borrow_mut().next();
                let client = SimulatedClient::new(&node, number);
                let (record, random) = (self.record.clone(), Random::new(number));
                if lists {
                    tokio::task::spawn_local(use_lists(client, record, random));
                } else {
                    tokio::task::spawn_local(use_registers(client, record, random));
                }
            }
        }
        tokio::select! {
            ended = node.ended() => ended.map_err(|error| format!("{}: {error}", self.name)),
            () = self.report(&node) => Ok(()),
        }
    }

    /// The first node begins the cluster; the others join and are promoted.
    async fn join_cluster(&self, node: &Node) {
        let group = node.group();
        if group.identity().is_none() {
            if self.name == NODES[0] {
                group.init(None).await.expect("an empty node can begin a cluster");
            } else {
                let seeds = [format!("{}:6380", NODES[0])];
                while group.join(&seeds, None).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        if self.name == NODES[0] {
            return;
        }
        let Some(own) = group.identity().map(|identity| identity.node_id) else { return };
        let group = group.clone();
        // Goes on beside the clients: a learner serves too.
        tokio::task::spawn_local(async move {
            while !is_voter(&group, own) {
                let _ = group.change(Change::Promote(own), Expected::Any, false).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
    }

    /// Once the chaos is over: says what this node holds, again and again.
    async fn report(&self, node: &Node) {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if !self.record.running.get() && node.group().read_barrier().await.is_ok() {
                let digest = node.group().keyspace().read().digest();
                self.digests.borrow_mut().insert(self.name, format!("{digest:02x?}"));
            }
        }
    }

    fn config(&self) -> Arc<LiveConfig> {
        let flag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let sources = Sources {
            flags: vec![
                flag("data.directory", "/data"),
                flag("listen.grpc_host", self.name),
                flag("advertise.host", self.name),
                flag("log.segment_bytes", "1048576"),
                flag("checkpoint.log_bytes_min", "1048576"),
            ],
            ..Sources::default()
        };
        let loaded = load(&sources).expect("the settings of the simulation are valid");
        LiveConfig::new(loaded, sources)
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            disk: Arc::new(self.disk.clone()),
            net: Arc::new(SimulatedNet),
            clock: Arc::new(self.clock.clone()),
            threads: Arc::new(SimulatedThreads),
            level: None,
            doors: Doors::Peers,
        }
    }
}

fn is_voter(group: &ironkv::consensus::Group, id: NodeId) -> bool {
    use ironkv::services::cluster::MemberRole;
    let status = group.status();
    status.members.iter().any(|member| member.node_id == id && member.role == MemberRole::Voter)
}

/// The nemesis.
struct Faults<'a, 'sim> {
    sim: &'a mut turmoil::Sim<'sim>,
    hosts: &'a [Host],
    random: Random,
    made: BTreeMap<&'static str, u32>,
}

impl Faults<'_, '_> {
    fn run(&mut self, record: &Record) -> Result<(), String> {
        // Time to form the cluster, so that faults meet a working one.
        self.step(Duration::from_secs(5))?;
        let end = self.sim.elapsed() + CHAOS;
        while self.sim.elapsed() < end {
            self.fault()?;
            let pause = Duration::from_millis(200 + self.random.below(2500));
            self.step(pause)?;
        }
        self.heal();
        record.running.set(false);
        self.step(HEALING)
    }

    fn step(&mut self, duration: Duration) -> Result<(), String> {
        let end = self.sim.elapsed() + duration;
        while self.sim.elapsed() < end {
            self.sim.step().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn count(&mut self, fault: &'static str) {
        *self.made.entry(fault).or_default() += 1;
    }

    fn any(&mut self) -> usize {
        self.random.below(self.hosts.len() as u64) as usize
    }

    fn fault(&mut self) -> Result<(), String> {
        let victim = self.any();
        let name = self.hosts[victim].name;
        match self.random.below(6) {
            0 | 1 => {
                self.count("crash");
                self.sim.crash(name);
                self.hosts[victim].disk.crash(self.random.next());
                let down = Duration::from_millis(self.random.below(3000));
                self.step(down)?;
                self.sim.bounce(name);
            }
            2 => {
                self.count("isolation");
                for other in NODES.into_iter().filter(|other| *other != name) {
                    self.sim.partition(name, other);
                }
            }
            3 => {
                self.count("one-way cut");
                let other = NODES[(victim + 1) % NODES.len()];
                self.sim.partition_oneway(name, other);
            }
            4 => {
                self.count("clock skew");
                let ms = self.random.below(20_000) as i64 - 10_000;
                self.hosts[victim].clock.skew(ms);
            }
            _ => {
                self.count("slow network");
                let latency = Duration::from_millis(5 + self.random.below(60));
                self.sim.set_max_message_latency(latency);
            }
        }
        if self.random.below(2) == 0 {
            self.repair();
        }
        Ok(())
    }

    fn repair(&mut self) {
        for (index, one) in NODES.into_iter().enumerate() {
            for other in &NODES[index + 1..] {
                self.sim.repair(one, *other);
            }
        }
    }

    fn heal(&mut self) {
        self.repair();
        self.sim.set_max_message_latency(Duration::from_millis(5));
        for host in self.hosts {
            host.clock.skew(0);
        }
    }
}

/// Where a failing seed leaves its trace.
pub(crate) fn trace_file(seed: u64) -> PathBuf {
    std::env::temp_dir().join(format!("ironkv-simulation-{seed}.txt"))
}
