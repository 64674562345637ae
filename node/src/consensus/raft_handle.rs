//! The running core, once this node has an identity.

use std::sync::{Arc, OnceLock};

use openraft::async_runtime::watch::WatchReceiver;

use crate::base::ids::NodeId;
use crate::consensus::network::channels::Identity;
use crate::consensus::state_machine::machine::StateMachine;
use crate::consensus::types::{MemberAddresses, Metrics, TypeConfig};

/// The handle of the consensus core.
pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// See the module.
pub(crate) struct Core {
    pub(crate) raft: Raft,
    pub(crate) identity: Arc<Identity>,
}

/// The place of the core, empty until it runs.
#[derive(Default)]
pub(crate) struct RaftHandle(OnceLock<Core>);

impl RaftHandle {
    pub(crate) fn core(&self) -> Option<&Core> {
        self.0.get()
    }

    /// Gives the core back when one runs already.
    pub(crate) fn set(&self, core: Core) -> Result<(), Core> {
        self.0.set(core)
    }

    pub(crate) fn raft(&self) -> Option<&Raft> {
        self.core().map(|core| &core.raft)
    }

    /// A copy of what the core reports; `None` before it runs.
    pub(crate) fn metrics(&self) -> Option<Metrics> {
        self.raft().map(|raft| raft.metrics().borrow_watched().clone())
    }

    pub(crate) fn address_of(&self, node: NodeId) -> Option<MemberAddresses> {
        self.metrics()?.membership_config.get_node(&node).cloned()
    }
}
