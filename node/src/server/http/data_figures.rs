//! Figures of the keyspace for `/metrics` and `/v1/status`.

use std::time::Duration;

use crate::commands::run::NodeServices;

/// How long a request for figures waits for a long command; it then gets the figures of before.
const LOCK_WAIT_MAX: Duration = Duration::from_millis(100);

/// Sizes of the keyspace.
#[derive(Debug, Clone, Default)]
pub(super) struct DataFigures {
    /// Bytes of keys and values.
    pub(super) bytes: u64,
    /// The limit of these bytes; 0 for no limit.
    pub(super) maxmemory: u64,
    /// Name, keys and keys with a deadline of every database with keys.
    pub(super) databases: Vec<(String, u64, u64)>,
}

impl DataFigures {
    /// `None` while a long command holds the lock.
    pub(super) fn read(node: &NodeServices) -> Option<Self> {
        let keyspace = node.storage.keyspace().try_read_for(LOCK_WAIT_MAX)?;
        let databases = keyspace.databases().filter(|(_, database)| !database.is_empty());
        Some(Self {
            bytes: keyspace.memory_bytes() as u64,
            maxmemory: keyspace.settings.maxmemory,
            databases: databases
                .map(|(id, database)| {
                    (id.0.to_string(), database.len() as u64, database.expiring_len() as u64)
                })
                .collect(),
        })
    }

    /// Keys of all databases.
    pub(super) fn keys(&self) -> u64 {
        self.databases.iter().map(|(_, keys, _)| keys).sum()
    }
}
