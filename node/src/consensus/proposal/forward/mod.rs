//! Requests that need the leader, on any node. A request that was certainly not executed waits here
//! for the next leader and is sent again; one whose fate is unknown never is.

pub(crate) mod delivery;
pub(crate) mod forwarder;
pub(crate) mod forwards;
pub(crate) mod link;
pub(crate) mod messages;
pub(crate) mod on_leader;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::base::feature_level::FeatureLevel;
use crate::commands::Executed;
use crate::commands::request::Request;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::proposal::claim::Claim;
use crate::consensus::proposal::queue_bytes::Place;
use crate::consensus::read::confirm::{Confirmation, ReadPoint};

/// Share of the time left that is kept for the way of the answer, percent: a leader that finds a
/// request too late says so before the client's own time is over.
const ANSWER_MARGIN_PERCENT: u32 = 5;

/// What the leader is asked.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Propose(Request),
    SetParameters(Vec<(String, Bytes)>),
    ReadIndex(Confirmation),
}

impl Work {
    /// The feature level at which every leader knows this kind of work: one of an older version
    /// ends the whole stream when it is asked for what it does not know.
    pub(crate) const fn needs_level(&self) -> FeatureLevel {
        match self {
            Self::SetParameters(parameters) if parameters.len() > 1 => FeatureLevel::SECOND,
            Self::Propose(_) | Self::SetParameters(_) | Self::ReadIndex(_) => FeatureLevel::FIRST,
        }
    }

    /// Its part of a log entry.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Propose(request) => request.bytes.len(),
            Self::SetParameters(parameters) => {
                parameters.iter().map(|(name, value)| 8 + name.len() + value.len()).sum()
            }
            Self::ReadIndex(_) => 0,
        }
    }

    /// Whether it may be asked again whatever became of it.
    pub(crate) const fn changes_nothing(&self) -> bool {
        matches!(self, Self::ReadIndex(_))
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Executed(Executed),
    ReadIndex(ReadPoint),
}

pub(crate) type Answered = Result<Answer, ProposeError>;

/// One request to the leader, whichever node that is.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) deadline: Instant,
    pub(crate) claim: Claim,
    /// Held until it is answered.
    pub(crate) place: Option<Place>,
    pub(crate) done: oneshot::Sender<Answered>,
}

impl Job {
    /// For the leader, milliseconds; never 0, which means that none is given.
    pub(crate) fn time_left_ms(&self) -> u32 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = left - left * ANSWER_MARGIN_PERCENT / 100;
        u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1)
    }

    pub(crate) fn refuse(self, refusal: Refusal) {
        // A client that is gone needs no answer.
        let _ = self.done.send(Err(ProposeError::NotExecuted(refusal)));
    }
}
