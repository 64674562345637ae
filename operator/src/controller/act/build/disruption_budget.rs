//! The PodDisruptionBudget, which keeps a majority of the pods running while machines are drained.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::common::{BuildContext, metadata, selector};
use crate::controller::decide::ValidatedCluster;
use crate::names;

/// A single member has no budget, because its machine could never be drained.
pub(super) fn disruption_budget(
    cluster: &ValidatedCluster,
    context: &BuildContext<'_>,
) -> Option<PodDisruptionBudget> {
    let members = context.voters.max(cluster.replicas());
    let quorum = i32::try_from(members / 2 + 1).unwrap_or(i32::MAX);
    (members > 1).then(|| PodDisruptionBudget {
        metadata: metadata(cluster, names::disruption_budget(&cluster.name)),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(quorum)),
            selector: Some(selector(cluster)),
            // A pod that is not ready may still provide the vote that completes a majority, because
            // a follower that lags acknowledges entries. While a majority is ready, the other pods
            // may be evicted in any state, so a pod that never becomes ready does not block a
            // drain.
            unhealthy_pod_eviction_policy: Some("IfHealthyBudget".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}
