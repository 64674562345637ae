//! The objects of a cluster: built from what is asked for, without touching anything.

mod config_map;
mod container;
mod disruption_budget;
mod monitors;
mod mounts;
mod network_policy;
mod pod_template;
mod scheduling;
mod service_account;
mod services;
mod stateful_set;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::DynamicObject;

use super::ValidatedCluster;
use crate::names;

pub use monitors::{pod_monitor_resource, prometheus_rule_resource};

/// What is seen of the world that objects depend on.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Pods that the StatefulSet has now; 0 when there is none. Only a step changes it.
    pub ordinals: u32,
    /// The StatefulSet now.
    pub stateful_set: Option<&'a StatefulSet>,
    /// Voters of the membership now.
    pub voters: u32,
    /// Kinds that not every Kubernetes has.
    pub optional_kinds: OptionalKinds,
    /// Image of the store when nothing else says which.
    pub default_image: &'a str,
}

/// Kinds that not every Kubernetes has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionalKinds {
    /// `PodMonitor` of monitoring.coreos.com/v1.
    pub pod_monitor: bool,
    /// `PrometheusRule` of monitoring.coreos.com/v1.
    pub prometheus_rule: bool,
}

/// Every object of a cluster but its Secrets. An absent one is to be deleted.
#[derive(Clone, Debug)]
pub struct Objects {
    /// Of the pods.
    pub service_account: ServiceAccount,
    /// The configuration file.
    pub config_map: ConfigMap,
    /// Of the peers and of clients.
    pub services: Vec<Service>,
    /// Keeps a majority while machines are drained.
    pub disruption_budget: Option<PodDisruptionBudget>,
    /// Who may reach the pods.
    pub network_policy: Option<NetworkPolicy>,
    /// Scrapes the pods.
    pub pod_monitor: Option<DynamicObject>,
    /// Alerts.
    pub prometheus_rule: Option<DynamicObject>,
    /// For Grafana.
    pub dashboard: Option<ConfigMap>,
    /// The pods' owner; applied last, so that pods find all else there.
    pub stateful_set: StatefulSet,
}

/// The objects of a cluster.
pub fn build(cluster: &ValidatedCluster, seen: &Seen<'_>) -> Objects {
    Objects {
        service_account: service_account::service_account(cluster),
        config_map: config_map::config_map(cluster),
        services: services::services(cluster),
        disruption_budget: disruption_budget::disruption_budget(cluster, seen),
        network_policy: network_policy::network_policy(cluster),
        pod_monitor: monitors::pod_monitor(cluster, seen),
        prometheus_rule: monitors::prometheus_rule(cluster, seen),
        dashboard: monitors::dashboard(cluster),
        stateful_set: stateful_set::stateful_set(cluster, seen),
    }
}

/// The hash that the pod template carries; empty when it carries none.
pub fn template_hash(stateful_set: &StatefulSet) -> &str {
    let metadata = stateful_set.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
    let annotations = metadata.and_then(|metadata| metadata.annotations.as_ref());
    let hash = annotations.and_then(|all| all.get(names::TEMPLATE_HASH_ANNOTATION));
    hash.map_or("", String::as_str)
}

/// Of an object of the cluster: it goes when the cluster goes.
fn metadata(cluster: &ValidatedCluster, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(cluster.namespace.clone()),
        labels: Some(names::labels(&cluster.name)),
        owner_references: Some(vec![cluster.owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// The pods of the cluster.
fn selector(cluster: &ValidatedCluster) -> LabelSelector {
    LabelSelector { match_labels: Some(names::selector(&cluster.name)), ..LabelSelector::default() }
}

#[cfg(test)]
mod build_test;
#[cfg(test)]
mod golden_test;
