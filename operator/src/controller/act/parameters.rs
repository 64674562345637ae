//! Redis parameters of the whole cluster: the leader gets those of `spec.config`.

use crate::controller::decide::ValidatedCluster;
use crate::controller::observe::NodeStatuses;
use crate::controller::report::{Problem, Reason};
use crate::node_admin::{AdminError, NodeAdmin};

/// Sets the parameters that differ. Returns a problem when the store refuses one.
pub(crate) async fn set(
    admin: &dyn NodeAdmin,
    cluster: &ValidatedCluster,
    nodes: &NodeStatuses,
) -> Option<Problem> {
    let parameters = cluster.cluster_parameters();
    if parameters.is_empty() {
        return None;
    }
    let leader = nodes.leader_endpoint()?;
    let parameters = parameters.into_iter().collect();
    match admin.set_parameters(leader, parameters, &cluster.cluster_id).await {
        Ok(changed) if changed.is_empty() => None,
        Ok(changed) => {
            let (namespace, name) = (&cluster.namespace, &cluster.name);
            tracing::info!(%namespace, %name, ?changed, "parameters set");
            None
        }
        Err(AdminError::Refused(text)) => {
            Some(Problem::new(Reason::ParameterRefused, format!("spec.config: {text}")))
        }
        // The next reconcile tries again.
        Err(error) => {
            tracing::debug!(%error, "parameters not set");
            None
        }
    }
}
