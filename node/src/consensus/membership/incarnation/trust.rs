//! Which nodes this one believes, and whether others may believe it.

use std::sync::Arc;

use super::Incarnations;
use crate::consensus::leadership::participation::Participation;
use crate::consensus::lifetime::Lifetime;
use crate::consensus::membership::standing::Standings;
use crate::consensus::raft_handle::RaftHandle;

/// See the module.
pub(crate) struct Trust {
    pub(crate) incarnations: Arc<Incarnations>,
    pub(crate) standings: Arc<Standings>,
    pub(crate) raft: Arc<RaftHandle>,
    pub(crate) participation: Arc<Participation>,
    pub(crate) lifetime: Arc<Lifetime>,
}
