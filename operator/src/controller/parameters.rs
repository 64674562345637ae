//! Redis parameters of the whole cluster, kept as `spec.config` says by the leader.

use super::ValidatedCluster;
use super::problem::Problem;
use super::survey::Survey;
use crate::node_admin::{AdminError, NodeAdmin};

/// Sets those that differ; answers what the store refused.
pub(super) async fn keep(
    nodes: &dyn NodeAdmin,
    cluster: &ValidatedCluster,
    survey: &Survey,
) -> Option<Problem> {
    let parameters = cluster.cluster_parameters();
    let (leader, _) = survey.leader(&cluster.cluster_id).filter(|_| !parameters.is_empty())?;
    let door = survey.doors.get(&leader)?;
    let parameters = parameters.into_iter().collect();
    match nodes.set_parameters(door, parameters, &cluster.cluster_id).await {
        Ok(changed) if changed.is_empty() => None,
        Ok(changed) => {
            let (namespace, name) = (&cluster.namespace, &cluster.name);
            tracing::info!(%namespace, %name, ?changed, "parameters set");
            None
        }
        Err(AdminError::Refused(text)) => {
            Some(Problem::new("ParameterRefused", format!("spec.config: {text}")))
        }
        // The next pass tries again.
        Err(error) => {
            tracing::debug!(%error, "parameters not set");
            None
        }
    }
}
