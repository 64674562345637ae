//! The lock of a keyspace, and what a reader gets from it.

use std::ops::Deref;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Keyspace;
use crate::base::blocking::check_may_wait;

/// One lock for all keys of a group. It is held for a run of commands or for one long command, so a
/// thread that must not wait may not take it at all.
#[derive(Debug, Default)]
pub struct KeyspaceLock(RwLock<Keyspace>);

impl KeyspaceLock {
    /// A lock for a loaded keyspace.
    pub const fn new(keyspace: Keyspace) -> Self {
        Self(RwLock::new(keyspace))
    }

    /// Waits for the current writer and for waiting writers.
    pub fn read(&self) -> RwLockReadGuard<'_, Keyspace> {
        check_may_wait("the keyspace lock");
        self.0.read()
    }

    /// What a reader sees: the keyspace under the lock, or a snapshot of it when `is_long` says
    /// that reading will take long.
    pub fn view(&self, is_long: impl FnOnce(&Keyspace) -> bool) -> View<'_> {
        let keyspace = self.read();
        if is_long(&keyspace) {
            View::Snapshot(Box::new(keyspace.clone()))
        } else {
            View::Locked(keyspace)
        }
    }

    /// Waits for readers and for the writer.
    pub fn write(&self) -> RwLockWriteGuard<'_, Keyspace> {
        check_may_wait("the keyspace lock");
        self.0.write()
    }
}

/// A keyspace to read from.
#[derive(Debug)]
pub enum View<'a> {
    /// Writers wait until this is dropped.
    Locked(RwLockReadGuard<'a, Keyspace>),
    /// Writers continue, and copy what they change and what this snapshot shares.
    Snapshot(Box<Keyspace>),
}

impl Deref for View<'_> {
    type Target = Keyspace;

    fn deref(&self) -> &Keyspace {
        match self {
            Self::Locked(keyspace) => keyspace,
            Self::Snapshot(keyspace) => keyspace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::DatabaseId;
    use crate::data::keyspace::Object;
    use crate::data::types::{StringValue, Value};

    #[test]
    fn a_long_reader_keeps_its_moment_and_lets_writers_in() {
        let lock = KeyspaceLock::default();
        let object = || Object::new(Value::String(StringValue::new(b"value")), None, 1);
        lock.write().database_mut(DatabaseId(0)).insert("first", object());
        let view = lock.view(|keyspace| !keyspace.database(DatabaseId(0)).is_empty());
        lock.write().database_mut(DatabaseId(0)).insert("second", object());
        assert_eq!(view.database(DatabaseId(0)).len(), 1);
        assert_eq!(lock.view(|_| false).database(DatabaseId(0)).len(), 2);
    }
}
