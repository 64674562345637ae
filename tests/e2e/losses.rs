//! Disks and machines that do not come back, and machines that are cut off.

use std::process::Command;
use std::time::Duration;

use ironkv_tests::kube::{Namespace, Store, until};
use serde_json::{Value, json};

use crate::scene::{NAME, READY_MAX, leader, members, namespace, pod, settle, spec, traffic};

#[test]
fn a_member_whose_volume_is_deleted_is_replaced_by_a_new_one() {
    let namespace = namespace("disk");
    let store = Store::create(&namespace, NAME, &spec(json!({})));
    store.wait_for("Ready", "True", READY_MAX);
    let traffic = traffic(&namespace);
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
    traffic.verify();
}

/// Runs a command of the Docker engine that the machines are containers of.
fn docker(arguments: &[&str]) {
    let output = Command::new("docker").args(arguments).output().expect("docker");
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
}

/// A worker with a follower on it, and that follower's pod.
fn victim(namespace: &Namespace, store: &Store<'_>) -> (String, String) {
    let leader = leader(store);
    let name = |ordinal: u32| format!("{NAME}-{ordinal}");
    let follower = (0..3).map(name).find(|name| *name != leader).unwrap();
    let machine = pod(namespace, &follower)["spec"]["nodeName"].as_str().unwrap().to_owned();
    (machine, follower)
}

/// Brings the machine back whatever happens in the test.
struct Restore(Vec<String>);

impl Drop for Restore {
    fn drop(&mut self) {
        for arguments in &self.0 {
            let words: Vec<&str> = arguments.split(' ').collect();
            let _ = Command::new("docker").args(words).output();
        }
    }
}

#[test]
fn a_machine_that_is_cut_off_and_one_that_is_killed_lose_nothing() {
    if std::env::var_os("IRONKV_E2E_KIND").is_none() {
        println!("machines are only taken away from a cluster of kind");
        return;
    }
    let namespace = namespace("machine");
    let apart = json!({ "scheduling": { "spread": { "node": "Required" } } });
    let store = Store::create(&namespace, NAME, &spec(apart));
    store.wait_for("Ready", "True", READY_MAX);
    let traffic = traffic(&namespace);

    let (machine, follower) = victim(&namespace, &store);
    let before = members(&store);
    let restore = Restore(vec![format!("unpause {machine}")]);
    docker(&["pause", &machine]);
    until("the member is missed", READY_MAX, || {
        let missed =
            |condition: &Value| condition["type"] == "Degraded" && condition["status"] == "True";
        let conditions = store.resource()["status"]["conditions"].clone();
        let found = conditions.as_array().is_some_and(|all| all.iter().any(missed));
        if found { Ok(()) } else { Err(conditions) }
    });
    traffic.wait_for_writes(50, Duration::from_secs(60));
    drop(restore);
    settle(&store, &traffic);
    println!("a machine was frozen: members {before:?} -> {:?}", members(&store));

    let (machine, _) = victim(&namespace, &store);
    let before = members(&store);
    let restore = Restore(vec![format!("start {machine}")]);
    docker(&["kill", &machine]);
    // No machine is left that may take the third pod, so it is replaced once one comes back.
    until("the dead member is no member any more", READY_MAX, || {
        let now = members(&store);
        if now.iter().all(|id| before.contains(id)) && now.len() == 2 {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    });
    traffic.wait_for_writes(50, Duration::from_secs(60));
    drop(restore);
    settle(&store, &traffic);
    assert_ne!(members(&store), before, "{follower}");
    traffic.verify();
}
