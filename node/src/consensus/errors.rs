//! Why a request to the group has no answer.

use crate::base::feature_level::FeatureLevel;
use crate::resp::ReplyError;

/// What clients read when the time of a request ends before a leader has taken it.
const NO_LEADER: &str =
    "CLUSTERDOWN no leader with a majority was reached in time; nothing was executed";

/// Why a proposal has no replies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Certain: nothing of it is in the log or ever will be.
    #[error("not executed: {0}")]
    NotExecuted(Refusal),
    /// It may or may not be executed, now or later. It must not be tried again on the client's
    /// behalf.
    #[error("the fate of the request is unknown")]
    Unknown,
}

/// Why nothing was appended to the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody leads, or nobody that can be reached.
    #[error("no leader")]
    NoLeader,
    /// It does not fit a log entry.
    #[error("larger than a log entry may be")]
    TooLarge,
    /// The node is shutting down or was removed.
    #[error("the node is stopping")]
    Stopping,
    /// There is no room for the log.
    #[error("the disk is full")]
    DiskFull,
    /// Too much is waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// `maxmemory` is reached and nothing can be evicted.
    #[error("out of memory")]
    OutOfMemory,
    /// Some members would not understand it; nothing of it is in the log.
    #[error(
        "{what} needs feature level {needed}; the cluster runs at level {in_force} until all \
         members are upgraded"
    )]
    NeedsLevel {
        /// The subject of the sentence.
        what: &'static str,
        /// What every member must understand first.
        needed: FeatureLevel,
        /// What they do now, as far as the node that refuses it knows.
        in_force: FeatureLevel,
    },
    /// Refused by every replica alike; the text says why.
    #[error("{0}")]
    Invalid(String),
}

impl Refusal {
    /// The reply to the client. Nothing was executed, so clients may try again where it says so.
    pub fn reply(&self) -> ReplyError {
        match self {
            Self::NoLeader => ReplyError::new(NO_LEADER),
            Self::TooLarge => ReplyError::new(
                "ERR request is larger than a log entry may be (limits.entry_bytes_max): send \
                 smaller values, or fewer commands in one MULTI",
            ),
            Self::Stopping => ReplyError::new("TRYAGAIN this node is stopping; use another"),
            Self::DiskFull => ReplyError::new(
                "MISCONF too little room on the leader's disk; writes are refused for now",
            ),
            Self::Busy => ReplyError::new(
                "BUSY too many bytes of requests are waiting; nothing of this one was executed",
            ),
            Self::OutOfMemory => ReplyError::OUT_OF_MEMORY,
            Self::NeedsLevel { .. } => ReplyError::new(format!("ERR {self}")),
            Self::Invalid(text) => ReplyError::new(text.clone()),
        }
    }
}

/// Why a read cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader confirmed the read in time.
    #[error("no leader that can be reached")]
    NoLeader,
    /// The local state is too old for a stale read, or unknown.
    #[error("the local state is too old")]
    TooStale,
    /// The node is shutting down or was removed.
    #[error("the node is stopping")]
    Stopping,
}

impl ReadError {
    /// The reply to the client.
    pub fn reply(&self) -> ReplyError {
        ReplyError::new(match self {
            Self::NoLeader => NO_LEADER,
            Self::TooStale => "MASTERDOWN this node is too far behind its leader for stale reads",
            Self::Stopping => "TRYAGAIN this node is stopping; use another",
        })
    }
}
