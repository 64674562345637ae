//! The life of a store: created, used, a pod lost, deleted, created again with its volumes.

use std::time::Duration;

use ironkv_tests::kube::{Kube, Namespace, Store, Traffic, operator};
use serde_json::json;
use tokio::time::Instant;

use crate::scene::{message, verify};

const SECRET: &str = "smoke-auth";

#[test]
fn a_store_survives_the_loss_of_a_pod_and_its_own_deletion() {
    let kube = Kube::from_environment();
    operator::install(&kube);
    let namespace = Namespace::create(&kube, "smoke");
    let mut spec = json!({"replicas": 3, "storage": {"size": "1Gi"}});
    let start = Instant::now();
    let store = Store::create(&namespace, "smoke", &spec);
    store.wait_for("Ready", "True", Duration::from_secs(180));
    println!("ready after {:?}", start.elapsed());
    assert_eq!(store.ready_pods().len(), 3);

    let traffic = Traffic::start_with_password(&namespace, "smoke", SECRET);
    traffic.wait_for_writes(200, Duration::from_secs(60));
    namespace.kubectl(&["delete", "pod", "smoke-0", "--grace-period=0", "--force"]);
    store.wait_for("Ready", "True", Duration::from_secs(120));
    traffic.wait_for_writes(200, Duration::from_secs(60));

    store.delete(Duration::from_secs(120));
    let claims = namespace.get(&["pvc"])["items"].as_array().cloned().unwrap();
    assert_eq!(claims.len(), 3, "volumes stay unless the resource says otherwise");

    // A store of the same name leaves them alone until its owner is confirmed.
    let store = Store::create(&namespace, "smoke", &spec);
    let text = message(&store, "ClusterIDMismatch", "ClusterIDMismatch");
    let id = claims[0]["metadata"]["labels"]["ironkv.io/cluster-uid"].as_str().unwrap();
    assert!(text.contains(&format!("spec.clusterID to {id}")), "{text}");
    spec["clusterID"] = json!(id);
    store.change(&spec);
    store.wait_for("Ready", "True", Duration::from_secs(180));
    // The password is new, and a mounted Secret is updated with a delay.
    traffic.wait_for_writes(50, Duration::from_secs(180));
    verify(&store, traffic);
}
