//! How the pods are spread over machines and zones.

use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint,
};

use crate::controller::act::build::common::selector;
use crate::controller::decide::ValidatedCluster;
use crate::crd::SpreadMode;

const NODE: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The affinity of the user; with spread `Required`, also an anti-affinity between members.
pub(super) fn affinity(cluster: &ValidatedCluster) -> Option<Affinity> {
    let scheduling = &cluster.spec.scheduling;
    if scheduling.spread.node != SpreadMode::Required {
        return scheduling.affinity.clone();
    }
    let mut affinity = scheduling.affinity.clone().unwrap_or_default();
    let anti_affinity: &mut PodAntiAffinity = affinity.pod_anti_affinity.get_or_insert_default();
    let required = &mut anti_affinity.required_during_scheduling_ignored_during_execution;
    required.get_or_insert_default().push(PodAffinityTerm {
        label_selector: Some(selector(cluster)),
        topology_key: NODE.to_owned(),
        ..PodAffinityTerm::default()
    });
    Some(affinity)
}

/// The constraints that spread the pods evenly over machines and zones.
pub(super) fn spread(cluster: &ValidatedCluster) -> Option<Vec<TopologySpreadConstraint>> {
    let spread = cluster.spec.scheduling.spread;
    let node = match spread.node {
        SpreadMode::Preferred => Some("ScheduleAnyway"),
        // It is disabled, or the affinity guarantees it.
        SpreadMode::Disabled | SpreadMode::Required => None,
    };
    let zone = match spread.zone {
        SpreadMode::Disabled => None,
        SpreadMode::Preferred => Some("ScheduleAnyway"),
        SpreadMode::Required => Some("DoNotSchedule"),
    };
    let constraint = |(key, mode): (&str, Option<&str>)| {
        mode.map(|mode| TopologySpreadConstraint {
            label_selector: Some(selector(cluster)),
            max_skew: 1,
            // A machine that accepts no pods must not count as an empty machine.
            node_taints_policy: Some("Honor".to_owned()),
            topology_key: key.to_owned(),
            when_unsatisfiable: mode.to_owned(),
            ..TopologySpreadConstraint::default()
        })
    };
    let all: Vec<_> = [(NODE, node), (ZONE, zone)].into_iter().filter_map(constraint).collect();
    (!all.is_empty()).then_some(all)
}
