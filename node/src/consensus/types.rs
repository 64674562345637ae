//! What openraft is asked to be generic over, named once.

use std::fmt;

use bytes::Bytes;
use openraft::raft::responder::Responder;

use crate::base::ids::NodeId;
use crate::consensus::state_machine::apply::ItemOutcome;
use crate::consensus::state_machine::machine::StateMachine;

/// The types of our Raft. Written out, because the macro cannot take a responder of our own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TypeConfig;

impl openraft::RaftTypeConfig for TypeConfig {
    type D = GroupEntryBytes;
    type R = Vec<ItemOutcome>;
    type NodeId = NodeId;
    type Node = MemberAddresses;
    type Term = u64;
    type LeaderId = openraft::impls::leader_id_adv::LeaderId<u64, NodeId>;
    type Vote = openraft::impls::Vote<Self::LeaderId>;
    type Payload = openraft::EntryPayload<Self::D, Self::NodeId, Self::Node>;
    type Entry = openraft::Entry<Self::LeaderId, Self::Payload>;
    type AsyncRuntime = crate::consensus::seeded_runtime::SeedableRuntime;
    type Responder<T>
        = OnComplete<T>
    where
        T: openraft::OptionalSend + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: openraft::OptionalSend + 'static;
    type ErrorSource = openraft::impls::BoxedErrorSource;
}

/// The handle of the consensus core.
pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;
pub(crate) type LeaderId = openraft::type_config::alias::LeaderIdOf<TypeConfig>;
pub(crate) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(crate) type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(crate) type Payload = openraft::type_config::alias::PayloadOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<NodeId, MemberAddresses>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type Snapshot<D> = openraft::type_config::alias::SnapshotOf<TypeConfig, D>;
pub(crate) type Metrics = openraft::RaftMetrics<TypeConfig>;

/// How a node is reached: `host:port` each. Names, resolved again at every connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberAddresses {
    /// Peers and administration (gRPC).
    pub raft: String,
    /// Redis clients.
    pub client: String,
    /// Probes, metrics, REST.
    pub http: String,
}

/// An encoded [`crate::consensus::proposal::entry::GroupEntry`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct GroupEntryBytes(pub Bytes);

impl fmt::Debug for GroupEntryBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for GroupEntryBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Runs once when openraft knows the end of a proposal. Dropped without a run when the core stops,
/// which drops whatever waits inside: its receiver then knows that the fate is unknown.
pub(crate) struct OnComplete<T>(Box<dyn FnOnce(T) + Send>);

impl<T> OnComplete<T> {
    pub(crate) fn new(run: impl FnOnce(T) + Send + 'static) -> Self {
        Self(Box::new(run))
    }
}

impl<T: Send + 'static> Responder<TypeConfig, T> for OnComplete<T> {
    fn on_complete(self, result: T) {
        (self.0)(result);
    }
}
