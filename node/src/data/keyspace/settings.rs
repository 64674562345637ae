//! Cluster-wide parameters that influence what commands do, so every replica must agree on them.

use serde::{Deserialize, Serialize};

use crate::resp::ReplyError;

use super::access::AccessRule;
use super::notify_classes::NotifyClasses;
use super::parameters::{self, Parameter};
use super::policy::MaxmemoryPolicy;

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
    /// `list-compress-depth`: kept and told, but lists are never compressed
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
    /// `maxmemory-samples`: keys looked at for each key evicted
    pub maxmemory_samples: u64,
    /// `lfu-log-factor`
    pub lfu_log_factor: u64,
    /// `lfu-decay-time`, minutes
    pub lfu_decay_time: u64,
    /// `notify-keyspace-events`
    pub notify_keyspace_events: NotifyClasses,
    /// Whether expired keys are removed before somebody asks (`DEBUG SET-ACTIVE-EXPIRE`)
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
    /// The value of a parameter as `CONFIG GET` shows it; `None` if it is not cluster-wide. Takes
    /// aliases and any case.
    pub fn get(&self, name: &str) -> Option<String> {
        parameters::find(name).map(|parameter| parameter.get(self))
    }

    /// Changes a parameter. The error is `CONFIG SET`'s whole reply, with the name as given.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), ReplyError> {
        let unknown = || {
            ReplyError::new(format!(
                "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
            ))
        };
        let parameter = parameters::find(name).ok_or_else(unknown)?;
        parameter.set(self, value).map_err(|reason| {
            ReplyError::new(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
            ))
        })
    }

    /// As [`Settings::set`], but the error is the reason alone.
    pub fn change(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        let parameter = parameters::find(name).ok_or("unknown parameter")?;
        parameter.set(self, value)
    }

    /// Names and aliases of all parameters that `CONFIG` shows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        parameters::PARAMETERS.iter().filter(|row| !row.hidden).flat_map(Parameter::names)
    }

    /// How access stamps are kept.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;
    use crate::base::config;
    use crate::base::config::parameters::Scope;

    #[test]
    fn every_parameter_takes_what_it_shows() {
        let mut settings = Settings::default();
        for name in Settings::names() {
            let value = settings.get(name).unwrap();
            settings.set(name, value.as_bytes()).unwrap();
        }
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn values_and_errors_are_those_of_redis() {
        let check = |name: &str, value: &str, expected: Result<&str, &str>| {
            let mut settings = Settings::default();
            let result = settings.set(name, value.as_bytes());
            let shown = result.map(|()| settings.get(name).unwrap());
            let expected = expected.map(str::to_owned).map_err(|reason| {
                ReplyError::new(format!(
                    "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
                ))
            });
            assert_eq!(shown, expected, "{name} {value}");
        };
        let memory = Err("argument must be a memory value");
        let integer = Err("argument couldn't be parsed into an integer");
        check("maxmemory", "100mb", Ok("104857600"));
        check("MaxMemory", "3K", Ok("3000"));
        check("maxmemory", "99999999999999999999", Ok("18446744073709551615"));
        check("maxmemory", "-1", memory);
        check("maxmemory", "1.5gb", memory);
        check("maxmemory", "1kib", memory);
        check("maxmemory", "", memory);
        check("maxmemory-samples", "x", integer);
        check("set-max-intset-entries", "1k", integer);
        let range = "argument must be between 1 and 2147483647 inclusive";
        check("maxmemory-samples", "0", Err(range));
        let range = "argument must be between 0 and 9223372036854775807 inclusive";
        check("hash-max-listpack-entries", "-5", Err(range));
        let range = "argument must be between -2147483648 and 2147483647 inclusive";
        check("list-max-ziplist-size", "99999999999", Err(range));
        check("hash-max-ziplist-value", "1kb", Ok("1024"));
        check("maxmemory-policy", "ALLKEYS-LRU", Ok("allkeys-lru"));
        let policies = "argument(s) must be one of the following: volatile-lru, volatile-lfu, \
                        volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, \
                        allkeys-random, noeviction";
        check("maxmemory-policy", "foo", Err(policies));
        check("notify-keyspace-events", "KExg", Ok("gxKE"));
        check("notify-keyspace-events", "KEA", Ok("AKE"));
        let classes = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
        check("notify-keyspace-events", "q", Err(classes));
    }

    #[test]
    fn they_are_the_cluster_wide_parameters_of_the_configuration() {
        let shared = config::parameters::all().filter(|row| row.scope == Scope::Cluster);
        let expected = shared.flat_map(|row| [Some(row.name), row.alias]).flatten();
        let expected: BTreeSet<_> = expected.collect();
        assert_eq!(Settings::names().collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn an_alias_is_the_same_parameter_and_settings_survive_a_checkpoint() {
        let mut settings = Settings::default();
        settings.set("zset-max-ziplist-entries", b"7").unwrap();
        settings.set("maxmemory-policy", b"volatile-ttl").unwrap();
        settings.set("notify-keyspace-events", b"Kl").unwrap();
        assert_eq!(settings.get("zset-max-listpack-entries").unwrap(), "7");
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        assert_eq!(
            settings.set("nope", b"1"),
            Err(ReplyError::new(
                "ERR Unknown option or number of arguments for CONFIG SET - 'nope'"
            ))
        );
    }
}
