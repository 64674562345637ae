//! Observations: what Kubernetes and the nodes report about a cluster. Nothing here writes.

mod kinds;
mod model;
mod nodes;
mod objects;
pub(crate) mod secrets;
pub(crate) mod stores;

pub(crate) use kinds::{OptionalKinds, optional_kinds};
pub(crate) use model::{is_made_for, log_id, observed};
pub(crate) use nodes::NodeStatuses;
pub(crate) use objects::{ClusterObjects, condition, container, is_ready};
pub(crate) use stores::AffectedCluster;
