//! What commands may ask of the node they run on. The node implements it, so that commands need no
//! consensus and tests need no node.

use futures::future::BoxFuture;
use parking_lot::RwLock;

use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::credentials::Credentials;
use crate::base::ids::NodeId;
use crate::base::telemetry::Telemetry;
use crate::data::keyspace::Keyspace;
use crate::resp::ReplyError;
use crate::services::cluster::RaftStatus;
use crate::services::sessions::Clients;

/// The node as commands see it.
pub trait NodeControl: Send + Sync + 'static {
    /// The clock.
    fn clock(&self) -> &dyn Clock;

    /// The clients of this node.
    fn clients(&self) -> &Clients;

    /// The configuration of this node.
    fn config(&self) -> &LiveConfig;

    /// What this node measures.
    fn telemetry(&self) -> &Telemetry;

    /// What this node was given in files.
    fn credentials(&self) -> &Credentials;

    /// Whether clients must give a password.
    fn asks_for_password(&self) -> bool {
        self.credentials().has_passwords() || !self.config().load().security.requirepass.is_empty()
    }

    /// Whether `guess` is `requirepass` or a password of the file.
    fn accepts_password(&self, guess: &[u8]) -> bool {
        let config = self.config().load();
        let secret = &config.security.requirepass;
        let configured = !secret.is_empty() && secret.matches(guess);
        configured | self.credentials().accepts(guess)
    }

    /// The keys, as applied here.
    fn keyspace(&self) -> &RwLock<Keyspace>;

    /// The time for reads, Unix milliseconds: never before the last applied entry's.
    fn read_time_ms(&self) -> u64;

    /// The group at this moment.
    fn status(&self) -> RaftStatus;

    /// The last log index applied here.
    fn applied_index(&self) -> u64;

    /// How many other nodes hold everything up to this log index on disk.
    fn replicas_with(&self, index: u64) -> u32;

    /// Waits until every write acknowledged before the call is visible in
    /// [`NodeControl::keyspace`].
    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReplyError>>;

    /// Changes a cluster-wide parameter through the log; the value is already checked.
    fn set_parameter<'a>(
        &'a self,
        name: &'a str,
        value: &'a [u8],
    ) -> BoxFuture<'a, Result<(), ReplyError>>;

    /// Writes a checkpoint of everything applied so far and waits until it is durable.
    fn checkpoint_now(&self) -> BoxFuture<'_, Result<(), ReplyError>>;

    /// Writes a checkpoint of everything applied so far and goes on with what is read back from it.
    fn reload(&self) -> BoxFuture<'_, Result<(), ReplyError>>;

    /// As [`NodeControl::checkpoint_now`], without waiting; a failure is logged.
    fn begin_checkpoint(&self);

    /// Hands leadership to this voter, or to the one that has come farthest.
    fn transfer_leader(&self, to: Option<NodeId>) -> BoxFuture<'_, Result<(), ReplyError>>;

    /// Begins an orderly stop of the process.
    fn shut_down(&self);

    /// Takes over parameters that were changed while the node runs.
    fn config_changed(&self) {
        let config = self.config().load();
        self.clients().set_limit(config.limits.clients_max as usize);
        self.telemetry().apply(&config.telemetry);
    }
}
