#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::{BuildContext, Objects, build, template_hash};
use crate::controller::observe::OptionalKinds;
use crate::controller::tests::fixtures::cluster;

const NOTHING: BuildContext<'_> = BuildContext {
    ordinals: 0,
    stateful_set: None,
    voters: 0,
    optional_kinds: OptionalKinds { pod_monitor: false, prometheus_rule: false },
    default_image: "default",
};

fn built(spec: Value) -> Objects {
    build(&cluster(spec), &NOTHING)
}

fn pod(objects: &Objects) -> &PodSpec {
    objects.stateful_set.spec.as_ref().unwrap().template.spec.as_ref().unwrap()
}

fn hash(spec: Value) -> String {
    template_hash(&built(spec).stateful_set).to_owned()
}

#[test]
fn changes_that_nodes_apply_live_keep_the_hash() {
    let all = [
        json!({ "config": { "maxmemory": "1gb", "raft.heartbeat_ms": "50" } }),
        json!({ "auth": { "secret": { "name": "other", "key": "other" } } }),
        json!({ "replicas": 5 }),
        json!({ "storage": { "size": "9Gi", "retention": { "whenScaled": "Retain" } } }),
        json!({ "services": { "type": "NodePort" } }),
        json!({ "networkPolicy": { "enabled": false } }),
        json!({ "monitoring": { "podMonitor": true, "dashboard": true } }),
        json!({ "update": { "strategy": "Manual", "pauseOnFailure": true } }),
        json!({ "memberReplacement": { "policy": "Manual" } }),
        json!({ "paused": true }),
        json!({ "clusterID": "f".repeat(32) }),
    ];
    for spec in all {
        assert_eq!(hash(spec.clone()), hash(json!({})), "{spec}");
    }
}

#[test]
fn changes_that_need_new_pods_change_the_hash() {
    let all = [
        json!({ "image": "other" }),
        json!({ "resources": { "limits": { "cpu": "1" } } }),
        json!({ "scheduling": { "nodeSelector": { "a": "b" } } }),
        json!({ "auth": { "enabled": false } }),
        json!({ "tls": { "clients": "Enabled" } }),
        json!({ "tls": { "clients": "Enabled", "clientSecretName": "other" } }),
        json!({ "podOverrides": { "metadata": { "annotations": { "restarted": "today" } } } }),
        json!({ "terminationGracePeriodSeconds": 61 }),
    ];
    let mut seen = BTreeMap::from([(hash(json!({})), json!({}))]);
    for spec in all {
        assert_eq!(seen.insert(hash(spec.clone()), spec), None);
    }
}

#[test]
fn an_operator_with_another_default_image_keeps_that_of_the_running_pods() {
    let old = built(json!({}));
    let newer =
        BuildContext { default_image: "newer", stateful_set: Some(&old.stateful_set), ..NOTHING };
    let image = |spec: Value, context: &BuildContext<'_>| {
        pod(&build(&cluster(spec), context)).containers[0].image.clone().unwrap()
    };
    assert_eq!(image(json!({}), &newer), "default");
    assert_eq!(image(json!({}), &BuildContext { stateful_set: None, ..newer }), "newer");
    assert_eq!(image(json!({ "image": "asked" }), &newer), "asked");
}

#[test]
fn immutable_fields_of_a_stateful_set_are_kept() {
    let mut old = built(json!({ "storage": { "size": "1Gi" } })).stateful_set;
    let spec = old.spec.as_mut().unwrap();
    spec.service_name = Some("before".to_owned());
    spec.selector.match_labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    let context = BuildContext { ordinals: 3, stateful_set: Some(&old), ..NOTHING };
    let new = build(&cluster(json!({ "storage": { "size": "2Gi" } })), &context).stateful_set;
    let kept = |set: &StatefulSet| {
        let spec = set.spec.clone().unwrap();
        (spec.service_name, spec.selector, spec.volume_claim_templates)
    };
    assert_eq!(kept(&new), kept(&old));
    assert_eq!(new.spec.unwrap().replicas, Some(3));
}

#[test]
fn a_majority_of_the_members_that_are_or_will_be_is_kept() {
    let budget = |replicas: i32, voters: u32| {
        let spec = cluster(json!({ "replicas": replicas }));
        let budget = build(&spec, &BuildContext { voters, ..NOTHING }).disruption_budget?;
        budget.spec.unwrap().min_available
    };
    assert_eq!(budget(3, 0), Some(IntOrString::Int(2)));
    assert_eq!(budget(5, 3), Some(IntOrString::Int(3)));
    assert_eq!(budget(3, 5), Some(IntOrString::Int(3)));
    assert_eq!(budget(3, 4), Some(IntOrString::Int(3)));
    assert_eq!(budget(1, 1), None);
    assert_eq!(budget(0, 0), None);
}

#[test]
fn monitors_are_made_only_where_their_kinds_are_known() {
    let spec = json!({ "monitoring": { "podMonitor": true, "prometheusRule": true } });
    let objects = built(spec.clone());
    assert!(objects.pod_monitor.is_none() && objects.prometheus_rule.is_none());
    let kinds = OptionalKinds { pod_monitor: true, prometheus_rule: true };
    let objects = build(&cluster(spec), &BuildContext { optional_kinds: kinds, ..NOTHING });
    assert!(objects.pod_monitor.is_some() && objects.prometheus_rule.is_some());
}

#[test]
fn overrides_are_merged_into_the_pod_by_the_names_of_its_containers() {
    let objects = built(json!({ "podOverrides": { "spec": {
        "containers": [
            { "name": "ironkv", "env": [{ "name": "A", "value": "b" }] },
            { "name": "sidecar", "image": "a" },
        ],
    } } }));
    let containers = &pod(&objects).containers;
    assert_eq!(
        containers.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["ironkv", "sidecar"]
    );
    let names: Vec<_> = containers[0].env.iter().flatten().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["POD_NAME", "IRONKV_NODE_NAME", "IRONKV_ADVERTISE_HOST", "A"]);
    assert_eq!(containers[0].image.as_deref(), Some("default"));
}

#[test]
fn every_sample_is_valid() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/samples");
    let mut samples = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let resource: Value = serde_yaml::from_str(&text).unwrap();
        if resource["kind"] == "IronKVCluster" {
            built(resource["spec"].clone());
            samples += 1;
        }
    }
    assert!(samples > 0);
}
