//! A copy of the state at one place of the log.

use super::replicated_state::ReplicatedState;
use crate::data::keyspace::Keyspace;

/// The state between two entries, for a checkpoint. Cheap: the keyspace shares its structure.
pub(crate) struct Cut {
    pub(crate) keyspace: Keyspace,
    pub(crate) state: ReplicatedState,
}
