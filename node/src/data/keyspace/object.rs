//! An object: a value with its expiry, version and access stamp.

use std::sync::atomic::{AtomicU32, Ordering};

use super::access::{AccessRule, decayed, seconds};
use crate::base::discard::discard;
use crate::base::limits::FREE_AT_ONCE_BYTES_MAX;
use crate::data::types::Value;

/// The content of a key.
#[derive(Debug)]
pub struct Object {
    /// The value.
    pub value: Value,
    /// Unix milliseconds at which the key expires.
    pub expire_at_ms: Option<u64>,
    /// Log index of the last write, which `WATCH` compares.
    pub version: u64,
    /// Heap bytes counted for this object in its database's total.
    pub counted_bytes: usize,
    /// LRU clock or LFU counter. Local to a node, changed by reads, never replicated.
    access: AtomicU32,
}

impl Object {
    /// A new object, not yet counted.
    pub const fn new(value: Value, expire_at_ms: Option<u64>, version: u64) -> Self {
        Self { value, expire_at_ms, version, counted_bytes: 0, access: AtomicU32::new(0) }
    }

    /// Frees a removed object: in the background if that takes long.
    pub fn discard(self) {
        let collection = !matches!(self.value, Value::String(_));
        if collection && self.value.heap_bytes() > FREE_AT_ONCE_BYTES_MAX {
            discard(self);
        }
    }

    /// An object is expired if the time is at or past the deadline.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expire_at_ms.is_some_and(|deadline| now_ms >= deadline)
    }

    /// The access stamp.
    pub fn access(&self) -> u32 {
        self.access.load(Ordering::Relaxed)
    }

    /// Replaces the access stamp.
    pub fn set_access(&self, stamp: u32) {
        self.access.store(stamp, Ordering::Relaxed);
    }

    /// Updates the stamp after a use of the key.
    pub fn touch(&self, rule: AccessRule, now_ms: u64, draw: impl FnOnce() -> f64) {
        let stamp = self.access();
        let used = rule.used(stamp, now_ms, draw);
        // Most uses fall into the same second; a store would only invalidate the cache line of
        // others.
        if used != stamp {
            self.set_access(used);
        }
    }

    /// Seconds since the last use, under [`AccessRule::Recency`].
    pub fn idle_seconds(&self, now_ms: u64) -> u32 {
        match self.access() {
            0 => 0,
            stamp => seconds(now_ms).saturating_sub(stamp),
        }
    }

    /// The counter as of now, under [`AccessRule::Frequency`].
    pub fn frequency(&self, now_ms: u64, decay_minutes: u64) -> u8 {
        decayed(self.access(), now_ms, decay_minutes)
    }
}

impl Clone for Object {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            expire_at_ms: self.expire_at_ms,
            version: self.version,
            counted_bytes: self.counted_bytes,
            access: AtomicU32::new(self.access()),
        }
    }
}
