//! New images: a good one, one that does not exist, and the rollback.

use std::time::Duration;

use ironkv_tests::kube::{Store, until};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::scene::{
    NAME, READY_MAX, begin, leader, message, namespace, password, patch, settle, spec, uids,
    verify, wait_until,
};

/// The same programs under another name, provided by `tests/e2e/run`.
fn other_image() -> String {
    format!("{}-next", std::env::var("IRONKV_E2E_IMAGE").unwrap())
}

#[test]
fn a_new_image_rolls_without_a_lost_write_and_a_bad_one_does_no_harm() {
    let namespace = namespace("roll");
    let (store, traffic) = begin(&namespace, json!({}));
    let before = uids(&store);

    let start = Instant::now();
    patch(&namespace, json!({ "image": other_image() }));
    store.wait_for("Ready", "True", READY_MAX);
    println!("rolled in {:?}", start.elapsed());
    settle(&store, &traffic);
    assert!(uids(&store).iter().all(|uid| !before.contains(uid)), "every pod is new");
    let report = traffic.report();
    println!("roll: longest gap {} ms, {} writes unknown", report.longest_gap_ms, report.unknown);
    assert!(report.longest_gap_ms < 10_000, "{report:?}");

    patch(&namespace, json!({ "image": "localhost/ironkv:not-there" }));
    let text = message(&store, "Degraded", "ImageNotPulled");
    assert!(text.contains("localhost/ironkv:not-there") && text.contains("spec.image"), "{text}");
    // One pod was tried; the other two serve.
    traffic.wait_for_writes(50, Duration::from_secs(60));
    leader(&store);
    patch(&namespace, json!({ "image": other_image() }));
    settle(&store, &traffic);
    verify(&store, traffic);
}

#[test]
fn settings_and_passwords_change_without_a_restart_where_they_can() {
    let namespace = namespace("settings");
    let (store, traffic) = begin(&namespace, json!({}));
    let before = uids(&store);

    patch(
        &namespace,
        json!({ "config": {
            "maxmemory": "100mb",
            "telemetry.slow_command_us": "12345",
        }}),
    );
    let password = password(&namespace);
    let redis = |password: &str, command: &[&str]| {
        let words = ["redis-cli", "-h", NAME, "--no-auth-warning", "-a", password];
        traffic.client(&[&words[..], command].concat())
    };
    let get = |name: &str| redis(&password, &["CONFIG", "GET", name]);
    let is = |name: &str, value: &str| {
        until(&format!("{name} = {value}"), READY_MAX, || {
            let now = get(name);
            if now.contains(value) { Ok(()) } else { Err(now) }
        });
    };
    is("maxmemory", "104857600");
    is("slowlog-log-slower-than", "12345");
    assert_eq!(uids(&store), before, "no pod was restarted");

    let patch_secret = json!({ "stringData": { "password": "another-password" } }).to_string();
    namespace.kubectl(&["patch", "secret", &format!("{NAME}-auth"), "--patch", &patch_secret]);
    until("the new password is accepted", READY_MAX, || {
        let pong = redis("another-password", &["PING"]);
        if pong.trim() == "PONG" { Ok(()) } else { Err(pong) }
    });
    assert_eq!(uids(&store), before, "no pod was restarted");
    settle(&store, &traffic);

    let set_free_bytes_min = |bytes: &str| {
        patch(&namespace, json!({ "config": { "data.free_bytes_min": bytes } }));
    };
    set_free_bytes_min("1099511627776000");
    let text = message(&store, "Ready", "DiskFull");
    assert!(text.contains("spec.storage.size"), "{text}");
    let events = namespace.get(&["events", "--field-selector=reason=DiskFull"]);
    assert!(!events["items"].as_array().unwrap().is_empty(), "an event");
    let refusal = redis("another-password", &["SET", "no", "space"]);
    assert!(refusal.starts_with("MISCONF"), "{refusal}");
    set_free_bytes_min("67108864");
    settle(&store, &traffic);
    assert_eq!(uids(&store), before, "no pod was restarted");

    // The segments of the log are created at the start.
    patch(&namespace, json!({ "config": { "log.segment_bytes": "8388608" } }));
    wait_until(&store, "new pods", |_| uids(&store).iter().all(|uid| !before.contains(uid)));
    settle(&store, &traffic);
    verify(&store, traffic);
}

#[test]
fn an_impossible_spec_is_refused_or_explained() {
    let namespace = namespace("invalid");
    let refused = |spec: Value| {
        let resource = json!({
            "apiVersion": "ironkv.io/v1alpha1", "kind": "IronKVCluster",
            "metadata": { "name": "refused" }, "spec": spec,
        });
        namespace.try_apply(&resource.to_string()).unwrap_err().to_string()
    };
    for (spec, words) in [
        (json!({ "replicas": 2 }), "must be 1, 3, 5, 7 or 9"),
        (json!({ "storage": { "size": "1Mi" } }), "at least 1Gi"),
        (json!({ "replicas": "three" }), "replicas"),
        (json!({ "services": { "type": "Nothing" } }), "ClusterIP, NodePort or LoadBalancer"),
    ] {
        let text = refused(spec);
        assert!(text.contains(words), "{text}");
    }

    let mut bad = spec(json!({ "auth": { "secret": { "name": "mine" } } }));
    let store = Store::create(&namespace, NAME, &bad);
    let text = message(&store, "Progressing", "NoPassword");
    assert!(text.contains("kubectl create secret generic mine"), "{text}");
    namespace.kubectl(&["create", "secret", "generic", "mine", "--from-literal=password=a"]);
    store.wait_for("Ready", "True", READY_MAX);

    bad["config"] = json!({ "listen.resp_port": "7000" });
    store.change(&bad);
    let text = message(&store, "Progressing", "InvalidSpec");
    assert!(text.contains("listen.resp_port"), "{text}");
    assert_eq!(store.ready_pods().len(), 3, "what runs is left alone");
    bad["config"] = json!({});
    store.change(&bad);
    store.wait_for("Ready", "True", READY_MAX);

    let unplaced = Store::create(
        &namespace,
        "unplaced",
        &spec(json!({
            "replicas": 1, "scheduling": { "nodeSelector": { "no": "such-label" } },
        })),
    );
    let text = message(&unplaced, "Degraded", "Unschedulable");
    assert!(text.contains("spec.scheduling"), "{text}");
    let classless = Store::create(
        &namespace,
        "classless",
        &spec(json!({
            "replicas": 1, "storage": { "size": "1Gi", "storageClassName": "nowhere" },
        })),
    );
    let text = message(&classless, "Degraded", "VolumeNotProvisioned");
    assert!(text.contains("storage class nowhere"), "{text}");

    // One store that serves and two that never started: none of them blocks the deletion.
    namespace.delete(READY_MAX);
}
