//! The part of a connection that other connections may look at or end.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU16, AtomicU32, AtomicU64};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use crate::base::ids::{ClientId, DatabaseId};
use crate::resp::Protocol;

/// No command has run yet.
const NO_COMMAND: u16 = u16::MAX;

/// Something a client is or has asked for; one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFlag {
    /// `READONLY`
    ReadOnly = 1,
    /// `CLIENT NO-EVICT on`
    NoEvict = 1 << 1,
    /// `CLIENT NO-TOUCH on`
    NoTouch = 1 << 2,
    /// Closes after its replies are sent.
    Closing = 1 << 3,
    /// Waits in a blocking command, or for the end of `CLIENT PAUSE`.
    Blocked = 1 << 4,
}

/// What a client says about itself.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// `CLIENT SETNAME`
    pub name: Bytes,
    /// `CLIENT SETINFO lib-name`
    pub library_name: Bytes,
    /// `CLIENT SETINFO lib-ver`
    pub library_version: Bytes,
}

/// Bytes held for a client and its state in a transaction, as last published by its thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Received and not yet executed.
    pub input_bytes: usize,
    /// Room left in the input buffer.
    pub input_free_bytes: usize,
    /// Commands queued by MULTI.
    pub queued: Option<usize>,
    /// Bytes of the commands queued by MULTI.
    pub queued_bytes: usize,
    /// Watched keys.
    pub watched: usize,
    /// Replies not yet taken by the socket.
    pub output_bytes: usize,
}

/// One connected client.
#[derive(Debug)]
pub struct Client {
    id: ClientId,
    address: String,
    local_address: String,
    created: Instant,
    details: Mutex<Details>,
    database: AtomicU8,
    protocol: AtomicU8,
    flags: AtomicU8,
    last_command: AtomicU16,
    active_ms: AtomicU64,
    queued: AtomicI32,
    queued_bytes: AtomicUsize,
    watched: AtomicU32,
    input_bytes: AtomicUsize,
    input_free_bytes: AtomicUsize,
    output_bytes: AtomicUsize,
    killed: AtomicBool,
    kill: Notify,
}

impl Client {
    /// A client that has just connected.
    pub fn new(id: ClientId, address: String, local_address: String) -> Self {
        Self {
            id,
            address,
            local_address,
            created: Instant::now(),
            details: Mutex::default(),
            database: AtomicU8::new(0),
            protocol: AtomicU8::new(2),
            flags: AtomicU8::new(0),
            last_command: AtomicU16::new(NO_COMMAND),
            active_ms: AtomicU64::new(0),
            queued: AtomicI32::new(-1),
            queued_bytes: AtomicUsize::new(0),
            watched: AtomicU32::new(0),
            input_bytes: AtomicUsize::new(0),
            input_free_bytes: AtomicUsize::new(0),
            output_bytes: AtomicUsize::new(0),
            killed: AtomicBool::new(false),
            kill: Notify::new(),
        }
    }

    /// Its number.
    pub const fn id(&self) -> ClientId {
        self.id
    }

    /// `ip:port` of the other end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the other end is on this machine.
    pub fn is_local(&self) -> bool {
        let address = self.address.parse::<std::net::SocketAddr>();
        address.is_ok_and(|address| address.ip().to_canonical().is_loopback())
    }

    /// `ip:port` of our end.
    pub fn local_address(&self) -> &str {
        &self.local_address
    }

    /// How long it has been connected.
    pub fn age(&self) -> Duration {
        self.created.elapsed()
    }

    /// How long it has sent nothing.
    pub fn idle(&self) -> Duration {
        self.age().saturating_sub(Duration::from_millis(self.active_ms.load(Relaxed)))
    }

    /// A copy of what it says about itself.
    pub fn details(&self) -> Details {
        self.details.lock().clone()
    }

    /// Changes what it says about itself.
    pub fn describe(&self, change: impl FnOnce(&mut Details)) {
        change(&mut self.details.lock());
    }

    /// The selected database.
    pub fn database(&self) -> DatabaseId {
        DatabaseId(self.database.load(Relaxed))
    }

    /// The protocol it speaks.
    pub fn protocol(&self) -> Protocol {
        if self.protocol.load(Relaxed) == 3 { Protocol::Resp3 } else { Protocol::Resp2 }
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: ClientFlag) -> bool {
        self.flags.load(Relaxed) & flag as u8 != 0
    }

    /// Sets or clears a flag.
    pub fn set(&self, flag: ClientFlag, on: bool) {
        if on {
            self.flags.fetch_or(flag as u8, Relaxed);
        } else {
            self.flags.fetch_and(!(flag as u8), Relaxed);
        }
    }

    /// The table position of its last command.
    pub fn last_command(&self) -> Option<u16> {
        Some(self.last_command.load(Relaxed)).filter(|command| *command != NO_COMMAND)
    }

    /// Says which command runs.
    pub fn set_last_command(&self, position: u16) {
        self.last_command.store(position, Relaxed);
    }

    /// Publishes the selected database and protocol.
    pub fn set_mode(&self, database: DatabaseId, protocol: Protocol) {
        self.database.store(database.0, Relaxed);
        self.protocol.store(protocol.number(), Relaxed);
    }

    /// Says that it has sent something now.
    pub fn touch(&self) {
        let age_ms = u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX);
        self.active_ms.store(age_ms, Relaxed);
    }

    /// What is held for it.
    pub fn load(&self) -> Load {
        Load {
            input_bytes: self.input_bytes.load(Relaxed),
            input_free_bytes: self.input_free_bytes.load(Relaxed),
            queued: usize::try_from(self.queued.load(Relaxed)).ok(),
            queued_bytes: self.queued_bytes.load(Relaxed),
            watched: self.watched.load(Relaxed) as usize,
            output_bytes: self.output_bytes.load(Relaxed),
        }
    }

    /// Publishes what is held for it.
    pub fn set_load(&self, load: Load) {
        let queued = load.queued.map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX));
        self.queued.store(queued, Relaxed);
        self.queued_bytes.store(load.queued_bytes, Relaxed);
        self.watched.store(u32::try_from(load.watched).unwrap_or(u32::MAX), Relaxed);
        self.input_bytes.store(load.input_bytes, Relaxed);
        self.input_free_bytes.store(load.input_free_bytes, Relaxed);
        self.output_bytes.store(load.output_bytes, Relaxed);
    }

    /// Ends the connection as soon as its thread sees it.
    pub fn kill(&self) {
        self.killed.store(true, Relaxed);
        self.kill.notify_one();
    }

    /// Whether somebody ended the connection.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Waits until somebody ends the connection.
    pub async fn killed(&self) {
        while !self.is_killed() {
            self.kill.notified().await;
        }
    }
}
