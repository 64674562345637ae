//! The part of a connection that other connections may inspect or end.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU16, AtomicU32, AtomicU64};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use crate::base::ids::{ClientId, DatabaseId};
use crate::resp::Protocol;

/// The client has not run a command yet.
const NO_COMMAND: u16 = u16::MAX;

/// The log index is not known.
const UNKNOWN_INDEX: u64 = u64::MAX;

/// A state of a client or a setting that it has chosen; one bit each.
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

/// The details that a client has set about itself.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// `CLIENT SETNAME`
    pub name: Bytes,
    /// `CLIENT SETINFO lib-name`
    pub library_name: Bytes,
    /// `CLIENT SETINFO lib-ver`
    pub library_version: Bytes,
}

/// The memory of a client and its transaction, as last published by its thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Received and not yet executed.
    pub input_bytes: usize,
    /// Free bytes of the input buffer.
    pub input_free_bytes: usize,
    /// Taken out of the input buffer and being executed.
    pub argument_bytes: usize,
    /// Commands queued by MULTI.
    pub queued: Option<usize>,
    /// Bytes that the commands queued by MULTI take.
    pub queued_bytes: usize,
    /// Watched keys.
    pub watched: usize,
    /// Bytes that they take.
    pub watched_bytes: usize,
    /// Replies not yet written to the socket.
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
    /// Log index of its last write: 0 before the first.
    last_write: AtomicU64,
    active_ms: AtomicU64,
    argument_bytes: AtomicUsize,
    queued: AtomicI32,
    queued_bytes: AtomicUsize,
    watched: AtomicU32,
    watched_bytes: AtomicUsize,
    input_bytes: AtomicUsize,
    input_free_bytes: AtomicUsize,
    output_bytes: AtomicUsize,
    /// Bytes counted for it in the sum of all clients, which [`super::Clients`] keeps.
    pub(super) counted_bytes: AtomicUsize,
    killed: AtomicBool,
    evicted: AtomicBool,
    kill: Notify,
    block: Notify,
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
            last_write: AtomicU64::new(0),
            active_ms: AtomicU64::new(0),
            argument_bytes: AtomicUsize::new(0),
            queued: AtomicI32::new(-1),
            queued_bytes: AtomicUsize::new(0),
            watched: AtomicU32::new(0),
            watched_bytes: AtomicUsize::new(0),
            input_bytes: AtomicUsize::new(0),
            input_free_bytes: AtomicUsize::new(0),
            output_bytes: AtomicUsize::new(0),
            counted_bytes: AtomicUsize::new(0),
            killed: AtomicBool::new(false),
            evicted: AtomicBool::new(false),
            kill: Notify::new(),
            block: Notify::new(),
        }
    }

    /// Its id.
    pub const fn id(&self) -> ClientId {
        self.id
    }

    /// `ip:port` of the client.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the client is on this machine.
    pub fn is_local(&self) -> bool {
        let address = self.address.parse::<std::net::SocketAddr>();
        address.is_ok_and(|address| address.ip().to_canonical().is_loopback())
    }

    /// `ip:port` of the server side.
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

    /// A copy of its details.
    pub fn details(&self) -> Details {
        self.details.lock().clone()
    }

    /// Changes its details.
    pub fn describe(&self, change: impl FnOnce(&mut Details)) {
        change(&mut self.details.lock());
    }

    /// The selected database.
    pub fn database(&self) -> DatabaseId {
        DatabaseId(self.database.load(Relaxed))
    }

    /// The protocol that it uses.
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
            if flag == ClientFlag::Blocked {
                self.block.notify_one();
            }
        } else {
            self.flags.fetch_and(!(flag as u8), Relaxed);
        }
    }

    /// The table position of its last command.
    pub fn last_command(&self) -> Option<u16> {
        Some(self.last_command.load(Relaxed)).filter(|command| *command != NO_COMMAND)
    }

    /// Sets the command that runs.
    pub fn set_last_command(&self, position: u16) {
        self.last_command.store(position, Relaxed);
    }

    /// Records that a write of this client was executed in the entry at this log index; 0 when the
    /// index is not known.
    pub fn note_write(&self, index: u64) {
        self.last_write.store(if index == 0 { UNKNOWN_INDEX } else { index }, Relaxed);
    }

    /// The log index of its last write, 0 before the first; `None` when it is not known.
    pub fn last_write(&self) -> Option<u64> {
        Some(self.last_write.load(Relaxed)).filter(|index| *index != UNKNOWN_INDEX)
    }

    /// Publishes the selected database and protocol.
    pub fn set_mode(&self, database: DatabaseId, protocol: Protocol) {
        self.database.store(database.0, Relaxed);
        self.protocol.store(protocol.number(), Relaxed);
    }

    /// Records that it has sent something now.
    pub fn touch(&self) {
        let age_ms = u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX);
        self.active_ms.store(age_ms, Relaxed);
    }

    /// The memory that it takes.
    pub fn load(&self) -> Load {
        Load {
            input_bytes: self.input_bytes.load(Relaxed),
            input_free_bytes: self.input_free_bytes.load(Relaxed),
            argument_bytes: self.argument_bytes.load(Relaxed),
            queued: usize::try_from(self.queued.load(Relaxed)).ok(),
            queued_bytes: self.queued_bytes.load(Relaxed),
            watched: self.watched.load(Relaxed) as usize,
            watched_bytes: self.watched_bytes.load(Relaxed),
            output_bytes: self.output_bytes.load(Relaxed),
        }
    }

    /// Publishes the memory that it takes.
    pub(super) fn set_load(&self, load: Load) {
        let queued = load.queued.map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX));
        self.queued.store(queued, Relaxed);
        self.argument_bytes.store(load.argument_bytes, Relaxed);
        self.queued_bytes.store(load.queued_bytes, Relaxed);
        self.watched_bytes.store(load.watched_bytes, Relaxed);
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

    /// Ends the connection because all clients together take too much memory.
    pub(super) fn evict(&self) {
        self.evicted.store(true, Relaxed);
        self.kill();
    }

    /// Whether the connection was ended to free memory.
    pub fn is_evicted(&self) -> bool {
        self.evicted.load(Relaxed)
    }

    /// Whether the connection was ended by a command or to free memory.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Waits until a command keeps the connection waiting. Its thread then watches the socket,
    /// because the wait ends when the client closes the connection.
    pub async fn blocked(&self) {
        while !self.has(ClientFlag::Blocked) {
            self.block.notified().await;
        }
    }

    /// Waits until [`Client::is_killed`].
    pub async fn killed(&self) {
        while !self.is_killed() {
            self.kill.notified().await;
        }
    }
}
