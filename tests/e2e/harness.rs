//! What the other tests rely on: traffic that detects lost writes, and its record.

use std::time::Duration;

use ironkv_tests::kube::{Kube, Namespace, Traffic, until};
use serde_json::json;

const STORE: &str = "plain";

/// One node in a pod, initialised by hand as a cluster of one; no operator.
fn start_plain_store(namespace: &Namespace, name: &str) {
    let image = std::env::var("IRONKV_E2E_IMAGE").expect("run `just e2e`");
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [{"name": "data", "emptyDir": {}}],
            "containers": [{
                "name": "ironkv",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": ["serve", "--listen-resp-host=0.0.0.0", "--data-directory=/data"],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 6379}]},
    });
    namespace.apply(&format!("{pod}\n---\n{service}"));
    until("a cluster of one", Duration::from_secs(60), || {
        namespace.try_exec(name, &["/usr/local/bin/ironkv", "cluster", "init"])
    });
}

#[test]
fn traffic_through_a_service_is_all_found_again() {
    let namespace = Namespace::create(&Kube::from_environment(), "harness");
    start_plain_store(&namespace, STORE);
    let traffic = Traffic::start(&namespace, STORE);
    traffic.wait_for_writes(200, Duration::from_secs(60));
    let report = traffic.verify(&[STORE.to_owned()]).unwrap();
    assert!(report.acknowledged > 200, "{report:?}");
    assert_eq!(report.keys.values().sum::<u64>(), report.acknowledged, "{report:?}");
}

#[test]
fn a_lost_write_is_noticed() {
    let namespace = Namespace::create(&Kube::from_environment(), "harness");
    start_plain_store(&namespace, STORE);
    let traffic = Traffic::start(&namespace, STORE);
    traffic.wait_for_writes(20, Duration::from_secs(60));
    let lost = traffic.client(&["redis-cli", "-h", STORE, "DEL", "e2e:7"]);
    assert_eq!(lost.trim(), "1");
    start_plain_store(&namespace, "empty");
    let message = traffic.verify(&["empty".to_owned()]).unwrap_err();
    assert!(message.contains(r#"missing: ["e2e:7: "#), "{message}");
    assert!(message.contains("at empty:6379"), "{message}");
}
