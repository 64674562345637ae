//! The settings of one connection. Its thread owns them.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::{Client, ClientFlag};
use crate::base::ids::DatabaseId;
use crate::resp::Protocol;

/// Approximate overhead of an allocation, bytes.
const ALLOCATION_BYTES: usize = 24;

/// Which replies are sent (`CLIENT REPLY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// All except the next command's.
    SkipNext,
}

/// A key as it was when `WATCH` ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The database of the key.
    pub database: DatabaseId,
    /// The key.
    pub key: Bytes,
    /// Whether it existed.
    pub existed: bool,
    /// The last log index that was applied.
    pub index: u64,
}

/// The commands that `MULTI` queues.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Commands as sent, names included.
    pub queue: Vec<Vec<Bytes>>,
    /// Bytes that they take, see [`Transaction::bytes_of`].
    pub bytes: usize,
    /// A command was refused while it was to be queued: `EXEC` will abort.
    pub failed: bool,
}

impl Transaction {
    /// Memory that a queued command takes: the contents of its arguments, and the structures of
    /// each argument and of the command.
    pub fn bytes_of(argv: &[Bytes]) -> usize {
        let contents: usize = argv.iter().map(Bytes::len).sum();
        // The queue doubles its capacity when it is full.
        let command = 2 * size_of::<Vec<Bytes>>() + ALLOCATION_BYTES;
        command + contents + argv.len() * (size_of::<Bytes>() + ALLOCATION_BYTES)
    }
}

/// The keys of `WATCH`.
#[derive(Debug, Default)]
pub struct Watches {
    all: Vec<Watch>,
    bytes: usize,
}

impl Watches {
    /// Adds a key.
    pub fn push(&mut self, watch: Watch) {
        self.bytes += 2 * size_of::<Watch>() + ALLOCATION_BYTES + watch.key.len();
        self.all.push(watch);
    }

    /// Removes all keys.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Memory that they take.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Deref for Watches {
    type Target = [Watch];

    fn deref(&self) -> &[Watch] {
        &self.all
    }
}

/// One connection's settings.
#[derive(Debug)]
pub struct Session {
    /// The part that other connections see.
    pub client: Arc<Client>,
    /// `SELECT`
    pub database: DatabaseId,
    /// `HELLO`
    pub protocol: Protocol,
    /// Whether it may run commands that need a password.
    pub authenticated: bool,
    /// `READONLY`: its reads may be stale.
    pub read_only: bool,
    /// `ASKING`: applies to the next command.
    pub asking: bool,
    /// `CLIENT REPLY`
    pub reply_mode: ReplyMode,
    /// Between `MULTI` and `EXEC`.
    pub transaction: Option<Box<Transaction>>,
    /// `WATCH`
    pub watches: Watches,
}

impl Session {
    /// A new connection.
    pub fn new(client: Arc<Client>, authenticated: bool) -> Self {
        Self {
            client,
            database: DatabaseId::default(),
            protocol: Protocol::Resp2,
            authenticated,
            read_only: false,
            asking: false,
            reply_mode: ReplyMode::On,
            transaction: None,
            watches: Watches::default(),
        }
    }

    /// `RESET`: restores the initial settings. `authenticated` is true where no password is needed.
    pub fn reset(&mut self, authenticated: bool) {
        let client = Arc::clone(&self.client);
        client.describe(|details| details.name = Bytes::new());
        for flag in [ClientFlag::ReadOnly, ClientFlag::NoEvict, ClientFlag::NoTouch] {
            client.set(flag, false);
        }
        *self = Self::new(client, authenticated);
        self.publish_mode();
    }

    /// Publishes database and protocol to other connections.
    pub fn publish_mode(&self) {
        self.client.set_mode(self.database, self.protocol);
    }

    /// Sets `READONLY` or `READWRITE`.
    pub fn set_read_only(&mut self, on: bool) {
        self.read_only = on;
        self.client.set(ClientFlag::ReadOnly, on);
    }
}
