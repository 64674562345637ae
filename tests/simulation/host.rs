//! One simulated machine: the state that survives a crash of its node, and one run of the node.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use ironkv::base::config::{LiveConfig, Sources, load};
use ironkv::base::disk::MemoryDisk;
use ironkv::consensus::Group;
use ironkv::node::{Environment, Node, NodeError, OpenPorts};

use crate::client::SimulatedClient;
use crate::history::deadlines::use_deadlines;
use crate::history::workload::{
    Record, use_everything_once, use_lists, use_long_registers, use_registers,
};
use crate::member::Membership;
use crate::random::Random;
use crate::scenario::environment::{SimulatedClock, SimulatedNet, SimulatedThreads};
use crate::scenario::locks::use_locks;
use crate::trace::Trace;

/// The machines with which a cluster begins.
pub(crate) const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// Machines that may join it.
pub(crate) const SPARES: [&str; 2] = ["n4", "n5"];

/// After this time a supervisor restarts a node whose start failed.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// A task inside the simulated machine, with its group or as a client of it.
type Task<T> = Box<dyn FnOnce(T) -> LocalBoxFuture<'static, ()>>;

/// See the module. Clones are the same machine.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) disk: MemoryDisk,
    pub(crate) clock: SimulatedClock,
    pub(crate) threads: SimulatedThreads,
    pub(crate) membership: Membership,
    record: Record,
    sent: Trace,
    random: Rc<RefCell<Random>>,
    tasks: Rc<RefCell<Vec<Task<Group>>>>,
    clients: Rc<RefCell<Vec<Task<SimulatedClient>>>>,
    /// Its own settings, effective from its next start.
    pub(crate) flags: Rc<RefCell<Vec<(String, String)>>>,
    /// The digest that the node last reported.
    digest: Rc<RefCell<Option<String>>>,
    /// Whether a client of the node has used every key once after the faults.
    pub(crate) used: Rc<Cell<bool>>,
}

impl Host {
    pub(crate) fn new(
        name: &'static str,
        membership: Membership,
        record: &Record,
        sent: &Trace,
        random: u64,
    ) -> Self {
        Self {
            name,
            membership,
            disk: MemoryDisk::new(),
            clock: SimulatedClock::default(),
            threads: SimulatedThreads::default(),
            record: record.clone(),
            sent: sent.clone(),
            random: Rc::new(RefCell::new(Random::new(random))),
            tasks: Rc::default(),
            clients: Rc::default(),
            flags: Rc::default(),
            digest: Rc::default(),
            used: Rc::default(),
        }
    }

    /// A digest of the keys after the faults; `None` when there is none yet.
    pub(crate) fn digest(&self) -> Option<String> {
        self.digest.borrow().clone()
    }

    /// Waits for a new digest.
    pub(crate) fn forget_digest(&self) {
        *self.digest.borrow_mut() = None;
    }

    /// Lets this machine's node answer `question`, now or when it runs again. The answer is
    /// available after the simulation has run for long enough. Questions do not wait for each
    /// other.
    pub(crate) fn ask<A, F>(
        &self,
        question: impl FnOnce(Group) -> F + 'static,
    ) -> Rc<RefCell<Option<A>>>
    where
        A: 'static,
        F: Future<Output = A> + 'static,
    {
        leave(&self.tasks, question)
    }

    /// As [`Host::ask`], with a client of the node.
    pub(crate) fn call<A, F>(
        &self,
        question: impl FnOnce(SimulatedClient) -> F + 'static,
    ) -> Rc<RefCell<Option<A>>>
    where
        A: 'static,
        F: Future<Output = A> + 'static,
    {
        leave(&self.clients, question)
    }

    /// One run of a node: from its start to its crash, or until it is removed. A machine that is
    /// not to be a member runs no node.
    pub(crate) async fn live(&self) -> Result<(), String> {
        if self.membership.is_removed() {
            self.disk.erase();
            self.membership.replace_disk();
        }
        if !self.membership.is_wanted() {
            return Ok(());
        }
        loop {
            match Node::start(self.config(), self.environment()).await {
                Ok(node) => match self.serve(&node).await {
                    Ok(()) => return Ok(()),
                    Err(reason) => return self.end(reason),
                },
                // Only a node without an identity needs disk space to start: its supervisor
                // retries.
                Err(error) if self.membership.node_id().is_none() && lacks_room(&error) => {
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
                Err(error) => return self.end(error.to_string()),
            }
        }
    }

    /// A removed node ends by itself, and so does one with damaged files; every other end fails the
    /// simulation.
    fn end(&self, reason: String) -> Result<(), String> {
        if reason.contains("was removed") {
            self.membership.note_removed();
        } else if reason.contains("damaged") && self.membership.decays() {
            self.membership.note_damaged();
        } else {
            return Err(format!("{}: {reason}", self.name));
        }
        Ok(())
    }

    async fn serve(&self, node: &Node) -> Result<(), String> {
        self.used.set(false);
        let work = async {
            self.membership.enter(node).await;
            self.start_clients(node);
            futures::future::join(self.report(node), self.run_tasks(node)).await;
        };
        tokio::select! {
            ended = node.ended() => ended,
            () = work => Ok(()),
        }
    }

    fn start_clients(&self, node: &Node) {
        let client = || {
            let number = self.random.borrow_mut().next();
            (SimulatedClient::new(node, number), self.record.clone(), Random::new(number))
        };
        let (registers, lists, locks) = (client(), client(), client());
        let (deadlines, everything, long) = (client(), client(), client());
        tokio::task::spawn_local(use_registers(registers.0, registers.1, registers.2));
        tokio::task::spawn_local(use_lists(lists.0, lists.1, lists.2));
        tokio::task::spawn_local(use_locks(locks.0, locks.1, locks.2));
        tokio::task::spawn_local(use_deadlines(deadlines.0, deadlines.1, deadlines.2));
        tokio::task::spawn_local(use_long_registers(long.0, long.1, long.2));
        let used = self.used.clone();
        tokio::task::spawn_local(async move {
            use_everything_once(everything.0, everything.1).await;
            used.set(true);
        });
    }

    /// After the faults: reports the digest of this node's keys repeatedly.
    async fn report(&self, node: &Node) {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if !self.record.running.get() && node.group().read_barrier().await.is_ok() {
                let digest = node.group().keyspace().read().digest();
                *self.digest.borrow_mut() = Some(format!("{digest:02x?}"));
            }
        }
    }

    /// Runs the tasks of [`Host::ask`] as soon as the node runs.
    async fn run_tasks(&self, node: &Node) {
        loop {
            let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
            for task in tasks {
                tokio::task::spawn_local(task(node.group().clone()));
            }
            for task in std::mem::take(&mut *self.clients.borrow_mut()) {
                let number = self.random.borrow_mut().next();
                tokio::task::spawn_local(task(SimulatedClient::new(node, number)));
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
                // So that followers that lag are served from the disk.
                flag("log.cache_bytes", "16384"),
                flag("checkpoint.log_bytes_min", "1048576"),
            ]
            .into_iter()
            .chain(self.flags.borrow().iter().cloned())
            .collect(),
            ..Sources::default()
        };
        let loaded = load(&sources).expect("the settings of the simulation are valid");
        LiveConfig::new(loaded, sources)
    }

    fn environment(&self) -> Environment {
        Environment {
            disk: Arc::new(self.disk.clone()),
            net: Arc::new(SimulatedNet(self.sent.clone())),
            clock: Arc::new(self.clock.clone()),
            threads: Arc::new(self.threads.clone()),
            level: None,
            ports: OpenPorts::Peers,
        }
    }
}

/// Queues a task; its result is stored in the returned answer.
fn leave<T, A, F>(
    tasks: &RefCell<Vec<Task<T>>>,
    question: impl FnOnce(T) -> F + 'static,
) -> Rc<RefCell<Option<A>>>
where
    T: 'static,
    A: 'static,
    F: Future<Output = A> + 'static,
{
    let answer = Rc::new(RefCell::new(None));
    let kept = answer.clone();
    tasks.borrow_mut().push(Box::new(move |subject| {
        Box::pin(async move {
            let answer = question(subject).await;
            *kept.borrow_mut() = Some(answer);
        })
    }));
    answer
}

fn lacks_room(error: &NodeError) -> bool {
    error.to_string().contains("no storage space")
}
