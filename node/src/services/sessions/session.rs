//! What one connection has set up for itself. Owned by its thread.

use std::sync::Arc;

use bytes::Bytes;

use super::{Client, ClientFlag};
use crate::base::ids::DatabaseId;
use crate::resp::Protocol;

/// Which replies are sent (`CLIENT REPLY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// All but the next command's.
    SkipNext,
}

/// A key as it was when `WATCH` ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Where.
    pub database: DatabaseId,
    /// Which key.
    pub key: Bytes,
    /// Whether it was live.
    pub existed: bool,
    /// The log index that had been applied.
    pub index: u64,
}

/// What `MULTI` collects.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Commands as sent, names included.
    pub queue: Vec<Vec<Bytes>>,
    /// Their bytes.
    pub bytes: usize,
    /// A command was refused while queueing: `EXEC` will abort.
    pub failed: bool,
}

/// One connection's settings.
#[derive(Debug)]
pub struct Session {
    /// The part that others see.
    pub client: Arc<Client>,
    /// `SELECT`
    pub database: DatabaseId,
    /// `HELLO`
    pub protocol: Protocol,
    /// Whether it may run any command.
    pub authenticated: bool,
    /// `READONLY`: its reads may be stale.
    pub read_only: bool,
    /// `ASKING`: holds for the next command.
    pub asking: bool,
    /// `CLIENT REPLY`
    pub reply_mode: ReplyMode,
    /// Between `MULTI` and `EXEC`.
    pub transaction: Option<Box<Transaction>>,
    /// `WATCH`
    pub watches: Vec<Watch>,
}

impl Session {
    /// A connection as it starts.
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
            watches: Vec::new(),
        }
    }

    /// `RESET`: as it started; `authenticated` says whether no password is asked for.
    pub fn reset(&mut self, authenticated: bool) {
        let client = Arc::clone(&self.client);
        client.describe(|details| details.name = Bytes::new());
        for flag in [ClientFlag::ReadOnly, ClientFlag::NoEvict, ClientFlag::NoTouch] {
            client.set(flag, false);
        }
        *self = Self::new(client, authenticated);
        self.publish_mode();
    }

    /// Shows database and protocol to others.
    pub fn publish_mode(&self) {
        self.client.set_mode(self.database, self.protocol);
    }

    /// Sets `READONLY` or `READWRITE`.
    pub fn set_read_only(&mut self, on: bool) {
        self.read_only = on;
        self.client.set(ClientFlag::ReadOnly, on);
    }
}
