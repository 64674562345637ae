//! Which kinds of others this Kubernetes has.

use kube::Client;

use super::OptionalKinds;

/// Asks; without an answer there are none.
pub async fn optional_kinds(client: &Client) -> OptionalKinds {
    match client.list_api_group_resources("monitoring.coreos.com/v1").await {
        Ok(list) => {
            let has = |kind: &str| list.resources.iter().any(|resource| resource.kind == kind);
            OptionalKinds { pod_monitor: has("PodMonitor"), prometheus_rule: has("PrometheusRule") }
        }
        Err(error) => {
            tracing::debug!(%error, "no kinds of monitoring.coreos.com");
            OptionalKinds::default()
        }
    }
}
