//! The feature level: one small number for what every member of a cluster understands. Whatever
//! travels through the log or lies in a checkpoint carries the level that it needs, and the leader
//! refuses it while the cluster runs at a lower one, so that a program never meets an entry that it
//! cannot execute. See `consensus/membership/feature_level.rs` for how the level rises.
//!
//! To gate an addition, declare the level that it needs, in one line:
//!
//! * a kind of log item: an arm in `Item::needs_level` of `consensus/proposal/entry.rs`;
//! * a command that may be in a log entry (every Write, and a Read because of MULTI):
//!   `.needs_level(FeatureLevel::SECOND)` among its flags;
//! * a cluster-wide parameter: `Parameter { needs_level: FeatureLevel::SECOND, ..row(…) }` in
//!   `data/keyspace/parameters.rs`;
//! * a kind of work that a follower asks of its leader: an arm in `Work::needs_level` of
//!   `consensus/proposal/forward/mod.rs`;
//! * a field of the replicated state: written behind the level in `ReplicatedState::encode`, which
//!   only levels above the first reach, so it has its default value until then;
//! * a change of what a command or a parameter means: the code asks `WriteContext::feature_level`
//!   and does below the new level what it did before.
//!
//! Tests hold the commands and parameters of the first level against lists of what version 0.1.0
//! has, so one that is added without a level is noticed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// See the module. Levels only ever rise, one program may know several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeatureLevel(pub u32);

impl FeatureLevel {
    /// What version 0.1.0 understands. That version neither reports nor stores a level.
    pub const FIRST: Self = Self(1);

    /// What was added after version 0.1.0.
    pub const SECOND: Self = Self(2);

    /// The lowest level at which this program can take part in a cluster.
    pub const LOWEST: Self = Self::FIRST;

    /// The highest level that this program understands.
    pub const HIGHEST: Self = Self::SECOND;

    /// From a message or a file, where 0 means a program that knows no levels.
    pub const fn from_number(number: u32) -> Self {
        if number == 0 { Self::FIRST } else { Self(number) }
    }

    /// Whether this program can take part in a cluster at this level.
    pub fn is_known(self) -> bool {
        (Self::LOWEST..=Self::HIGHEST).contains(&self)
    }
}

impl Default for FeatureLevel {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for FeatureLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Data of a cluster at a level that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the cluster runs at feature level {0}, and this program knows levels {lowest} to {highest}: \
     start a version that knows level {0}",
    lowest = FeatureLevel::LOWEST,
    highest = FeatureLevel::HIGHEST
)]
pub struct UnknownLevel(pub FeatureLevel);
