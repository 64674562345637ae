//! Builds the objects of a cluster from its spec. Pure.

mod common;
mod config_map;
mod disruption_budget;
mod monitors;
mod network_policy;
mod pod;
mod service_account;
mod services;
mod stateful_set;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::DynamicObject;

use crate::controller::decide::ValidatedCluster;
use crate::names;

pub(crate) use common::BuildContext;
pub(crate) use monitors::{pod_monitor_resource, prometheus_rule_resource};

/// All objects of a cluster except its Secrets. Those that are `None` are deleted.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    /// The identity of the pods.
    pub(crate) service_account: ServiceAccount,
    /// The configuration file.
    pub(crate) config_map: ConfigMap,
    /// The Services for members and for clients.
    pub(crate) services: Vec<Service>,
    /// It keeps a majority of the pods running while machines are drained.
    pub(crate) disruption_budget: Option<PodDisruptionBudget>,
    /// The clients that may connect to each port.
    pub(crate) network_policy: Option<NetworkPolicy>,
    /// It scrapes the metrics of the pods.
    pub(crate) pod_monitor: Option<DynamicObject>,
    /// The alerts.
    pub(crate) prometheus_rule: Option<DynamicObject>,
    /// The dashboard for Grafana.
    pub(crate) dashboard: Option<ConfigMap>,
    /// The StatefulSet of the pods.
    pub(crate) stateful_set: StatefulSet,
}

/// Builds the objects of a cluster.
pub(crate) fn build(cluster: &ValidatedCluster, context: &BuildContext<'_>) -> Objects {
    Objects {
        service_account: service_account::service_account(cluster),
        config_map: config_map::config_map(cluster),
        services: services::services(cluster),
        disruption_budget: disruption_budget::disruption_budget(cluster, context),
        network_policy: network_policy::network_policy(cluster),
        pod_monitor: monitors::pod_monitor(cluster, context),
        prometheus_rule: monitors::prometheus_rule(cluster, context),
        dashboard: monitors::dashboard(cluster),
        stateful_set: stateful_set::stateful_set(cluster, context),
    }
}

/// The hash in the annotations of the pod template; empty when there is none.
pub(crate) fn template_hash(stateful_set: &StatefulSet) -> &str {
    let metadata = stateful_set.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
    let annotations = metadata.and_then(|metadata| metadata.annotations.as_ref());
    let hash = annotations.and_then(|all| all.get(names::TEMPLATE_HASH_ANNOTATION));
    hash.map_or("", String::as_str)
}

#[cfg(test)]
mod build_test;
#[cfg(test)]
mod golden_test;
