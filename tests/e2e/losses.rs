//! Disks and machines that do not come back, and machines that are cut off.

use std::io;
use std::process::{Command, Output};
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
fn docker(arguments: &str) {
    let output = try_docker(arguments).expect("docker");
    assert!(output.status.success(), "docker {arguments}: {output:?}");
}

fn try_docker(arguments: &str) -> io::Result<Output> {
    Command::new("docker").args(arguments.split(' ')).output()
}

/// The worker that the leader's pod runs on.
fn leaders_machine(namespace: &Namespace, store: &Store<'_>) -> String {
    pod(namespace, &leader(store))["spec"]["nodeName"].as_str().unwrap().to_owned()
}

/// What cuts a machine off (`-I`) and lets it back (`-D`): all that is on it runs on, and no packet
/// comes or goes.
fn cut(machine: &str, change: &str) -> Vec<String> {
    let rule = |hook| format!("exec {machine} iptables -w -t mangle {change} {hook} eth0 -j DROP");
    ["PREROUTING -i", "POSTROUTING -o"].map(rule).to_vec()
}

/// Brings the machine back whatever happens in the test.
struct Restore(Vec<String>);

impl Drop for Restore {
    fn drop(&mut self) {
        for arguments in &self.0 {
            let _ = try_docker(arguments);
        }
    }
}

#[test]
fn a_leader_that_is_cut_off_and_one_that_is_killed_lose_nothing() {
    if std::env::var_os("IRONKV_E2E_KIND").is_none() {
        println!("machines are only taken away from a cluster of kind");
        return;
    }
    let namespace = namespace("machine");
    let apart = json!({ "scheduling": { "spread": { "node": "Required" } } });
    let store = Store::create(&namespace, NAME, &spec(apart));
    store.wait_for("Ready", "True", READY_MAX);
    let traffic = traffic(&namespace);

    let machine = leaders_machine(&namespace, &store);
    let restore = Restore(cut(&machine, "-D"));
    cut(&machine, "-I").iter().for_each(|rule| docker(rule));
    until("the member is missed", READY_MAX, || {
        let missed =
            |condition: &Value| condition["type"] == "Degraded" && condition["status"] == "True";
        let conditions = store.resource()["status"]["conditions"].clone();
        let found = conditions.as_array().is_some_and(|all| all.iter().any(missed));
        if found { Ok(()) } else { Err(conditions) }
    });
    traffic.wait_for_writes(50, Duration::from_secs(60));
    println!("leader cut off: longest gap {} ms", traffic.report().longest_gap_ms);
    drop(restore);
    settle(&store, &traffic);

    let machine = leaders_machine(&namespace, &store);
    let before = members(&store);
    let restore = Restore(vec![format!("start {machine}")]);
    docker(&format!("kill {machine}"));
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
    println!("leader's machine killed too: longest gap {} ms", traffic.report().longest_gap_ms);
    drop(restore);
    settle(&store, &traffic);
    assert_ne!(members(&store), before);
    traffic.verify();
}
