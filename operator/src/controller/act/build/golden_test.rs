//! The built objects as files, so that the effect of a change on users is visible.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::{Value, json};

use super::{BuildContext, Objects, build, template_hash};
use crate::controller::observe::OptionalKinds;
use crate::controller::tests::fixtures::cluster;

/// The name, the spec, and the hash of the pod template of each case.
///
/// When a hash changes, an upgrade of the operator restarts the pods of all users. Change a hash
/// here only if its spec changes too, or if a restart of all pods everywhere is justified.
fn cases() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("three_nodes", json!({}), "52bfde0154f4d645"),
        ("single_node", json!({ "replicas": 1 }), "52bfde0154f4d645"),
        (
            "plain",
            json!({
                "auth": { "enabled": false },
                "tls": { "peers": "Disabled" },
                "networkPolicy": { "enabled": false },
                "scheduling": { "spread": { "node": "Disabled", "zone": "Disabled" } },
            }),
            "1fc16c57b3b3ccb9",
        ),
        ("everything", everything(), "16413fb88aceae0d"),
    ]
}

fn everything() -> Value {
    json!({
        "replicas": 5,
        "image": "registry.example.com/ironkv:1.2.3",
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["registry"],
        "storage": { "size": "10Gi", "storageClassName": "fast" },
        "resources": {
            "requests": { "cpu": "2", "memory": "4Gi" },
            "limits": { "memory": "4Gi" },
        },
        "scheduling": {
            "spread": { "node": "Required", "zone": "Required" },
            "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{ "matchExpressions": [
                    { "key": "pool", "operator": "In", "values": ["data"] },
                ] }],
            } } },
            "tolerations": [{ "key": "data", "operator": "Exists" }],
            "nodeSelector": { "disk": "nvme" },
            "priorityClassName": "important",
        },
        "config": {
            "maxmemory": "3gb",
            "checkpoint.bytes_per_second_max": "64mb",
            "telemetry.latency_tracking": "no",
            "telemetry.level": "debug",
            "parameters.save": "",
        },
        "auth": { "secret": { "name": "our-password" } },
        "tls": { "clients": "Enabled", "clientSecretName": "our-certificate" },
        "services": { "type": "LoadBalancer", "annotations": { "example.com/internal": "true" } },
        "monitoring": { "podMonitor": true, "prometheusRule": true, "dashboard": true },
        "clusterID": "fedcba9876543210fedcba9876543210",
        "podOverrides": everything_overridden(),
        "terminationGracePeriodSeconds": 10,
    })
}

fn everything_overridden() -> Value {
    json!({
        "metadata": { "labels": { "team": "orders" }, "annotations": { "example.com/a": "b" } },
        "spec": {
            "runtimeClassName": "gvisor",
            "volumes": [{ "name": "scratch", "emptyDir": {} }],
            "containers": [
                {
                    "name": "ironkv",
                    "env": [{ "name": "RUST_BACKTRACE", "value": "1" }],
                    "readinessProbe": { "periodSeconds": 9 },
                    "volumeMounts": [{ "name": "scratch", "mountPath": "/scratch" }],
                },
                { "name": "sidecar", "image": "registry.example.com/sidecar:1" },
            ],
        },
    })
}

fn built(spec: Value) -> Objects {
    let kinds = OptionalKinds { pod_monitor: true, prometheus_rule: true };
    let context = BuildContext {
        ordinals: 0,
        stateful_set: None,
        voters: 0,
        optional_kinds: kinds,
        default_image: "ghcr.io/ironkv/ironkv:0.1.0",
    };
    build(&cluster(spec), &context)
}

fn golden_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.yaml"))
}

/// All objects as YAML documents, in the order in which they are applied.
fn written(objects: &Objects) -> String {
    let mut documents = vec![yaml(&objects.service_account), yaml(&objects.config_map)];
    documents.extend(objects.services.iter().map(yaml));
    documents.extend(objects.disruption_budget.as_ref().map(yaml));
    documents.extend(objects.network_policy.as_ref().map(yaml));
    documents.extend(objects.pod_monitor.as_ref().map(yaml));
    documents.extend(objects.prometheus_rule.as_ref().map(|rule| yaml(&without_rules(rule))));
    documents.extend(objects.dashboard.as_ref().map(|map| yaml(&without_content(map))));
    documents.push(yaml(&objects.stateful_set));
    documents.join("---\n")
}

fn yaml(object: &impl Serialize) -> String {
    serde_yaml::to_string(object).unwrap()
}

/// The rules are in a separate file.
fn without_rules(rule: &DynamicObject) -> DynamicObject {
    let mut rule = rule.clone();
    let groups = rule.data["spec"]["groups"].as_array_mut().unwrap();
    assert!(groups.len() > 3 && groups.iter().all(|group| group["rules"].is_array()));
    rule.data["spec"]["groups"] = json!("as in manifests/monitoring/alerts.yaml");
    rule
}

/// The dashboard is in a separate file.
fn without_content(dashboard: &ConfigMap) -> ConfigMap {
    let mut dashboard = dashboard.clone();
    for content in dashboard.data.iter_mut().flat_map(|data| data.values_mut()) {
        assert_eq!(serde_json::from_str::<Value>(content).unwrap()["title"], "IronKV");
        "as in manifests/monitoring/dashboard.json".clone_into(content);
    }
    dashboard
}

#[test]
fn the_objects_are_those_of_the_golden_files() {
    for (name, spec, _) in cases() {
        let (file, written) = (golden_file(name), written(&built(spec)));
        if std::env::var_os("IRONKV_UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &written).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            golden == written,
            "golden/{name}.yaml is not what is built now; write it again with\n  \
             IRONKV_UPDATE_GOLDEN=1 cargo test -p ironkv-operator golden\n\
             and read the difference: it is what an upgrade of the operator does to its users"
        );
    }
}

#[test]
fn the_hashes_of_the_pod_templates_stay_the_same() {
    for (name, spec, pinned) in cases() {
        let objects = built(spec);
        let hash = template_hash(&objects.stateful_set);
        assert_eq!(
            hash, pinned,
            "the pod template of `{name}` changed: an upgrade to this operator restarts every pod \
             of every user. Build the same template as before for the same spec; only if a restart \
             everywhere is wanted, write the new hash here and say so in the release notes"
        );
    }
}
