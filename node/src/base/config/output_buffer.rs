//! `client-output-buffer-limit`: how many bytes of replies may wait for a client.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::memory::parse_memory;

/// The limit of one class of clients. 0 means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputBufferLimit {
    /// Bytes at which a client is disconnected at once.
    pub hard_bytes: u64,
    /// Bytes at which it is disconnected after `soft_seconds`.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_seconds: u64,
}

/// The limits of every class, written as Redis writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OutputBufferLimits {
    /// Ordinary clients.
    pub normal: OutputBufferLimit,
    /// Redis's replicas. There are none here; the value is kept for clients that read it.
    pub replica: OutputBufferLimit,
    /// Clients that subscribed.
    pub pubsub: OutputBufferLimit,
}

impl Default for OutputBufferLimits {
    fn default() -> Self {
        let limit = |hard_mib: u64, soft_mib: u64, soft_seconds| OutputBufferLimit {
            hard_bytes: hard_mib << 20,
            soft_bytes: soft_mib << 20,
            soft_seconds,
        };
        Self {
            normal: OutputBufferLimit::default(),
            replica: limit(256, 64, 60),
            pubsub: limit(32, 8, 60),
        }
    }
}

impl OutputBufferLimits {
    /// These limits with the classes in `text` changed. The error is Redis's text.
    pub fn changed(mut self, text: &str) -> Result<Self, &'static str> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.");
        }
        for group in words.chunks_exact(4) {
            let class = match group[0].to_ascii_lowercase().as_str() {
                "normal" => &mut self.normal,
                "slave" | "replica" => &mut self.replica,
                "pubsub" => &mut self.pubsub,
                _ => {
                    return Err("Invalid client class specified in buffer limit configuration.");
                }
            };
            let number = |word: &str| {
                parse_memory(word).ok_or(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
                )
            };
            *class = OutputBufferLimit {
                hard_bytes: number(group[1])?,
                soft_bytes: number(group[2])?,
                soft_seconds: number(group[3])?,
            };
        }
        Ok(self)
    }
}

impl fmt::Display for OutputBufferLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.hard_bytes, self.soft_bytes, self.soft_seconds)
    }
}

impl fmt::Display for OutputBufferLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "normal {} slave {} pubsub {}", self.normal, self.replica, self.pubsub)
    }
}

impl From<OutputBufferLimits> for String {
    fn from(limits: OutputBufferLimits) -> Self {
        limits.to_string()
    }
}

impl TryFrom<String> for OutputBufferLimits {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::default().changed(&text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_default_is_written_as_redis_writes_it() {
        assert_eq!(
            OutputBufferLimits::default().to_string(),
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
        );
    }

    #[test]
    fn a_change_of_one_class_keeps_the_others() {
        let changed = OutputBufferLimits::default().changed("normal 1mb 2kb 3").unwrap();
        assert_eq!(changed.normal.hard_bytes, 1 << 20);
        assert_eq!(changed.pubsub, OutputBufferLimits::default().pubsub);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("normal", "number"),
            ("normal 1 2", "number"),
            ("odd 1 2 3", "class"),
            ("normal a 1 1", "hard"),
        ] {
            assert!(OutputBufferLimits::default().changed(text).unwrap_err().contains(part));
        }
    }
}
