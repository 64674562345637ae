//! One numbered database.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::discard::discard;
use crate::base::ids::Slot;
use crate::base::random::Random;

use super::Object;
use super::expiry::{DEADLINE_BYTES, Deadline, ExpiryIndex};
use super::slot::slot_of;
use super::table::{KEY_OVERHEAD_BYTES, Table};

/// Keys and their objects. A clone is independent, and cheap with any number of keys.
#[derive(Debug, Clone, Default)]
pub struct Database {
    pub(super) table: Table,
    pub(super) expiries: ExpiryIndex,
    memory_bytes: usize,
    swapped_at: u64,
}

/// What a database remembers about removed keys, for `WATCH`. It is part of the replicated state,
/// so a checkpoint must contain it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Log index of the last `SWAPDB` of this database; 0 for never.
    pub swapped_at: u64,
    /// For every slot in which a key was removed: the highest version of such a key.
    pub removed_versions: Vec<(Slot, u64)>,
}

/// Bytes that a database uses besides keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overhead {
    /// For the entries of keys; [`Database::memory_bytes`] includes them.
    pub entry_bytes: usize,
    /// For the table of the entries.
    pub page_bytes: usize,
    /// For the index of deadlines.
    pub deadline_bytes: usize,
}

/// Keys past their deadline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Soonest deadline first.
    pub keys: Vec<Bytes>,
    /// Whether a limit excluded others.
    pub more: bool,
}

/// The result of [`Database::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// No such live key.
    Missing,
    /// The key exists, with its new version and size.
    Kept,
    /// The value became empty, so the key was removed.
    Removed,
}

impl Database {
    /// The live object of a key; an expired one is hidden.
    pub fn find(&self, key: &[u8], now_ms: u64) -> Option<&Object> {
        self.table.find(key).filter(|object| !object.is_expired(now_ms))
    }

    /// The live object of a key, to change. Call [`Database::settle`] afterwards. Its deadline is
    /// changed by [`Database::set_expiry`] only.
    pub fn find_mut(&mut self, key: &[u8], now_ms: u64) -> Option<&mut Object> {
        self.table.find_mut(key).filter(|object| !object.is_expired(now_ms))
    }

    /// Stores a copy of a key and an object; returns the previous object, expired or not.
    pub fn insert(&mut self, key: impl AsRef<[u8]>, mut object: Object) -> Option<Object> {
        let key = key.as_ref();
        object.counted_bytes = counted_bytes(key, &object);
        self.memory_bytes += object.counted_bytes;
        let expire_at_ms = object.expire_at_ms;
        let (name, old) = self.table.insert(key, object);
        self.memory_bytes -= old.as_ref().map_or(0, |old| old.counted_bytes);
        let expired_at_ms = old.as_ref().and_then(|old| old.expire_at_ms);
        self.expiries.change(&name, expired_at_ms, expire_at_ms);
        old
    }

    /// Removes a key, expired or not. `index` is the log index of the removal.
    pub fn remove(&mut self, key: &[u8], index: u64) -> Option<Object> {
        let (name, old) = self.table.remove(key, index)?;
        self.memory_bytes -= old.counted_bytes;
        self.expiries.change(&name, old.expire_at_ms, None);
        Some(old)
    }

    /// Removes a key only if its deadline has passed; returns whether it did.
    pub fn remove_expired(&mut self, key: &[u8], now_ms: u64, index: u64) -> bool {
        let expired = self.table.find(key).is_some_and(|object| object.is_expired(now_ms));
        let removed = if expired { self.remove(key, index) } else { None };
        removed.map(Object::discard).is_some()
    }

    /// Sets or clears the expiry of a live key; false if there is none.
    pub fn set_expiry(&mut self, key: &[u8], expire_at_ms: Option<u64>, now_ms: u64) -> bool {
        let Some((name, object)) = self.table.find_named_mut(key) else { return false };
        if object.is_expired(now_ms) {
            return false;
        }
        let old_ms = std::mem::replace(&mut object.expire_at_ms, expire_at_ms);
        self.expiries.change(name, old_ms, expire_at_ms);
        true
    }

    /// To be called after a change in place: gives the object its new version and updates the size,
    /// or removes it if its value became empty. `index` is the log index of the change.
    pub fn settle(&mut self, key: &[u8], index: u64, now_ms: u64) -> Settled {
        let live = |object: &&mut Object| !object.is_expired(now_ms);
        let Some(object) = self.table.find_versioned_mut(key, index).filter(live) else {
            return Settled::Missing;
        };
        object.version = index;
        if object.value.is_empty() {
            self.remove(key, index);
            return Settled::Removed;
        }
        let bytes = counted_bytes(key, object);
        self.memory_bytes = self.memory_bytes + bytes - object.counted_bytes;
        object.counted_bytes = bytes;
        Settled::Kept
    }

    /// Keys, including expired ones that are not removed yet.
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Approximate bytes of keys and values.
    pub const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// The bytes that are used besides keys and values.
    pub fn overhead(&self) -> Overhead {
        Overhead {
            entry_bytes: self.len() * KEY_OVERHEAD_BYTES,
            page_bytes: self.table.page_bytes(),
            deadline_bytes: self.expiring_len() * DEADLINE_BYTES,
        }
    }

    /// Removes every key. Keys watched before count as changed if they existed. The objects are
    /// freed in the background.
    pub fn flush(&mut self) {
        self.memory_bytes = 0;
        discard((self.table.take(), std::mem::take(&mut self.expiries)));
    }

    /// See [`super::Keyspace::swap`].
    pub const fn mark_swapped(&mut self, index: u64) {
        self.swapped_at = index;
    }

    /// Whether a watched key may have changed: `index` is the log index at the time of `WATCH`,
    /// `existed` whether it was live then.
    pub fn changed_since(&self, key: &[u8], index: u64, existed: bool, now_ms: u64) -> bool {
        if self.swapped_at > index {
            return true;
        }
        match self.find(key, now_ms) {
            Some(object) => !existed || object.version > index,
            None if existed => true,
            None => {
                let slot = self.table.slot(slot_of(key));
                slot.is_some_and(|slot| slot.removed_version > index)
            }
        }
    }

    /// Keys with a deadline.
    pub const fn expiring_len(&self) -> usize {
        self.expiries.len()
    }

    /// Mean time to live of the keys that have a deadline; 0 without any.
    pub fn average_ttl_ms(&self, now_ms: u64) -> u64 {
        self.expiries.average_ttl_ms(now_ms)
    }

    /// The soonest deadline, Unix milliseconds.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.expiries.next_ms()
    }

    /// Keys whose deadline is at or before `now_ms`, soonest first: at most `keys_max`, with at
    /// most `bytes_max` of names, but at least one.
    pub fn due(&self, now_ms: u64, keys_max: usize, bytes_max: usize) -> Due {
        let mut due = Due::default();
        let mut bytes = 0;
        for deadline in self.expiries.due(now_ms) {
            bytes += deadline.name.len();
            let full = due.keys.len() >= keys_max || bytes > bytes_max;
            if full && !due.keys.is_empty() {
                due.more = true;
                break;
            }
            due.keys.push(Bytes::copy_from_slice(&deadline.name));
        }
        due
    }

    /// All keys, including expired ones, in the order of slots, then hashes.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &[u8], &Object)> {
        self.table.slots_from(Slot(0)).flat_map(|(slot, table)| {
            table.keys.iter().map(move |entry| (slot, &*entry.key.name, &*entry.object))
        })
    }

    /// All keys of one slot, including expired ones, in the order of hashes.
    pub fn iter_slot(&self, slot: Slot) -> impl Iterator<Item = (&[u8], &Object)> {
        let keys = self.table.slot(slot).into_iter().flat_map(|table| table.keys.iter());
        keys.map(|entry| (&*entry.key.name, &*entry.object))
    }

    /// Keys in one slot, including expired ones that are not removed yet (`CLUSTER
    /// COUNTKEYSINSLOT`).
    pub fn count_in_slot(&self, slot: Slot) -> usize {
        self.table.slot(slot).map_or(0, |table| table.keys.len())
    }

    /// At most `limit` keys of one slot (`CLUSTER GETKEYSINSLOT`).
    pub fn keys_in_slot(&self, slot: Slot, limit: usize) -> Vec<Bytes> {
        self.iter_slot(slot).take(limit).map(|(key, _)| Bytes::copy_from_slice(key)).collect()
    }

    /// Any key, expired or not, all with the same probability.
    pub fn random(&self, random: &mut Random) -> Option<(&[u8], &Object)> {
        let entry = self.table.get(random.below(self.len().max(1)))?;
        Some((&*entry.key.name, &*entry.object))
    }

    /// Any key with a deadline, expired or not, all with the same probability.
    pub fn random_expiring(&self, random: &mut Random) -> Option<(&[u8], &Object)> {
        let deadline = self.expiries.get(random.below(self.expiring_len().max(1)))?;
        Some((&*deadline.name, self.table.find(&deadline.name)?))
    }

    /// What a checkpoint must contain besides keys and objects.
    pub fn marks(&self) -> Marks {
        let slots = self.table.slots_from(Slot(0));
        let removed = slots.map(|(slot, table)| (slot, table.removed_version));
        Marks {
            swapped_at: self.swapped_at,
            removed_versions: removed.filter(|(_, version)| *version > 0).collect(),
        }
    }

    /// A database from a checkpoint. Fast when the entries of each slot come together.
    pub fn from_entries<K: AsRef<[u8]>>(
        marks: &Marks,
        entries: impl IntoIterator<Item = (K, Object)>,
    ) -> Self {
        let mut database = Self { swapped_at: marks.swapped_at, ..Self::default() };
        for (slot, version) in &marks.removed_versions {
            database.table.set_removed_version(*slot, *version);
        }
        let mut slot = Slot(0);
        let mut together = Vec::new();
        for (key, mut object) in entries {
            let key = key.as_ref();
            object.counted_bytes = counted_bytes(key, &object);
            database.memory_bytes += object.counted_bytes;
            let own_slot = slot_of(key);
            if own_slot != slot {
                database.table.load_slot(slot, std::mem::take(&mut together));
                slot = own_slot;
            }
            together.push((Arc::from(key), object));
        }
        database.table.load_slot(slot, together);
        database.expiries = database.deadlines();
        database
    }

    fn deadlines(&self) -> ExpiryIndex {
        let entries = self.table.slots_from(Slot(0)).flat_map(|(_, table)| table.keys.iter());
        let deadlines = entries.filter_map(|entry| {
            let at_ms = entry.object.expire_at_ms?;
            Some(Deadline { at_ms, name: entry.key.name.clone() })
        });
        ExpiryIndex::from_unordered(deadlines.collect())
    }
}

fn counted_bytes(key: &[u8], object: &Object) -> usize {
    key.len() + KEY_OVERHEAD_BYTES + object.value.heap_bytes()
}

#[cfg(test)]
#[path = "database_test.rs"]
mod tests;

/// For tests of this folder.
#[cfg(test)]
pub(super) mod testing {
    use std::ops::Range;

    use super::*;
    use crate::data::types::{StringValue, TypedValue, Value};

    /// An empty string without a deadline.
    pub(in super::super) fn object(version: u64) -> Object {
        Object::new(Value::String(StringValue::empty(&Default::default())), None, version)
    }

    /// `key:<number>` for every number, version 1.
    pub(in super::super) fn with_keys(numbers: Range<usize>) -> Database {
        let mut database = Database::default();
        for number in numbers {
            database.insert(format!("key:{number}"), object(1));
        }
        database
    }
}
