//! Manual damage: objects that the operator created are deleted or changed.

use std::time::Duration;

use ironkv_tests::kube::until;
use serde_json::json;

use crate::scene::{NAME, READY_MAX, begin, namespace, settle, verify};

const KINDS: &str = "services,configmaps,serviceaccounts,poddisruptionbudgets,networkpolicies";

#[test]
fn manual_deletions_and_changes_are_repaired() {
    let namespace = namespace("damage");
    let (store, traffic) = begin(&namespace, json!({}));

    let made = || namespace.kubectl(&["get", KINDS, &store.selector(), "--output=name"]);
    let before = made();
    assert!(before.lines().count() > 6, "{before}");
    namespace.kubectl(&["delete", KINDS, &store.selector()]);
    // Also the authority of the peers, and so the trust in all that it has signed.
    namespace.kubectl(&["delete", "secret", &format!("{NAME}-ca"), &format!("{NAME}-peer-tls")]);
    until("what was deleted", READY_MAX, || {
        let now = made();
        if now == before { Ok(()) } else { Err(now) }
    });
    settle(&store, &traffic);

    // The pods that come back must accept the new certificates.
    namespace.kubectl(&["scale", "statefulset", NAME, "--replicas=1"]);
    until("the right number of pods", READY_MAX, || {
        let replicas = namespace.get(&["statefulset", NAME])["spec"]["replicas"].clone();
        if replicas == 3 { Ok(()) } else { Err(replicas) }
    });
    traffic.wait_for_writes(50, Duration::from_secs(120));
    settle(&store, &traffic);
    verify(&store, traffic);
}
