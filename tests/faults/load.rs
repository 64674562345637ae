//! Every workload at once on one cluster, and what they recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use ironkv_tests::session::Session;
use tokio::task::JoinHandle;

use crate::workloads::{Accounts, Lists, Locks, Registers};

/// What every client of a workload needs.
#[derive(Debug, Clone)]
pub struct Context {
    /// Unique to the run, so that no run sees another's keys.
    pub prefix: String,
    addresses: Arc<Vec<String>>,
    stop: Arc<AtomicBool>,
}

impl Context {
    /// A context that talks to the cluster's nodes.
    pub fn new(cluster: &Cluster) -> Self {
        let addresses = cluster.nodes.iter().map(|node| node.resp_address.clone()).collect();
        Self {
            prefix: format!("run{}:", rand::random::<u32>()),
            addresses: Arc::new(addresses),
            stop: Arc::default(),
        }
    }

    /// A client of its own.
    pub fn session(&self) -> Session {
        Session::new(Arc::clone(&self.addresses))
    }

    /// Whether to go on, after a moment of thought.
    pub async fn goes_on(&self) -> bool {
        tokio::time::sleep(Duration::from_millis(rand::random_range(2..20))).await;
        !self.stop.load(Ordering::Relaxed)
    }

    /// Ends the loops of all clients.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A load that runs.
#[derive(Debug)]
pub struct Load {
    context: Context,
    recorded: Recorded,
    clients: Vec<JoinHandle<()>>,
}

/// What the clients recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    registers: Registers,
    locks: Locks,
    lists: Lists,
    accounts: Accounts,
}

impl Load {
    /// Starts all clients; they go on until [`Load::finish`].
    pub fn start(cluster: &Cluster, how_long: Duration) -> Self {
        let context = Context::new(cluster);
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

    /// Stops the clients and reads what is left at the end.
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
