//! Properties of a command that cannot be derived from its other fields.

use crate::base::feature_level::FeatureLevel;

/// A set of properties. Combine them with [`Flags::with`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u32);

/// The bits from here on hold the feature level that a command needs; 0 is the first level.
const LEVEL_SHIFT: u32 = 24;

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// O(1) or O(log N); not `@slow`.
    pub const FAST: Self = Self(1);
    /// May grow memory: refused with -OOM when memory is full.
    pub const DENY_OOM: Self = Self(1 << 1);
    /// `admin`, `@admin` and `@dangerous`.
    pub const ADMIN: Self = Self(1 << 2);
    /// Allowed before AUTH. Its arguments may be a password and stay out of the slow log.
    pub const NO_AUTH: Self = Self(1 << 3);
    /// Refused inside MULTI.
    pub const NO_MULTI: Self = Self(1 << 4);
    /// Refused inside scripts.
    pub const NO_SCRIPT: Self = Self(1 << 5);
    /// Allowed while the data is being loaded or the node has no leader.
    pub const LOADING: Self = Self(1 << 6);
    /// Answered on a replica without contact to the leader (`stale`).
    pub const STALE: Self = Self(1 << 7);
    /// `@dangerous` without being `@admin` (KEYS, FLUSHALL).
    pub const DANGEROUS: Self = Self(1 << 8);
    /// Executed even inside MULTI instead of being queued (EXEC, DISCARD, WATCH, QUIT, RESET).
    pub const NOT_QUEUED: Self = Self(1 << 9);
    /// Keeps its connection waiting for other nodes: `blocking`, `@blocking` and `@connection`.
    pub const BLOCKING: Self = Self(1 << 10);
    /// `@connection`, in any family.
    pub const CONNECTION: Self = Self(1 << 11);
    /// `@keyspace`, in any family (DBSIZE, FLUSHALL).
    pub const KEYSPACE: Self = Self(1 << 12);
    /// `@admin` and `@dangerous` without the flag `admin` (ROLE, LASTSAVE).
    pub const ADMIN_CATEGORY: Self = Self(1 << 13);
    /// Sent by servers and test suites, not by applications (`syscmd` in COMMAND DOCS).
    pub const INTERNAL: Self = Self(1 << 14);
    /// Creates a key although it needs no memory (RENAME, SMOVE).
    pub const CREATES_KEY: Self = Self(1 << 15);
    /// Executes what MULTI has queued: EXEC.
    pub const EXECUTES_QUEUE: Self = Self(1 << 16);
    /// The commands after it use the database that it names: SELECT.
    pub const SELECTS_DATABASE: Self = Self(1 << 17);
    /// Never in the slow log, which has the commands of a transaction one by one.
    pub const SKIP_SLOW_LOG: Self = Self(1 << 18);
    /// Only for clients that `enable-debug-command` trusts.
    pub const DEBUG: Self = Self(1 << 19);
    /// Its arguments are names and values of parameters; the slow log does not show passwords
    /// among the values.
    pub const SETS_PARAMETERS: Self = Self(1 << 20);

    /// The properties of both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// For a command that only programs of this feature level know. It is part of the flags, so
    /// that the many commands of the first level do not mention it.
    pub const fn needs_level(self, level: FeatureLevel) -> Self {
        Self(self.0 | level.0 << LEVEL_SHIFT)
    }

    /// The feature level at which every member knows the command.
    pub const fn level(self) -> FeatureLevel {
        FeatureLevel::from_number(self.0 >> LEVEL_SHIFT)
    }

    /// Whether all of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
