//! What applying an item of an entry comes to.

use crate::base::ids::NodeId;
use crate::commands::Executed;
use crate::consensus::errors::{ProposeError, Refusal};

/// What one item of an entry answers to whoever proposed it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ItemOutcome {
    /// Of a request.
    Executed(Executed),
    /// The reserved node id.
    NodeId(NodeId),
    /// Nothing to say.
    Done,
    /// The incarnation of a member is another one now.
    Registered,
    /// Refused, the same way on every replica.
    Refused(String),
    /// A piece of a request of which others are missing: nothing was executed.
    OutOfPlace,
}

/// What an applied request answers.
pub(crate) fn executed(outcome: ItemOutcome) -> Result<Executed, ProposeError> {
    match outcome {
        ItemOutcome::Executed(executed) => Ok(executed),
        ItemOutcome::Done | ItemOutcome::Registered | ItemOutcome::NodeId(_) => {
            Ok(Executed::default())
        }
        ItemOutcome::Refused(text) => Err(ProposeError::NotExecuted(Refusal::Invalid(text))),
        // Another node has led in between: the next leader gets all of it.
        ItemOutcome::OutOfPlace => Err(ProposeError::NotExecuted(Refusal::NoLeader)),
    }
}
