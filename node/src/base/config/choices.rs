//! Parameters that are one word of a few.

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants are written as words.
macro_rules! choices {
    ($($(#[$about:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal,)*
    })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every word.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The word of this choice.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    )*};
}

choices! {
    /// How a read is made sure to see every acknowledged write.
    ReadMode {
        /// The leader answers alone while its lease holds.
        Lease = "lease",
        /// Every read waits for a round trip to a majority, shared with the reads beside it.
        Quorum = "quorum",
        /// Any node answers from what it has applied, within the permitted lag.
        Stale = "stale",
    }

    /// What a node that does not lead does with a write.
    Redirect {
        /// Sends it on to the leader and passes the reply back.
        Proxy = "proxy",
        /// Answers `MOVED`, as Redis Cluster does.
        Moved = "moved",
    }

    /// Whether clients of the TLS port show a certificate.
    ClientCertificates {
        /// None is asked for.
        None = "none",
        /// One that is shown must be valid.
        Optional = "optional",
        /// Nobody comes in without a valid one.
        Required = "required",
    }

    /// Whether something is done at all.
    Switch {
        /// It is not.
        Off = "off",
        /// It is.
        On = "on",
    }

    /// Which clients may call `DEBUG`.
    DebugAccess {
        /// None.
        No = "no",
        /// Clients of this machine.
        Local = "local",
        /// All clients.
        Yes = "yes",
    }

    /// The shape of log lines.
    LogFormat {
        /// For people.
        Text = "text",
        /// One object a line.
        Json = "json",
    }

    /// The least important line that is logged.
    LogLevel {
        /// Only what needs somebody now.
        Error = "error",
        /// What somebody should look at.
        Warn = "warn",
        /// What an operator wants to know.
        Info = "info",
        /// What a developer wants to know.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}
