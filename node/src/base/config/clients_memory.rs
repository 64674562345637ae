//! `maxmemory-clients`: how much memory all connections may take together.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Kind;

/// A lower limit counts as this one: with less memory no client could send a command.
const BYTES_MIN: u64 = 128 << 10;

/// Written as Redis writes it: `0` for no limit, bytes, or a share of `maxmemory` such as `5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ClientsMemory {
    /// No limit.
    #[default]
    Unlimited,
    /// This many bytes.
    Bytes(u64),
    /// This share of `maxmemory`, percent.
    Percent(u64),
}

impl ClientsMemory {
    /// The limit in bytes. A share of a `maxmemory` of 0 (no limit) is no limit.
    pub fn bytes_max(self, maxmemory: impl FnOnce() -> u64) -> Option<u64> {
        let bytes = match self {
            Self::Unlimited => 0,
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                u64::try_from(u128::from(maxmemory()) * u128::from(percent) / 100)
                    .unwrap_or(u64::MAX)
            }
        };
        (bytes > 0).then(|| bytes.max(BYTES_MIN))
    }
}

impl fmt::Display for ClientsMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => write!(f, "0"),
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl From<ClientsMemory> for String {
    fn from(limit: ClientsMemory) -> Self {
        limit.to_string()
    }
}

impl TryFrom<String> for ClientsMemory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let canonical =
            Kind::MemoryOrPercent.check(&text, "").map_err(|error| error.to_string())?;
        let share = canonical.strip_suffix('%');
        let number = share.unwrap_or(&canonical).parse().map_err(|_| text)?;
        Ok(match (number, share) {
            (0, None) => Self::Unlimited,
            (bytes, None) => Self::Bytes(bytes),
            (percent, Some(_)) => Self::Percent(percent),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str, maxmemory: u64) -> Option<u64> {
        ClientsMemory::try_from(text.to_owned()).ok()?.bytes_max(|| maxmemory)
    }

    #[test]
    fn limits_are_bytes_or_shares_and_never_so_small_that_nothing_can_be_said() {
        assert_eq!(limit("0", 1 << 30), None);
        assert_eq!(limit("1mb", 0), Some(1 << 20));
        assert_eq!(limit("1", 0), Some(BYTES_MIN));
        assert_eq!(limit("25%", 1 << 30), Some(1 << 28));
        assert_eq!(limit("25%", 0), None);
        assert_eq!(limit("0%", 1 << 30), None);
        assert_eq!(limit("100%", u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn an_invalid_limit_is_refused() {
        for text in ["lots", "101%", "-1"] {
            assert!(ClientsMemory::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(ClientsMemory::try_from("1kb".to_owned()).map(String::from), Ok("1024".into()));
    }
}
