#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::invalid::Invalid;
use super::warnings::Warning;
use super::{validate, warnings};
use crate::controller::tests::fixtures::{cluster, resource};
use crate::crd::IronKVCluster;

fn refused(spec: Value) -> String {
    validate(&resource(spec)).unwrap_err().to_string()
}

fn refused_overrides(overrides: Value) -> String {
    refused(json!({ "podOverrides": overrides }))
}

fn warned(spec: Value) -> Vec<Warning> {
    warnings(&cluster(spec))
}

#[test]
fn the_identity_comes_from_the_uid() {
    let cluster = cluster(json!({}));
    assert_eq!((cluster.name.as_str(), cluster.namespace.as_str()), ("kv", "prod"));
    assert_eq!(cluster.cluster_id, "0123456789abcdef0123456789abcdef");
    assert_eq!(cluster.generation, Some(4));
    let owner = cluster.owner;
    assert_eq!((owner.kind.as_str(), owner.uid == cluster.uid.as_str()), ("IronKVCluster", true));
    assert_eq!((owner.controller, owner.block_owner_deletion), (Some(true), Some(true)));
}

#[test]
fn the_identity_of_an_earlier_cluster_can_be_adopted() {
    let id = "f".repeat(32);
    let cluster = cluster(json!({ "clusterID": id }));
    assert_eq!(cluster.cluster_id, id);
    assert!(refused(json!({ "clusterID": "F".repeat(32) })).contains("32 hexadecimal digits"));
}

#[test]
fn a_resource_that_no_api_server_gave_is_refused() {
    let mut cluster = resource(json!({}));
    cluster.metadata.uid = None;
    assert_eq!(validate(&cluster).unwrap_err(), Invalid::Metadata("uid"));
}

#[test]
fn keys_with_a_dot_are_for_the_file_and_those_without_for_the_whole_cluster() {
    let cluster = cluster(json!({ "config": {
        "maxmemory": "1gb",
        "checkpoint.log_bytes_min": "1gb",
        "parameters.save": "",
    } }));
    assert_eq!(cluster.cluster_parameters().into_keys().collect::<Vec<_>>(), ["maxmemory"]);
    let keys: Vec<_> = cluster.file_keys().into_keys().collect();
    assert_eq!(keys, ["checkpoint.log_bytes_min", "parameters.save"]);
}

#[test]
fn keys_that_the_operator_sets_are_refused_with_what_to_write() {
    let cases = [
        ("listen.resp_port", "spec.tls.clients"),
        ("advertise.host", "peers' Service"),
        ("data.directory", "spec.storage"),
        ("node.name", "by the operator"),
        ("node.peers", "by the operator"),
        ("auth.password_file", "use spec.auth"),
        ("tls.peer_mode", "use spec.tls"),
        ("security.requirepass", "spec.auth.secret"),
        ("REQUIREPASS", "spec.auth.secret"),
    ];
    for (key, instead) in cases {
        let text = refused(json!({ "config": { key: "x" } }));
        assert!(text.contains(key) && text.contains(instead), "{text}");
    }
}

#[test]
fn malformed_keys_and_values_are_refused() {
    for key in ["", ".", "a.", ".a", "a.b.c", "a b", "a:b", "-a", "1", "a\nb"] {
        let text = refused(json!({ "config": { key: "x" } }));
        assert!(text.contains("is no name"), "{key}: {text}");
    }
    let text = refused(json!({ "config": { "maxmemory": "1gb\n" } }));
    assert!(text.contains("one line"), "{text}");
}

#[test]
fn overrides_of_the_wrong_shape_are_refused() {
    let text = refused_overrides(json!({ "spec": { "containers": "all" } }));
    assert!(text.contains("is no pod template"), "{text}");
    let text = refused_overrides(json!({ "spec": { "contaners": [{ "name": "a" }] } }));
    assert!(text.contains("podOverrides.spec.contaners is no field"), "{text}");
    let text = refused_overrides(json!({ "spec": { "containers": [
        { "name": "a" }, { "name": "b", "resources": { "limit": { "cpu": 1 } } },
    ] } }));
    assert!(text.contains("spec.containers[1].resources.limit is no field"), "{text}");
}

#[test]
fn overrides_of_what_the_operator_decides_are_refused_with_what_to_write() {
    let own = |mut container: Value| {
        container["name"] = "ironkv".into();
        json!({ "spec": { "containers": [container] } })
    };
    let cases = [
        (own(json!({ "image": "a" })), "spec.image"),
        (own(json!({ "args": ["a"] })), "spec.config"),
        (own(json!({ "command": ["a"] })), "spec.config"),
        (own(json!({ "ports": [{ "containerPort": 1 }] })), "Service of your own"),
        (own(json!({ "env": [{ "name": "IRONKV_LISTEN_RESP_PORT" }] })), "spec.config"),
        (own(json!({ "volumeMounts": [{ "name": "a", "mountPath": "/etc" }] })), "elsewhere"),
        (json!({ "spec": { "containers": [{ "image": "a" }] } }), "name: ironkv"),
        (
            json!({ "spec": { "containers": [
                { "name": "a", "ports": [{ "containerPort": 6379 }] }
            ] } }),
            "choose another",
        ),
        (json!({ "spec": { "volumes": [{ "name": "data" }] } }), "another name"),
        (json!({ "spec": { "terminationGracePeriodSeconds": 1 } }), "of the cluster"),
        (json!({ "metadata": { "labels": { "ironkv.io/role": "x" } } }), "finds pods by it"),
        (
            json!({ "metadata": { "labels": { "app.kubernetes.io/name": "x" } } }),
            "finds pods by it",
        ),
    ];
    for (overrides, instead) in cases {
        let text = refused_overrides(overrides.clone());
        assert!(text.contains("must not set") && text.contains(instead), "{overrides}: {text}");
    }
}

#[test]
fn overrides_of_anything_else_are_taken() {
    let cluster = cluster(json!({ "podOverrides": {
        "metadata": { "annotations": { "a": "b" }, "creationTimestamp": null },
        "spec": {
            "priority": 4,
            "volumes": [{ "name": "scratch", "emptyDir": {} }],
            "containers": [
                { "name": "ironkv", "env": [{ "name": "RUST_BACKTRACE", "value": "1" }],
                  "volumeMounts": [{ "name": "scratch", "mountPath": "/scratch" }] },
                { "name": "sidecar", "image": "a", "ports": [{ "containerPort": 9000 }] },
            ],
        },
    } }));
    assert_eq!(cluster.overrides.unwrap().spec.unwrap().containers.len(), 2);
}

#[test]
fn a_recommended_spec_has_no_warning() {
    let spec = json!({
        "config": { "maxmemory": "1gb" },
        "resources": { "limits": { "memory": "2Gi" } },
    });
    assert_eq!(warned(spec), []);
}

#[test]
fn each_setting_that_is_not_recommended_has_a_warning() {
    let bounded = json!({ "maxmemory": "1gb" });
    let cases = [
        (json!({}), Warning::UnboundedMemory),
        (json!({ "config": { "maxmemory": "0" } }), Warning::UnboundedMemory),
        (
            json!({ "config": bounded, "resources": { "limits": { "memory": "1Gi" } } }),
            Warning::SmallMemoryLimit { limit: 1 << 30, needed: (5 << 28) + (256 << 20) },
        ),
        (json!({ "config": bounded, "replicas": 1 }), Warning::OneReplica),
        (
            json!({ "config": bounded, "scheduling": { "spread": { "node": "Disabled" } } }),
            Warning::NoSpread,
        ),
        (
            json!({
                "config": bounded,
                "tls": { "peers": "Disabled" },
                "networkPolicy": { "enabled": false },
            }),
            Warning::OpenPeers,
        ),
        (json!({ "config": bounded, "auth": { "enabled": false } }), Warning::NoPassword),
        (json!({ "config": bounded, "terminationGracePeriodSeconds": 5 }), Warning::ShortGrace(5)),
    ];
    for (spec, expected) in cases {
        assert_eq!(warned(spec), [expected]);
    }
}

#[test]
fn the_samples_are_valid_and_those_for_production_have_no_warning() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/samples");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut sample: IronKVCluster = serde_yaml::from_str(&text).unwrap();
        sample.validate_cel().unwrap();
        sample.metadata.uid = Some("01234567-89ab-cdef-0123-456789abcdef".to_owned());
        sample.metadata.namespace = Some("default".to_owned());
        let cluster = validate(&sample).unwrap();
        let name = cluster.name.to_string();
        if name == "orders" || name == "cache" {
            assert_eq!(warnings(&cluster), [], "{}", path.display());
        }
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["archive", "cache", "example", "orders", "small"]);
}
