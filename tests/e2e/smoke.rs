//! The life of a store: asked for, used, a pod lost, deleted.

use std::time::Duration;

use ironkv_tests::kube::{Kube, Namespace, Store, Traffic, operator};
use serde_json::json;

const SECRET: &str = "smoke-auth";

#[test]
fn a_store_of_three_survives_the_loss_of_a_pod_and_leaves_nothing() {
    let kube = Kube::from_environment();
    operator::install(&kube);
    let namespace = Namespace::create(&kube, "smoke");
    let spec = json!({"replicas": 3, "storage": {"size": "1Gi"}});
    let store = Store::create(&namespace, "smoke", &spec);
    store.wait_for("Ready", "True", Duration::from_secs(180));
    assert_eq!(store.ready_pods().len(), 3);

    let traffic = Traffic::start_with_password(&namespace, "smoke", SECRET);
    traffic.wait_for_writes(200, Duration::from_secs(60));
    namespace.kubectl(&["delete", "pod", "smoke-0", "--grace-period=0", "--force"]);
    store.wait_for("Ready", "True", Duration::from_secs(120));
    traffic.wait_for_writes(200, Duration::from_secs(60));
    traffic.verify();

    store.delete(Duration::from_secs(120));
}
