//! Bugs that are compiled in on purpose, to prove that the tests find them. They exist only with
//! the cargo feature `seeded-bugs`, and the environment enables at most one. Without the feature,
//! [`seeded`] is a constant `false`, and the program contains no code of a bug.

/// The variable that names the bug, such as `bug-double-apply`. Variables that begin with `IRONKV_`
/// are configuration.
#[cfg(feature = "seeded-bugs")]
const VARIABLE: &str = "SEEDED_BUG";

/// The bugs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A leader answers read barriers without asking other nodes whether it still leads.
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
    /// A start flushes the end of the log but does not write it again.
    TrustPageCache,
    /// The log never records what is flushed.
    TornTailHidesDamage,
    /// A node takes a status code for a message that it was removed.
    RemovalByStatus,
    /// A leader whose disk hangs keeps its leadership.
    HungDiskLeads,
    /// A node drops entries that it has applied when a leader asks for it.
    TruncateApplied,
    /// A leader still counts what a follower acknowledged and then lost.
    ReversionIgnored,
    /// A message from a leader makes the state count as fresh, even if entries are missing.
    StaleReadByContact,
    /// WAIT counts nodes to which an entry was sent.
    WaitCountsSent,
    /// WAIT also waits for the writes of other clients.
    WaitForOthersWrites,
    /// Apply takes the time from the clock of its own node.
    TtlLocalClock,
    /// A forwarded request whose outcome is unknown is sent again to the next leader.
    ResendUnknown,
    /// A request is proposed although its client has given up.
    AbandonedProposed,
    /// Every entry in flight evicts for the whole excess of memory.
    EvictPerEntryInFlight,
    /// The raft thread itself searches for expired keys.
    ExpiryOnRaftThread,
    /// How much log remains behind a checkpoint depends on the number of entries.
    LogKeptByCount,
    /// A checkpoint that does not fit on the disk ends the process.
    FullDiskFatal,
    /// A piece of a snapshot whose beginning is missing is written after zeros.
    SnapshotExtendsHole,
    /// The consensus core receives a snapshot that was not checked.
    SnapshotUnchecked,
    /// A leader stamps entries with its own clock and ignores the clocks of the others.
    UnboundedStamp,
    /// A follower compares deadlines with its own clock.
    FollowerClockReads,
    /// A read ignores the stamps of entries that are in flight.
    ReadPastStamps,
    /// Entries with older stamps come after the entry that sets the time back.
    ResetOvertaken,
    /// A leader relies on the lease of its own settings and ignores those of the others.
    LeaseOfOwnConfig,
    /// The time for which a machine was suspended does not count for the age of its state.
    FreshnessStandsStill,
    /// A leader does not notice that its machine was suspended.
    SuspensionUnnoticed,
    /// A checkpoint is begun while a part of a request is applied.
    CheckpointInRequest,
    /// A node with a wrong clock never starts an election.
    ClockBarsForever,
    /// A leader still sends a checkpoint that has decayed.
    DamagedCheckpointKept,
    /// A copy or an old state of a directory is accepted as the node itself.
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

/// Whether this bug is enabled.
#[cfg(feature = "seeded-bugs")]
pub fn seeded(bug: Bug) -> bool {
    use std::sync::LazyLock;
    static PICKED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(VARIABLE).ok());
    PICKED.as_deref() == Some(bug.name())
}

/// Whether this bug is enabled: never in this build.
#[cfg(not(feature = "seeded-bugs"))]
pub const fn seeded(_: Bug) -> bool {
    false
}
