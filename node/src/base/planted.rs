//! Bugs that are put in on purpose, to see the tests catch them. They exist only with the cargo
//! feature `planted-bugs`, and then one at a time: the one that the environment names. Without the
//! feature every question below is a constant `false`, and nothing of a bug is left in the program.

/// The variable that names the bug, such as `bug-double-apply`. Those that begin with `IRONKV_` are
/// configuration.
#[cfg(feature = "planted-bugs")]
const VARIABLE: &str = "PLANTED_BUG";

/// What can be made wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A leader answers read barriers without asking anybody whether it still leads.
    SkipReadIndex,
    /// A vote counts as saved before it is written.
    NoVoteFsync,
    /// A restarted node votes at once.
    NoRestartGuard,
    /// A forwarded request is sent twice.
    DoubleApply,
    /// Replies of one log entry go to the wrong clients.
    CrossReplies,
    /// EXEC does not look at the watched keys.
    WatchIgnored,
    /// A received snapshot moves the log index but not the keys.
    StaleSnapshot,
    /// Apply takes the time from the clock of its own node.
    TtlLocalClock,
}

impl Bug {
    /// Its name in the environment and in `tests/planted.txt`.
    #[cfg(feature = "planted-bugs")]
    const fn name(self) -> &'static str {
        match self {
            Self::SkipReadIndex => "bug-skip-read-index",
            Self::NoVoteFsync => "bug-no-vote-fsync",
            Self::NoRestartGuard => "bug-no-restart-guard",
            Self::DoubleApply => "bug-double-apply",
            Self::CrossReplies => "bug-cross-replies",
            Self::WatchIgnored => "bug-watch-ignored",
            Self::StaleSnapshot => "bug-stale-snapshot",
            Self::TtlLocalClock => "bug-ttl-local-clock",
        }
    }
}

/// Whether this bug is to be felt.
#[cfg(feature = "planted-bugs")]
pub fn planted(bug: Bug) -> bool {
    use std::sync::LazyLock;
    static PICKED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(VARIABLE).ok());
    PICKED.as_deref() == Some(bug.name())
}

/// Whether this bug is to be felt: never, in this build.
#[cfg(not(feature = "planted-bugs"))]
pub const fn planted(_: Bug) -> bool {
    false
}
