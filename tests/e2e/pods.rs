//! Pods are deleted: the leader's, all of them, one together with its volume.

use std::time::Duration;

use ironkv_tests::kube::until;
use serde_json::json;

use crate::scene::{READY_MAX, begin, leader, members, namespace, settle, uids, verify};

#[test]
fn a_store_survives_the_loss_of_its_leader_and_of_all_its_pods() {
    let namespace = namespace("pods");
    let (store, traffic) = begin(&namespace, json!({}));

    let first = leader(&store);
    let before = uids(&store);
    namespace.kubectl(&["delete", "pod", &first, "--wait=true"]);
    settle(&store, &traffic);
    println!("leader's pod deleted: longest gap {} ms", traffic.report().longest_gap_ms);
    assert_ne!(uids(&store), before);

    namespace.kubectl(&["delete", "pods", &store.selector(), "--wait=true"]);
    settle(&store, &traffic);

    verify(&store, traffic);
    store.delete(Duration::from_secs(120));
}

#[test]
fn a_member_whose_volume_is_deleted_is_replaced_by_a_new_one() {
    let namespace = namespace("disk");
    let (store, traffic) = begin(&namespace, json!({}));
    let before = members(&store);
    let victim = leader(&store);
    namespace.kubectl(&["delete", "pvc", &format!("data-{victim}"), "--wait=false"]);
    namespace.kubectl(&["delete", "pod", &victim]);
    until("a member with a new identity", READY_MAX, || {
        let now = members(&store);
        let new = now.iter().any(|id| !before.contains(id));
        if new && now.len() == 3 { Ok(()) } else { Err(format!("{now:?}")) }
    });
    settle(&store, &traffic);
    verify(&store, traffic);
}
