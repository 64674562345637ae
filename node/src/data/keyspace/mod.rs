//! Keys and objects of all databases of one group.

mod access;
mod database;
mod digest;
pub mod events;
pub mod eviction;
mod expiry;
mod lock;
mod object;
mod parameters;
mod policy;
mod scan;
mod settings;
pub mod slot;
mod table;

pub use access::AccessRule;
pub use database::{Database, Due, Marks, Overhead, Settled};
pub use events::{Event, EventClass};
pub use eviction::{EvictionWant, TakenKeys, Victims, VictimsEnd, pick_victims};
pub use lock::{KeyspaceLock, View};
pub use object::Object;
pub use policy::MaxmemoryPolicy;
pub use settings::Settings;

use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;

/// The replicated state that commands use. Clones are cheap and independent: checkpoints and
/// snapshots are made from them.
#[derive(Debug, Clone)]
pub struct Keyspace {
    databases: Vec<Database>,
    /// Cluster-wide parameters that change what commands do; they change only through the log.
    pub settings: Settings,
}

impl Default for Keyspace {
    fn default() -> Self {
        let databases = (0..DATABASES).map(|_| Database::default()).collect();
        Self { databases, settings: Settings::default() }
    }
}

impl Keyspace {
    /// One database.
    pub fn database(&self, id: DatabaseId) -> &Database {
        &self.databases[usize::from(id.0)]
    }

    /// One database, to change.
    pub fn database_mut(&mut self, id: DatabaseId) -> &mut Database {
        &mut self.databases[usize::from(id.0)]
    }

    /// One database, to change, and the parameters.
    pub fn database_and_settings(&mut self, id: DatabaseId) -> (&mut Database, &Settings) {
        (&mut self.databases[usize::from(id.0)], &self.settings)
    }

    /// All databases with their numbers.
    pub fn databases(&self) -> impl Iterator<Item = (DatabaseId, &Database)> {
        (0..DATABASES).map(DatabaseId).zip(&self.databases)
    }

    /// `SWAPDB`. `index` is the log index of the swap: keys watched in either database count as
    /// changed.
    pub fn swap(&mut self, first: DatabaseId, second: DatabaseId, index: u64) {
        self.databases.swap(usize::from(first.0), usize::from(second.0));
        self.database_mut(first).mark_swapped(index);
        self.database_mut(second).mark_swapped(index);
    }

    /// Approximate bytes of all keys and values, and of the databases that hold them.
    pub fn memory_bytes(&self) -> usize {
        let content: usize = self.databases.iter().map(Database::memory_bytes).sum();
        content + self.own_bytes()
    }

    /// Bytes of the databases without any key.
    pub fn own_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.databases)
    }
}
