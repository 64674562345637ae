//! One simulated machine: what outlives a crash of its node, and one life of the node.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use ironkv::base::config::{LiveConfig, Sources, load};
use ironkv::base::disk::MemoryDisk;
use ironkv::base::ids::NodeId;
use ironkv::consensus::{Change, Expected, Group};
use ironkv::node::{Doors, Node, Surroundings};

use crate::client::SimulatedClient;
use crate::doors::{SimulatedClock, SimulatedNet, SimulatedThreads};
use crate::locks::use_locks;
use crate::random::Random;
use crate::trace::Trace;
use crate::workload::{Record, use_lists, use_registers};

/// The names of all machines.
pub(crate) const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// Something to do with a group, inside the simulated machine.
type Errand = Box<dyn FnOnce(Group) -> LocalBoxFuture<'static, ()>>;

/// See the module. Clones are the same machine.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) disk: MemoryDisk,
    pub(crate) clock: SimulatedClock,
    record: Record,
    sent: Trace,
    random: Rc<RefCell<Random>>,
    errands: Rc<RefCell<Vec<Errand>>>,
    /// What the node held when it was last asked.
    digest: Rc<RefCell<Option<String>>>,
}

impl Host {
    pub(crate) fn new(name: &'static str, record: &Record, sent: &Trace, random: u64) -> Self {
        Self {
            name,
            disk: MemoryDisk::new(),
            clock: SimulatedClock::default(),
            record: record.clone(),
            sent: sent.clone(),
            random: Rc::new(RefCell::new(Random::new(random))),
            errands: Rc::default(),
            digest: Rc::default(),
        }
    }

    /// A digest of the keys after the chaos; `None` when the node did not get so far.
    pub(crate) fn digest(&self) -> Option<String> {
        self.digest.borrow().clone()
    }

    /// Has `question` answered by this machine's node, now or when it runs again. The answer is
    /// there once the simulation has gone on for long enough.
    pub(crate) fn ask<A, F>(
        &self,
        question: impl FnOnce(Group) -> F + 'static,
    ) -> Rc<RefCell<Option<A>>>
    where
        A: 'static,
        F: Future<Output = A> + 'static,
    {
        let answer = Rc::new(RefCell::new(None));
        let kept = answer.clone();
        self.errands.borrow_mut().push(Box::new(move |group| {
            Box::pin(async move {
                let answer = question(group).await;
                *kept.borrow_mut() = Some(answer);
            })
        }));
        answer
    }

    /// One life of a node: from its start to its crash.
    pub(crate) async fn live(&self) -> Result<(), String> {
        let node = Node::start(self.config(), self.surroundings())
            .await
            .map_err(|error| format!("{}: {error}", self.name))?;
        self.join_cluster(&node).await;
        let client = || {
            let number = self.random.borrow_mut().next();
            (SimulatedClient::new(&node, number), self.record.clone(), Random::new(number))
        };
        let (registers, lists, locks) = (client(), client(), client());
        tokio::task::spawn_local(use_registers(registers.0, registers.1, registers.2));
        tokio::task::spawn_local(use_lists(lists.0, lists.1, lists.2));
        tokio::task::spawn_local(use_locks(locks.0, locks.1, locks.2));
        let doing = futures::future::join(self.report(&node), self.run_errands(&node));
        tokio::select! {
            ended = node.ended() => ended.map_err(|error| format!("{}: {error}", self.name)),
            _ = doing => Ok(()),
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
                *self.digest.borrow_mut() = Some(format!("{digest:02x?}"));
            }
        }
    }

    /// Does what [`Host::ask`] is asked, as soon as the node runs.
    async fn run_errands(&self, node: &Node) {
        loop {
            let errands = std::mem::take(&mut *self.errands.borrow_mut());
            for errand in errands {
                errand(node.group().clone()).await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
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
            net: Arc::new(SimulatedNet(self.sent.clone())),
            clock: Arc::new(self.clock.clone()),
            threads: Arc::new(SimulatedThreads),
            level: None,
            doors: Doors::Peers,
        }
    }
}

fn is_voter(group: &Group, id: NodeId) -> bool {
    use ironkv::services::cluster::MemberRole;
    let status = group.status();
    status.members.iter().any(|member| member.node_id == id && member.role == MemberRole::Voter)
}
