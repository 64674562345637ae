//! What a report is made of.

use super::diagnosis::Findings;
use crate::controller::decide::{Observed, StatusLatches, Step, Target, ValidatedCluster};
use crate::controller::observe::{ClusterObjects, NodeStatuses};

/// Everything that the status and its conditions are derived from.
pub(crate) struct Facts<'a> {
    /// The cluster.
    pub(crate) cluster: &'a ValidatedCluster,
    /// The desired state.
    pub(crate) target: &'a Target,
    /// The latches, including those that the last step has set.
    pub(crate) latches: StatusLatches,
    /// The observed pods and volumes.
    pub(crate) objects: &'a ClusterObjects,
    /// The answers of the nodes.
    pub(crate) nodes: &'a NodeStatuses,
    /// The observed state as the planner sees it.
    pub(crate) observed: &'a Observed,
    /// The planned step; `None` when a problem prevented it.
    pub(crate) step: Option<&'a Step>,
    /// The problems.
    pub(crate) findings: &'a Findings,
}
