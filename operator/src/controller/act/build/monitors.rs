//! Objects for Prometheus and Grafana. They are built if the spec enables them and Kubernetes has
//! their kinds.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::common::{BuildContext, metadata, selector};
use crate::controller::decide::ValidatedCluster;
use crate::names::{self, ports};

const ALERTS: &str = include_str!("../../../../../manifests/monitoring/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../../../manifests/monitoring/dashboard.json");

/// The resource `PodMonitor`.
pub(crate) fn pod_monitor_resource() -> ApiResource {
    resource("PodMonitor")
}

/// The resource `PrometheusRule`.
pub(crate) fn prometheus_rule_resource() -> ApiResource {
    resource("PrometheusRule")
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("monitoring.coreos.com", "v1", kind))
}

/// It scrapes all members as one job with the name of the cluster, as alerts and dashboard expect.
pub(super) fn pod_monitor(
    cluster: &ValidatedCluster,
    context: &BuildContext<'_>,
) -> Option<DynamicObject> {
    let wanted = cluster.spec.monitoring.pod_monitor && context.optional_kinds.pod_monitor;
    let spec = json!({ "spec": {
        "jobLabel": "app.kubernetes.io/instance",
        "selector": selector(cluster),
        "podMetricsEndpoints": [{ "port": ports::HTTP_NAME, "path": "/metrics" }],
    } });
    let name = names::pod_monitor(&cluster.name);
    wanted.then(|| dynamic(cluster, name, &pod_monitor_resource(), spec))
}

/// The alerts are the same for every cluster, so Alertmanager merges those of two clusters.
pub(super) fn prometheus_rule(
    cluster: &ValidatedCluster,
    context: &BuildContext<'_>,
) -> Option<DynamicObject> {
    let wanted = cluster.spec.monitoring.prometheus_rule && context.optional_kinds.prometheus_rule;
    let name = names::prometheus_rule(&cluster.name);
    wanted.then(|| {
        let rules: Value = serde_yaml::from_str(ALERTS).expect("a golden file holds what it says");
        dynamic(cluster, name, &prometheus_rule_resource(), json!({ "spec": rules }))
    })
}

/// The sidecar of Grafana finds it by its label.
pub(super) fn dashboard(cluster: &ValidatedCluster) -> Option<ConfigMap> {
    let mut metadata = metadata(cluster, names::dashboard(&cluster.name));
    let label = ("grafana_dashboard".to_owned(), "1".to_owned());
    metadata.labels.get_or_insert_default().extend([label]);
    // The file is the same for every cluster: it shows all clusters, and the sidecar keeps one
    // copy.
    let data = BTreeMap::from([("ironkv.json".to_owned(), DASHBOARD.to_owned())]);
    let wanted = cluster.spec.monitoring.dashboard;
    wanted.then(|| ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })
}

fn dynamic(
    cluster: &ValidatedCluster,
    name: String,
    resource: &ApiResource,
    data: Value,
) -> DynamicObject {
    let object = DynamicObject::new(&name, resource).data(data);
    DynamicObject { metadata: metadata(cluster, name), ..object }
}
