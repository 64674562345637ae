//! A text that must not reach a log, a status page or `--print-config`.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;

/// The text that is shown instead of a secret.
pub const HIDDEN: &str = "(hidden)";

/// A password. Only [`Secret::expose`] returns its text.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether no secret is set.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for the one caller that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `guess` is the secret, in time that tells nothing but whether the lengths are equal.
    pub fn matches(&self, guess: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(guess).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "(none)" } else { HIDDEN })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { HIDDEN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_text_matches() {
        let secret = Secret::new("swordfish");
        assert!(secret.matches(b"swordfish"));
        for guess in ["", "swordfis", "swordfishs", "swordfishswordfish", "Swordfish"] {
            assert!(!secret.matches(guess.as_bytes()), "{guess}");
        }
        assert!(Secret::default().matches(b""));
        assert!(!Secret::default().matches(b"x"));
    }

    #[test]
    fn a_secret_never_shows_itself() {
        assert_eq!(format!("{:?}", Secret::new("swordfish")), HIDDEN);
    }
}
