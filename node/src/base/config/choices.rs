//! Parameters whose value is one of a few words.

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
    /// How the node makes sure that a read sees every acknowledged write.
    ReadMode {
        /// The leader answers alone while its lease holds.
        Lease = "lease",
        /// Every read waits for a round trip to a majority; concurrent reads share it.
        Quorum = "quorum",
        /// Any node answers from what it has applied, within the permitted lag.
        Stale = "stale",
    }

    /// What a node that is not the leader does with a write.
    Redirect {
        /// Forwards it to the leader and returns the leader's reply.
        Proxy = "proxy",
        /// Answers `MOVED`, as Redis Cluster does.
        Moved = "moved",
    }

    /// Whether clients of the TLS port must present a certificate.
    ClientCertificates {
        /// None is asked for.
        None = "none",
        /// A certificate that is presented must be valid.
        Optional = "optional",
        /// Every client must present a valid certificate.
        Required = "required",
    }

    /// Whether a function is used.
    Switch {
        /// It is not used.
        Off = "off",
        /// It is used.
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

    /// The format of log lines.
    LogFormat {
        /// For human readers.
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }

    /// The least important line that is logged.
    LogLevel {
        /// Failures that need action now.
        Error = "error",
        /// Problems that an operator should look into.
        Warn = "warn",
        /// What an operator wants to know.
        Info = "info",
        /// What a developer wants to know.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}
