//! Bugs that are put in on purpose, to see the tests catch them. They exist only with the cargo
//! feature `seeded-bugs`, and then one at a time: the one that the environment names. Without the
//! feature every question below is a constant `false`, and nothing of a bug is left in the program.

/// The variable that names the bug, such as `bug-double-apply`. Those that begin with `IRONKV_` are
/// configuration.
#[cfg(feature = "seeded-bugs")]
const VARIABLE: &str = "SEEDED_BUG";

/// What can be made wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A leader answers read barriers without asking anybody whether it still leads.
    SkipReadIndex,
    /// The read index, and the leader's own reads, cover what the leader has applied, but not what
    /// a follower may have applied and shown before it.
    ReadIndexApplied,
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
    /// A leader puts into the log what some members do not understand.
    LevelIgnored,
    /// Random choices of an entry differ from node to node.
    DivergeSilently,
    /// A received snapshot moves the log index but not the keys.
    StaleSnapshot,
    /// A start flushes the end of the log without writing it again.
    TrustPageCache,
    /// The log never marks what is flushed.
    TornTailHidesDamage,
    /// A node takes a status code for the news of its removal.
    RemovalByStatus,
    /// A leader whose disk hangs goes on leading.
    HungDiskLeads,
    /// A node drops entries that it has applied when a leader says so.
    TruncateApplied,
    /// A leader goes on counting what a follower acknowledged and then lost.
    ReversionIgnored,
    /// A message from a leader makes the state count as fresh, whatever is applied.
    StaleReadByContact,
    /// WAIT counts nodes to which an entry was sent.
    WaitCountsSent,
    /// WAIT waits for what other clients have written, too.
    WaitForOthersWrites,
    /// Apply takes the time from the clock of its own node.
    TtlLocalClock,
    /// A forwarded request whose fate is unknown is sent again to the next leader.
    ResendUnknown,
    /// A request is proposed although its client has given it up.
    AbandonedProposed,
    /// Every entry under way evicts for the whole excess of memory.
    EvictPerEntryInFlight,
    /// The raft thread looks for expired keys itself.
    ExpiryOnRaftThread,
    /// The log behind a checkpoint is kept by the number of its entries.
    LogKeptByCount,
    /// A checkpoint that finds no room ends the process.
    FullDiskFatal,
    /// A piece of a snapshot whose beginning is gone is written behind zeros.
    SnapshotExtendsHole,
    /// The core is given a snapshot that was not checked.
    SnapshotUnchecked,
    /// A leader stamps entries with its own clock, whatever the others' say.
    UnboundedStamp,
    /// A follower compares deadlines with its own clock.
    FollowerClockReads,
    /// A read does not look at the stamps of entries that are on their way.
    ReadPastStamps,
    /// Entries with stamps from before come behind the one that sets the time back.
    ResetOvertaken,
    /// A leader relies on the lease of its own settings, whatever those of the others are.
    LeaseOfOwnConfig,
    /// The time for which a machine was suspended does not make its state older.
    FreshnessStandsStill,
    /// A leader does not notice that its machine was suspended.
    SuspensionUnnoticed,
    /// A checkpoint is begun while a part of a request is applied.
    CheckpointInRequest,
    /// A node with a wrong clock never stands for election.
    ClockBarsForever,
    /// A leader goes on sending a checkpoint that has decayed.
    DamagedCheckpointKept,
    /// A copy or an old state of a directory is taken for the node itself.
    IncarnationIgnored,
    /// A start takes its membership from what the core reports before it has read the log.
    AloneByFirstReport,
}

impl Bug {
    /// Its name in the environment and in `tests/seeded.txt`.
    #[cfg(feature = "seeded-bugs")]
    const fn name(self) -> &'static str {
        match self {
            Self::SkipReadIndex => "bug-skip-read-index",
            Self::ReadIndexApplied => "bug-read-index-applied",
            Self::NoVoteFsync => "bug-no-vote-fsync",
            Self::NoRestartGuard => "bug-no-restart-guard",
            Self::DoubleApply => "bug-double-apply",
            Self::CrossReplies => "bug-cross-replies",
            Self::WatchIgnored => "bug-watch-ignored",
            Self::LevelIgnored => "bug-level-ignored",
            Self::DivergeSilently => "bug-diverge-silently",
            Self::StaleSnapshot => "bug-stale-snapshot",
            Self::TrustPageCache => "bug-trust-page-cache",
            Self::TornTailHidesDamage => "bug-torn-tail-hides-damage",
            Self::RemovalByStatus => "bug-removal-by-status",
            Self::HungDiskLeads => "bug-hung-disk-leads",
            Self::TruncateApplied => "bug-truncate-applied",
            Self::ReversionIgnored => "bug-reversion-ignored",
            Self::StaleReadByContact => "bug-stale-read-by-contact",
            Self::WaitCountsSent => "bug-wait-counts-sent",
            Self::WaitForOthersWrites => "bug-wait-for-others-writes",
            Self::TtlLocalClock => "bug-ttl-local-clock",
            Self::ResendUnknown => "bug-resend-unknown",
            Self::AbandonedProposed => "bug-abandoned-proposed",
            Self::EvictPerEntryInFlight => "bug-evict-per-entry-in-flight",
            Self::ExpiryOnRaftThread => "bug-expiry-on-raft-thread",
            Self::LogKeptByCount => "bug-log-kept-by-count",
            Self::FullDiskFatal => "bug-full-disk-fatal",
            Self::SnapshotExtendsHole => "bug-snapshot-extends-hole",
            Self::SnapshotUnchecked => "bug-snapshot-unchecked",
            Self::UnboundedStamp => "bug-unbounded-stamp",
            Self::FollowerClockReads => "bug-follower-clock-reads",
            Self::ReadPastStamps => "bug-read-past-stamps",
            Self::ResetOvertaken => "bug-reset-overtaken",
            Self::LeaseOfOwnConfig => "bug-lease-of-own-config",
            Self::FreshnessStandsStill => "bug-freshness-stands-still",
            Self::SuspensionUnnoticed => "bug-suspension-unnoticed",
            Self::CheckpointInRequest => "bug-checkpoint-in-request",
            Self::ClockBarsForever => "bug-clock-bars-forever",
            Self::DamagedCheckpointKept => "bug-damaged-checkpoint-kept",
            Self::IncarnationIgnored => "bug-incarnation-ignored",
            Self::AloneByFirstReport => "bug-alone-by-first-report",
        }
    }
}

/// Whether this bug is to be felt.
#[cfg(feature = "seeded-bugs")]
pub fn seeded(bug: Bug) -> bool {
    use std::sync::LazyLock;
    static PICKED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(VARIABLE).ok());
    PICKED.as_deref() == Some(bug.name())
}

/// Whether this bug is to be felt: never, in this build.
#[cfg(not(feature = "seeded-bugs"))]
pub const fn seeded(_: Bug) -> bool {
    false
}
