#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{IronKVCluster, definition};

fn cluster(spec: Value) -> IronKVCluster {
    serde_json::from_value(json!({
        "apiVersion": "ironkv.io/v1alpha1",
        "kind": "IronKVCluster",
        "metadata": { "name": "example", "namespace": "default" },
        "spec": spec,
    }))
    .unwrap()
}

fn refused(spec: Value) -> String {
    format!("{:?}", cluster(spec).validate_cel().unwrap_err())
}

#[test]
fn an_empty_spec_is_three_members_with_a_password_and_encrypted_peers() {
    let spec = cluster(json!({})).spec;
    assert_eq!(spec.replicas, 3);
    assert!(spec.auth.enabled);
    assert_eq!(spec.tls.peers, super::TlsMode::On);
    assert_eq!(spec.storage.size, "1Gi");
    assert_eq!(spec.storage.retention.when_deleted, super::RetentionPolicy::Retain);
    cluster(json!({})).validate_cel().unwrap();
}

#[test]
fn unknown_values_are_refused_with_the_known_ones() {
    let text = refused(json!({ "imagePullPolicy": "always" }));
    assert!(text.contains("must be Always, IfNotPresent or Never"), "{text}");
    let text = refused(json!({ "services": { "type": "ExternalName" } }));
    assert!(text.contains("must be ClusterIP, NodePort or LoadBalancer"), "{text}");
}

#[test]
fn a_name_too_long_for_its_pods_is_refused() {
    let mut long = cluster(json!({}));
    long.metadata.name = Some("n".repeat(41));
    let text = format!("{:?}", long.validate_cel().unwrap_err());
    assert!(text.contains("must not be longer than 40 characters"), "{text}");
}

#[test]
fn an_even_number_of_members_is_refused_with_what_to_write() {
    for replicas in [2, 4, 6, 8] {
        let text = refused(json!({ "replicas": replicas }));
        assert!(text.contains("must be 1, 3, 5, 7 or 9"), "{text}");
    }
    for replicas in [0, 1, 3, 9] {
        cluster(json!({ "replicas": replicas })).validate_cel().unwrap();
    }
}

#[test]
fn a_volume_may_grow_but_neither_shrink_nor_change_its_class() {
    let of = |size: &str, class: &str| {
        cluster(json!({ "storage": { "size": size, "storageClassName": class } }))
    };
    of("2Gi", "fast").validate_cel_update(&of("1Gi", "fast")).unwrap();
    let shrunk = of("1Gi", "fast").validate_cel_update(&of("2Gi", "fast")).unwrap_err();
    assert!(format!("{shrunk:?}").contains("may only grow"), "{shrunk:?}");
    let moved = of("1Gi", "slow").validate_cel_update(&of("1Gi", "fast")).unwrap_err();
    assert!(format!("{moved:?}").contains("storageClassName cannot change"), "{moved:?}");
    let tiny = refused(json!({ "storage": { "size": "1Mi" } }));
    assert!(tiny.contains("at least 1Gi"), "{tiny}");
}

#[test]
fn no_word_of_the_definition_is_a_boolean_for_kubectl() {
    let text = definition().unwrap();
    let booleans = ["y", "n", "yes", "no", "on", "off"];
    for line in text.lines() {
        let word = line.trim_start().trim_start_matches("- ").rsplit(": ").next().unwrap_or(line);
        assert!(!booleans.contains(&word.to_lowercase().as_str()), "{line}");
    }
}

#[test]
fn the_definition_is_small_enough_for_kubectl_apply() {
    // The annotation that `kubectl apply` adds may hold 256 KiB.
    assert!(definition().unwrap().len() < 200 << 10);
}

#[test]
fn the_committed_definition_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds/ironkvclusters.yaml");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == definition().unwrap(),
        "crds/ironkvclusters.yaml is stale; write it again with\n  \
         cargo run -p ironkv-operator -- crd > crds/ironkvclusters.yaml"
    );
}

#[test]
fn encryption_of_peers_changes_only_while_replicas_is_zero() {
    let of = |replicas: i32, peers: &str| {
        cluster(json!({ "replicas": replicas, "tls": { "peers": peers } }))
    };
    of(0, "Disabled").validate_cel_update(&of(0, "Enabled")).unwrap();
    for (new, old) in [(of(3, "Disabled"), of(3, "Enabled")), (of(3, "Enabled"), of(0, "Disabled"))]
    {
        let text = format!("{:?}", new.validate_cel_update(&old).unwrap_err());
        assert!(text.contains("only change while spec.replicas is 0"), "{text}");
    }
}

#[test]
fn the_id_of_an_adopted_cluster_does_not_change() {
    let (one, other) = ("1".repeat(32), "2".repeat(32));
    let of = |id: &str| cluster(json!({ "clusterID": id }));
    of(&one).validate_cel_update(&cluster(json!({}))).unwrap();
    for changed in [of(&other), cluster(json!({}))] {
        let text = format!("{:?}", changed.validate_cel_update(&of(&one)).unwrap_err());
        assert!(text.contains("clusterID cannot change"), "{text}");
    }
    let mut formed = of(&one);
    formed.status = Some(serde_json::from_value(json!({ "clusterID": other })).unwrap());
    let text = format!("{:?}", formed.validate_cel().unwrap_err());
    assert!(text.contains("another id than the one this cluster has"), "{text}");
    formed.status = Some(serde_json::from_value(json!({ "clusterID": one })).unwrap());
    formed.validate_cel().unwrap();
}

#[test]
fn fields_of_a_newer_definition_are_ignored() {
    assert_eq!(cluster(json!({ "fromTheFuture": 1, "tls": { "alsoNew": 1 } })), cluster(json!({})));
}
