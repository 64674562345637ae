//! The node as commands see it. Everything that needs consensus is behind two ports, so that
//! commands do not depend on consensus and tests need no cluster.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::credentials::Credentials;
use crate::base::ids::NodeId;
use crate::base::shutdown::ShutdownSender;
use crate::base::telemetry::Telemetry;
use crate::data::keyspace::KeyspaceLock;
use crate::resp::ReplyError;
use crate::services::cluster::RaftStatus;
use crate::services::sessions::Clients;

/// The parts of a node that commands use.
pub struct NodeServices {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The clients of this node.
    pub clients: Clients,
    /// The configuration of this node.
    pub config: Arc<LiveConfig>,
    /// Certificates and passwords from files.
    pub credentials: Credentials,
    /// The measurements of this node.
    pub telemetry: Arc<Telemetry>,
    /// The cluster.
    pub cluster: Arc<dyn ClusterControl>,
    /// The data.
    pub storage: Arc<dyn StorageControl>,
    /// Stops the process in order.
    pub shutdown: ShutdownSender,
}

/// The cluster: its state, its leader and its parameters.
pub trait ClusterControl: Send + Sync + 'static {
    /// The present state of the group.
    fn status(&self) -> RaftStatus;

    /// Waits until this node has contact to a leader, but no longer than an election may take.
    fn wait_to_hear_leader(&self) -> BoxFuture<'_, ()>;

    /// Waits until every write acknowledged before the call is applied on this node.
    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReplyError>>;

    /// Waits until the goal is reached or its time is over, and returns what has been reached. Does
    /// not wait for a goal without conditions or without time.
    fn wait_flushed(&self, goal: FlushGoal) -> BoxFuture<'_, Flushed>;

    /// Transfers leadership to this voter, or to the one whose log is the most complete.
    fn transfer_leader(&self, to: Option<NodeId>) -> BoxFuture<'_, Result<(), ReplyError>>;

    /// Changes parameters of the cluster through the log, all or none; the values are checked.
    fn change_parameters<'a>(
        &'a self,
        parameters: &'a [(&'a str, &'a [u8])],
    ) -> BoxFuture<'a, Result<(), ReplyError>>;
}

/// The data of this node and its checkpoints.
pub trait StorageControl: Send + Sync + 'static {
    /// The keys, as applied on this node.
    fn keyspace(&self) -> &KeyspaceLock;

    /// The time for reads, Unix milliseconds: never before the time of the last applied entry.
    fn read_time_ms(&self) -> u64;

    /// Writes a checkpoint of everything applied so far and waits until it is durable.
    fn checkpoint_now(&self) -> BoxFuture<'_, Result<(), ReplyError>>;

    /// As [`StorageControl::checkpoint_now`], without waiting; a failure is logged.
    fn begin_checkpoint(&self);

    /// Writes a checkpoint of everything applied so far and continues with what is read from it.
    fn reload(&self) -> BoxFuture<'_, Result<(), ReplyError>>;
}

/// What WAIT and WAITAOF wait for.
#[derive(Debug, Clone, Copy)]
pub struct FlushGoal {
    /// The log up to this index; without one, everything acknowledged before the call.
    pub index: Option<u64>,
    /// Whether it must be on the disk of this node.
    pub here: bool,
    /// How many other voters must have it on disk.
    pub others: u32,
    /// When the wait ends; without it, the wait has no limit.
    pub until: Option<Instant>,
}

/// What has been reached of a [`FlushGoal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Whether the log is on the disk of this node.
    pub here: bool,
    /// How many other voters have it on disk.
    pub others: u32,
}

impl NodeServices {
    /// Whether clients must give a password.
    pub fn asks_for_password(&self) -> bool {
        self.credentials.has_passwords() || !self.config.load().security.requirepass.is_empty()
    }

    /// Whether `guess` is `requirepass` or a password of the file.
    pub fn accepts_password(&self, guess: &[u8]) -> bool {
        let config = self.config.load();
        let secret = &config.security.requirepass;
        let configured = !secret.is_empty() && secret.matches(guess);
        configured | self.credentials.accepts(guess)
    }

    /// Closes clients while all together use more memory than `maxmemory-clients` allows.
    pub fn bound_clients_memory(&self) {
        let limit = self.config.load().limits.clients_memory_max;
        let maxmemory = || self.storage.keyspace().read().settings.maxmemory;
        if let Some(bytes_max) = limit.bytes_max(maxmemory) {
            self.clients.evict_above(bytes_max);
        }
    }

    /// Applies parameters that were changed at run time.
    pub fn config_changed(&self) {
        self.bound_clients_memory();
        let config = self.config.load();
        self.clients.set_limit(config.limits.clients_max as usize);
        self.telemetry.apply(&config.telemetry);
    }
}
