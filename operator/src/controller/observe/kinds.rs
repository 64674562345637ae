//! Which optional kinds of objects this Kubernetes has.

use kube::Client;

/// Kinds that not every Kubernetes has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OptionalKinds {
    /// `PodMonitor` of monitoring.coreos.com/v1.
    pub(crate) pod_monitor: bool,
    /// `PrometheusRule` of monitoring.coreos.com/v1.
    pub(crate) prometheus_rule: bool,
}

/// Asks the API server which optional kinds it has. An error counts as none.
pub(crate) async fn optional_kinds(client: &Client) -> OptionalKinds {
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
