//! Machines are drained, isolated, killed. Only these tests disturb other tests.

use std::io;
use std::process::{Command, Output};
use std::time::Duration;

use ironkv_tests::kube::{Namespace, Store, Traffic, until};
use serde_json::json;
use tokio::time::Instant;

use crate::scene::{NAME, READY_MAX, begin, leader, members, message, namespace, settle, verify};

/// Runs a command of the Docker engine in which the machines are containers.
fn docker(arguments: &str) {
    let output = try_docker(arguments).expect("docker");
    assert!(output.status.success(), "docker {arguments}: {output:?}");
}

fn try_docker(arguments: &str) -> io::Result<Output> {
    Command::new("docker").args(arguments.split(' ')).output()
}

/// The worker that a pod runs on.
fn machine_of(namespace: &Namespace, pod: &str) -> String {
    namespace.get(&["pod", pod])["spec"]["nodeName"].as_str().unwrap().to_owned()
}

/// Commands that take a machine away, and commands that bring it back.
struct Fault {
    name: &'static str,
    begin: Vec<String>,
    end: Vec<String>,
}

/// Everything on it continues to run, but no packet arrives or leaves.
fn cut_off(machine: &str) -> Fault {
    let rules = |change| {
        ["PREROUTING -i", "POSTROUTING -o"]
            .map(|hook| {
                format!("exec {machine} iptables -w -t mangle {change} {hook} eth0 -j DROP")
            })
            .to_vec()
    };
    Fault { name: "cut off", begin: rules("-I"), end: rules("-D") }
}

/// Everything on it is frozen, but its kernel still accepts connections.
fn freeze(machine: &str) -> Fault {
    let [begin, end] = ["pause", "unpause"].map(|change| vec![format!("{change} {machine}")]);
    Fault { name: "frozen", begin, end }
}

/// Brings the machine back whatever the result of the test.
struct Restore(Vec<String>);

impl Drop for Restore {
    fn drop(&mut self) {
        for arguments in &self.0 {
            let _ = try_docker(arguments);
        }
    }
}

#[test]
fn drained_removed_isolated_or_killed_machines_lose_nothing() {
    let namespace = namespace("machine");
    let apart = json!({ "scheduling": { "spread": { "node": "Required" } } });
    let (store, traffic) = begin(&namespace, apart);

    drain(&namespace, &store, &traffic);
    settle(&store, &traffic);
    if std::env::var_os("IRONKV_E2E_KIND").is_some() {
        for fault in [cut_off, freeze] {
            take_leader(&namespace, &store, &traffic, fault);
            settle(&store, &traffic);
        }
        kill(&namespace, &store, &traffic);
        lose_the_majority(&namespace, &store);
        settle(&store, &traffic);
    } else {
        println!("machines are only cut off, killed and taken in a cluster of kind");
    }
    verify(&store, traffic);
}

fn drain(namespace: &Namespace, store: &Store<'_>, traffic: &Traffic) {
    let machine = machine_of(namespace, &leader(store));
    namespace.kubectl(&[
        "drain",
        &machine,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--pod-selector",
        &format!("app.kubernetes.io/instance={NAME}"),
        "--timeout=60s",
    ]);
    // Its volume is on that machine, so its pod waits for it; the others continue.
    traffic.wait_for_writes(50, Duration::from_secs(60));
    namespace.kubectl(&["uncordon", &machine]);
}

fn take_leader(
    namespace: &Namespace,
    store: &Store<'_>,
    traffic: &Traffic,
    fault: fn(&str) -> Fault,
) {
    let Fault { name, begin, end } = fault(&machine_of(namespace, &leader(store)));
    let _restore = Restore(end);
    begin.iter().for_each(|command| docker(command));
    let taken = Instant::now();
    // Its kubelet cannot report that its pod is not ready, and Kubernetes waits for that.
    let selector = format!("{},ironkv.io/reached=false", store.selector());
    until("no client is sent there", READY_MAX, || {
        let pods = namespace.kubectl(&["get", "pods", "--output=name", &selector]);
        if pods.lines().count() == 1 { Ok(()) } else { Err(pods) }
    });
    println!("leader {name}: no client is sent there after {:?}", taken.elapsed());
    store.wait_for("Degraded", "True", READY_MAX);
    traffic.wait_for_writes(50, Duration::from_secs(60));
    println!("leader {name}: longest gap {} ms", traffic.report().longest_gap_ms);
}

fn kill(namespace: &Namespace, store: &Store<'_>, traffic: &Traffic) {
    let machine = machine_of(namespace, &leader(store));
    let before = members(store);
    let restore = Restore(vec![format!("start {machine}")]);
    docker(&format!("kill {machine}"));
    // No machine is left for the third pod, so it is replaced when one comes back.
    until("the dead member is no member any more", READY_MAX, || {
        let now = members(store);
        if now.iter().all(|id| before.contains(id)) && now.len() == 2 {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    });
    traffic.wait_for_writes(50, Duration::from_secs(60));
    println!("leader's machine killed too: longest gap {} ms", traffic.report().longest_gap_ms);
    drop(restore);
    settle(store, traffic);
    assert_ne!(members(store), before);
}

/// Two of three pods have no machine any more, until the status explains the consequence.
fn lose_the_majority(namespace: &Namespace, store: &Store<'_>) {
    let pods = [0, 1].map(|ordinal| format!("{NAME}-{ordinal}"));
    let machines = pods.each_ref().map(|pod| machine_of(namespace, pod));
    namespace.kubectl(&["cordon", &machines[0], &machines[1]]);
    namespace.kubectl(&["delete", "pod", &pods[0], &pods[1]]);
    let text = message(store, "QuorumLost", "QuorumLost");
    assert!(text.contains("only 1 of 3 voters") && text.contains("kubectl get pods,pvc"), "{text}");
    namespace.kubectl(&["uncordon", &machines[0], &machines[1]]);
}
