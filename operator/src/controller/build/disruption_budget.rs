//! Keeps a majority while machines are drained.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Seen, metadata, selector};
use crate::controller::ValidatedCluster;
use crate::names;

/// None for a single member: it would keep its machine from ever being drained.
pub(super) fn disruption_budget(
    cluster: &ValidatedCluster,
    seen: &Seen<'_>,
) -> Option<PodDisruptionBudget> {
    let members = seen.voters.max(cluster.replicas());
    let quorum = i32::try_from(members / 2 + 1).unwrap_or(i32::MAX);
    (members > 1).then(|| PodDisruptionBudget {
        metadata: metadata(cluster, names::disruption_budget(&cluster.name)),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(quorum)),
            selector: Some(selector(cluster)),
            // A pod that is not ready may still be the vote that makes the majority: one that is
            // behind acknowledges what it receives. While a majority is ready the others may be
            // evicted whatever their state, so a pod that never comes up blocks no drain.
            unhealthy_pod_eviction_policy: Some("IfHealthyBudget".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}
