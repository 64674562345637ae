//! Pods go: the leader's, all of them, those of a machine that is drained.

use std::time::Duration;

use ironkv_tests::kube::Store;
use serde_json::json;

use crate::scene::{NAME, leader, namespace, pod, settle, spec, traffic, uids};

#[test]
fn a_store_survives_the_loss_of_its_leader_of_all_its_pods_and_a_drain() {
    let namespace = namespace("pods");
    let store = Store::create(&namespace, NAME, &spec(json!({})));
    store.wait_for("Ready", "True", crate::scene::READY_MAX);
    let traffic = traffic(&namespace);

    let first = leader(&store);
    let before = uids(&namespace);
    namespace.kubectl(&["delete", "pod", &first, "--wait=true"]);
    settle(&store, &traffic);
    println!("leader's pod deleted: longest gap {} ms", traffic.report().longest_gap_ms);
    assert_ne!(uids(&namespace), before);

    let selector = format!("--selector=app.kubernetes.io/instance={NAME}");
    namespace.kubectl(&["delete", "pods", &selector, "--wait=true"]);
    settle(&store, &traffic);

    let machine = pod(&namespace, &leader(&store))["spec"]["nodeName"].as_str().unwrap().to_owned();
    namespace.kubectl(&[
        "drain",
        &machine,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--pod-selector",
        &selector["--selector=".len()..],
        "--timeout=60s",
    ]);
    // Its volume is on that machine, so its pod waits for it; the others go on.
    traffic.wait_for_writes(50, Duration::from_secs(60));
    namespace.kubectl(&["uncordon", &machine]);
    settle(&store, &traffic);
    traffic.verify();
    store.delete(Duration::from_secs(120));
}
