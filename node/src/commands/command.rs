//! The vocabulary: what a command is. One constant declares it; everything else is derived.

use std::future::Future;
use std::pin::Pin;

use crate::resp::{Reply, ReplyError};

use super::args::Args;
use super::context::{NodeContext, ReadContext, SessionContext, WriteContext};

/// A reply, or the error to answer instead.
pub type CommandResult = Result<Reply, ReplyError>;

/// The future of a [`Run::Node`] command.
pub type NodeFuture<'a> = Pin<Box<dyn Future<Output = CommandResult> + 'a>>;

/// One command or subcommand, declared once.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Upper case; for a subcommand only its own word.
    pub name: &'static str,
    /// One sentence in our own words.
    pub summary: &'static str,
    /// The Redis version that introduced it.
    pub since: &'static str,
    /// Big-O, with what N is.
    pub complexity: &'static str,
    /// Arguments after the name in Redis' notation, parsed by `syntax.rs`.
    pub syntax: &'static str,
    /// How many arguments, the name (and the container's name) included.
    pub arity: Arity,
    /// Where the keys are.
    pub keys: Keys,
    /// What cannot be derived.
    pub flags: Flags,
    /// What it may touch, which is also its route.
    pub run: Run,
}

/// Number of arguments including the command name, as Redis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// Exactly this many.
    Exactly(u8),
    /// This many or more.
    AtLeast(u8),
}

/// Where keys stand among the arguments; index 0 is the command name.
#[derive(Debug, Clone, Copy)]
pub enum Keys {
    /// No keys.
    None,
    /// One key at index 1.
    First,
    /// From `first` to `last` (negative counts from the end) by `step`.
    Range { first: u8, last: i8, step: u8 },
    /// A count at index `at`, then that many keys. Keys at fixed places before are in `also`.
    Counted { at: u8, also: Option<u8> },
    /// Anything else: returns the indexes.
    Found(fn(&[bytes::Bytes]) -> Vec<usize>),
}

/// What cannot be derived from the other fields. Combine with [`Flags::with`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u16);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// O(1) or O(log N); not `@slow`.
    pub const FAST: Self = Self(1);
    /// May grow memory: refused with -OOM when full.
    pub const DENY_OOM: Self = Self(1 << 1);
    /// `@admin` and `@dangerous`.
    pub const ADMIN: Self = Self(1 << 2);
    /// Allowed before AUTH.
    pub const NO_AUTH: Self = Self(1 << 3);
    /// Refused inside MULTI.
    pub const NO_MULTI: Self = Self(1 << 4);
    /// Refused inside scripts.
    pub const NO_SCRIPT: Self = Self(1 << 5);
    /// Allowed while the data is being loaded or the node has no leader.
    pub const LOADING: Self = Self(1 << 6);
    /// Answers on a replica without asking the leader (`stale`).
    pub const STALE: Self = Self(1 << 7);
    /// `@dangerous` without being `@admin` (KEYS, FLUSHALL).
    pub const DANGEROUS: Self = Self(1 << 8);
    /// Executed even inside MULTI instead of being queued (EXEC, DISCARD, WATCH, QUIT, RESET).
    pub const NOT_QUEUED: Self = Self(1 << 9);
    /// A read that never touches a value, so its answer is cheap for eviction (does not touch LRU).
    pub const NO_TOUCH: Self = Self(1 << 10);

    /// Both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a command may touch. The variant is also its route, so the two cannot disagree.
#[derive(Clone, Copy)]
pub enum Run {
    /// Reads keys of one group. Runs here, once the group has confirmed the read.
    Read(fn(&ReadContext<'_>, Args<'_>) -> CommandResult),
    /// Changes keys. Goes through the log; runs inside apply on every replica.
    Write(fn(&mut WriteContext<'_>, Args<'_>) -> CommandResult),
    /// Touches only this connection: AUTH, HELLO, CLIENT, MULTI.
    Session(fn(&mut SessionContext<'_>, Args<'_>) -> CommandResult),
    /// Asks this node or the cluster, not the keys: INFO, CONFIG, CLUSTER, WAIT.
    Node(for<'a> fn(&'a NodeContext<'a>, Args<'a>) -> NodeFuture<'a>),
    /// Holds subcommands: CLIENT, CONFIG, OBJECT.
    Container(&'static [Command]),
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read(_) => "Read",
            Self::Write(_) => "Write",
            Self::Session(_) => "Session",
            Self::Node(_) => "Node",
            Self::Container(_) => "Container",
        })
    }
}

/// Commands that share a group in `COMMAND DOCS` and an ACL category.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Redis' group name, such as `sorted-set`.
    pub group: &'static str,
    /// The ACL category, such as `@sortedset`; empty for none.
    pub category: &'static str,
    /// In the order of the documentation.
    pub commands: &'static [Command],
}
