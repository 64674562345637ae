//! More members, fewer members, none and back.

use std::time::Duration;

use serde_json::json;

use crate::scene::{NAME, begin, members, message, namespace, patch, settle, verify, wait_until};

#[test]
fn a_store_grows_and_shrinks_under_load_also_while_its_operator_is_killed() {
    let namespace = namespace("scale");
    let (store, traffic) = begin(&namespace, json!({}));

    patch(&namespace, json!({ "replicas": 5 }));
    wait_until(&store, "a fourth member", |resource| {
        resource["status"]["members"].as_array().is_some_and(|members| members.len() > 3)
    });
    // During the change: the next operator continues where this one was.
    let operators = ["delete", "pods", "--selector=app.kubernetes.io/name=ironkv-operator"];
    let system = namespace.in_namespace("ironkv-system");
    system.kubectl(&[&operators[..], &["--grace-period=0", "--force"]].concat());
    settle(&store, &traffic);
    assert_eq!(members(&store).len(), 5);

    println!("grown: {:?}", traffic.report());
    namespace.kubectl(&["scale", "ikv", NAME, "--replicas=3"]);
    settle(&store, &traffic);
    assert_eq!(members(&store).len(), 3);
    let claims = namespace.get(&["pvc"]);
    assert_eq!(claims["items"].as_array().unwrap().len(), 3, "volumes of former members are gone");

    println!("scaling: {:?}", traffic.report());
    verify(&store, traffic);
}

#[test]
fn a_paused_store_is_left_alone_and_a_hibernated_one_wakes_with_its_data() {
    let namespace = namespace("sleep");
    let (store, traffic) = begin(&namespace, json!({}));
    let before = members(&store);

    patch(&namespace, json!({ "paused": true, "replicas": 5 }));
    message(&store, "Progressing", "Paused");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(members(&store), before);
    patch(&namespace, json!({ "paused": false, "replicas": 3 }));
    settle(&store, &traffic);

    patch(&namespace, json!({ "replicas": 0 }));
    message(&store, "Ready", "Hibernated");
    assert!(store.ready_pods().is_empty());
    patch(&namespace, json!({ "replicas": 3 }));
    settle(&store, &traffic);
    assert_eq!(members(&store), before);
    verify(&store, traffic);
}
