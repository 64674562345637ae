//! Cluster-wide parameters that influence what commands do, so every replica must agree on them.

use serde::{Deserialize, Serialize};

use super::access::AccessRule;
use super::policy::MaxmemoryPolicy;
use crate::base::config::NotifyClasses;

/// Values of `CONFIG` parameters that are part of the replicated state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `hash-max-listpack-entries`
    pub hash_max_listpack_entries: u64,
    /// `hash-max-listpack-value`, bytes
    pub hash_max_listpack_value: u64,
    /// `list-max-listpack-size`: entries when positive, a size class when negative
    pub list_max_listpack_size: i64,
    /// `list-compress-depth`: stored and returned, but lists are never compressed
    pub list_compress_depth: u64,
    /// `set-max-intset-entries`
    pub set_max_intset_entries: u64,
    /// `set-max-listpack-entries`
    pub set_max_listpack_entries: u64,
    /// `set-max-listpack-value`, bytes
    pub set_max_listpack_value: u64,
    /// `zset-max-listpack-entries`
    pub zset_max_listpack_entries: u64,
    /// `zset-max-listpack-value`, bytes
    pub zset_max_listpack_value: u64,
    /// `maxmemory`, bytes; 0 is no limit
    pub maxmemory: u64,
    /// `maxmemory-policy`
    pub maxmemory_policy: MaxmemoryPolicy,
    /// `maxmemory-samples`: keys sampled for each evicted key
    pub maxmemory_samples: u64,
    /// `lfu-log-factor`
    pub lfu_log_factor: u64,
    /// `lfu-decay-time`, minutes
    pub lfu_decay_time: u64,
    /// `notify-keyspace-events`
    pub notify_keyspace_events: NotifyClasses,
    /// Whether expired keys are removed before a command uses them (`DEBUG SET-ACTIVE-EXPIRE`)
    pub active_expire: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            list_max_listpack_size: -2,
            list_compress_depth: 0,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            maxmemory: 0,
            maxmemory_policy: MaxmemoryPolicy::NoEviction,
            maxmemory_samples: 5,
            lfu_log_factor: 10,
            lfu_decay_time: 1,
            notify_keyspace_events: NotifyClasses::NONE,
            active_expire: true,
        }
    }
}

impl Settings {
    /// The meaning of access stamps.
    pub const fn access_rule(&self) -> AccessRule {
        if self.maxmemory_policy.is_lfu() {
            AccessRule::Frequency {
                log_factor: self.lfu_log_factor,
                decay_minutes: self.lfu_decay_time,
            }
        } else {
            AccessRule::Recency
        }
    }
}
