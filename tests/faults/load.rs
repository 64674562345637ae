//! All workloads at once on one cluster, and their records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ironkv_tests::clients::session::Session;
use ironkv_tests::cluster::Cluster;
use tokio::task::JoinHandle;

use crate::workloads::{Accounts, Lists, Locks, Registers};

/// How fast a client sends its next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// After some milliseconds, so that a history with many faults stays short.
    Thinking,
    /// At once: some faults are visible only within microseconds.
    FullSpeed,
}

/// What every client of a workload needs.
#[derive(Debug, Clone)]
pub struct Context {
    /// Unique to the run, so that no run sees another's keys.
    pub prefix: String,
    pub pace: Pace,
    addresses: Arc<Vec<String>>,
    operations: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Context {
    /// A context that uses the nodes of the cluster.
    pub fn new(cluster: &Cluster, pace: Pace) -> Self {
        let addresses = cluster.nodes.iter().map(|node| node.resp_address.clone()).collect();
        Self {
            prefix: format!("run{}:", rand::random::<u32>()),
            pace,
            addresses: Arc::new(addresses),
            operations: Arc::default(),
            stop: Arc::default(),
        }
    }

    /// A new client.
    pub fn session(&self) -> Session {
        Session::new(Arc::clone(&self.addresses))
    }

    /// Whether to continue with one more operation.
    pub async fn goes_on(&self) -> bool {
        if self.pace == Pace::Thinking {
            tokio::time::sleep(Duration::from_millis(rand::random_range(2..20))).await;
        }
        self.operations.fetch_add(1, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }

    /// Operations begun so far, by all clients.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Ends the loops of all clients.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    context: Context,
    recorded: Recorded,
    clients: Vec<JoinHandle<()>>,
}

/// The records of the clients.
#[derive(Debug, Clone)]
pub struct Recorded {
    registers: Registers,
    locks: Locks,
    lists: Lists,
    accounts: Accounts,
}

impl Load {
    /// Starts all clients; they run until [`Load::finish`].
    pub fn start(cluster: &Cluster, how_long: Duration) -> Self {
        let context = Context::new(cluster, Pace::Thinking);
        let recorded = Recorded {
            registers: Registers::new(&context, how_long),
            locks: Locks::new(&context, how_long),
            lists: Lists::new(&context),
            accounts: Accounts::new(&context),
        };
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(tokio::spawn(recorded.registers.clone().run()));
            clients.push(tokio::spawn(recorded.lists.clone().run()));
        }
        for _ in 0..3 {
            clients.push(tokio::spawn(recorded.locks.clone().run()));
        }
        for _ in 0..2 {
            clients.push(tokio::spawn(recorded.accounts.clone().add_to_set()));
            clients.push(tokio::spawn(recorded.accounts.clone().count()));
            clients.push(tokio::spawn(recorded.accounts.clone().queue()));
        }
        Self { context, recorded, clients }
    }

    /// Stops the clients and reads the final state.
    pub async fn finish(self, cluster: &mut Cluster) -> Recorded {
        self.context.stop();
        for client in self.clients {
            client.await.expect("a client of the load panicked");
        }
        let mut client = cluster.leader_client().await;
        self.recorded.accounts.read_the_end(&mut client).await;
        self.recorded
    }
}

impl Recorded {
    /// Runs every checker.
    pub fn check(&self) {
        self.registers.check();
        self.locks.check();
        self.lists.check();
        self.accounts.check();
    }
}
