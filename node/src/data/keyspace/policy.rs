//! The policies for a full memory.

use serde::{Deserialize, Serialize};

use crate::base::config::parameters::EVICTION_POLICIES;

/// `maxmemory-policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaxmemoryPolicy {
    /// Among keys with a deadline, the one not used for longest.
    VolatileLru,
    /// Among keys with a deadline, the one used least often.
    VolatileLfu,
    /// Any key with a deadline.
    VolatileRandom,
    /// Among keys with a deadline, the one that expires first.
    VolatileTtl,
    /// The key not used for longest.
    AllkeysLru,
    /// The key used least often.
    AllkeysLfu,
    /// Any key.
    AllkeysRandom,
    /// None: commands that need memory are refused.
    #[default]
    #[serde(rename = "noeviction")]
    NoEviction,
}

impl MaxmemoryPolicy {
    /// All, in the order of [`EVICTION_POLICIES`].
    pub const ALL: [Self; 8] = [
        Self::VolatileLru,
        Self::VolatileLfu,
        Self::VolatileRandom,
        Self::VolatileTtl,
        Self::AllkeysLru,
        Self::AllkeysLfu,
        Self::AllkeysRandom,
        Self::NoEviction,
    ];

    /// As `CONFIG` writes it.
    pub const fn name(self) -> &'static str {
        EVICTION_POLICIES[self as usize]
    }

    /// Whether access stamps record how often instead of when.
    pub const fn is_lfu(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }

    /// Whether only keys with a deadline are removed.
    pub const fn only_volatile(self) -> bool {
        matches!(
            self,
            Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_stored_by_its_name() {
        for policy in MaxmemoryPolicy::ALL {
            let stored = serde_json::to_string(&policy).ok();
            assert_eq!(stored, Some(format!("\"{}\"", policy.name())));
        }
    }
}
