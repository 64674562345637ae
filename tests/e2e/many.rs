//! Many stores under one operator: how long until all are ready, the resources that the operator
//! needs, and that it writes nothing when nothing happens. Only on demand: `tests/e2e/run --ignored
//! many`, with `IRONKV_E2E_CLUSTERS` of them (50).

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use ironkv_tests::kube::{Kube, Namespace, condition, operator, until};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::scene::{namespace, spec};

const ALL_READY_MAX: Duration = Duration::from_secs(900);
const REST: Duration = Duration::from_secs(60);

#[test]
#[ignore = "takes minutes and much memory"]
fn many_stores_become_ready_and_are_not_written_to_without_reason() {
    let count = std::env::var("IRONKV_E2E_CLUSTERS").map_or(50, |count| count.parse().unwrap());
    let namespace = namespace("many");
    let start = Instant::now();
    let stores: Vec<Value> = (0..count).map(store).collect();
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": stores }).to_string());
    until("all to be ready", ALL_READY_MAX, || {
        let is_ready = |one: &&Value| {
            one["kind"] == "IronKVCluster" && condition(one, "Ready")["status"] == "True"
        };
        let ready = resources(&namespace).iter().filter(is_ready).count();
        if ready == count { Ok(()) } else { Err(format!("{ready} of {count}")) }
    });
    println!("{count} stores ready after {:?}", start.elapsed());

    // Time for the last stores after they are ready.
    sleep(REST / 2);
    let versions = versions(&namespace);
    let (start, before) = (Instant::now(), Usage::of_operators());
    sleep(REST);
    let (seconds, after) = (start.elapsed().as_secs_f64(), Usage::of_operators());
    assert_eq!(self::versions(&namespace), versions, "nothing happened, so nothing is written");
    for (pod, usage) in after {
        let cpu = usage.cpu_seconds - before.get(&pod).map_or(0.0, |usage| usage.cpu_seconds);
        println!("{pod}: {:.1} mCPU, {} MiB", cpu / seconds * 1000.0, usage.bytes >> 20);
    }
}

fn store(number: usize) -> Value {
    json!({
        "apiVersion": "ironkv.io/v1alpha1",
        "kind": "IronKVCluster",
        "metadata": { "name": format!("kv-{number}") },
        "spec": spec(json!({ "replicas": 1 })),
    })
}

fn resources(namespace: &Namespace) -> Vec<Value> {
    namespace.get(&["ironkvclusters,statefulsets,services,configmaps"])["items"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn versions(namespace: &Namespace) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |one: &Value| {
        let metadata = &one["metadata"];
        let name = format!("{}/{}", text(&one["kind"]), text(&metadata["name"]));
        (name, text(&metadata["resourceVersion"]))
    };
    resources(namespace).iter().map(entry).collect()
}

/// The CPU time and memory of a pod, as its kubelet reports them.
struct Usage {
    cpu_seconds: f64,
    bytes: u64,
}

impl Usage {
    /// By the name of the pod.
    fn of_operators() -> BTreeMap<String, Self> {
        let kube = Kube::from_environment();
        let machines = kube.get(&["nodes"])["items"].as_array().cloned().unwrap_or_default();
        let summary = |machine: &Value| {
            let name = machine["metadata"]["name"].as_str().unwrap();
            let path = format!("/api/v1/nodes/{name}/proxy/stats/summary");
            serde_json::from_str(&kube.kubectl(&["get", "--raw", &path])).unwrap()
        };
        let pods =
            machines.iter().map(summary).flat_map(|mut summary: Value| {
                match summary["pods"].take() {
                    Value::Array(pods) => pods,
                    _ => Vec::new(),
                }
            });
        pods.filter(|pod| pod["podRef"]["namespace"] == operator::NAMESPACE)
            .map(|pod| {
                let nanoseconds = pod["cpu"]["usageCoreNanoSeconds"].as_f64().unwrap();
                let bytes = pod["memory"]["workingSetBytes"].as_u64().unwrap();
                let name = pod["podRef"]["name"].as_str().unwrap().to_owned();
                (name, Self { cpu_seconds: nanoseconds / 1e9, bytes })
            })
            .collect()
    }
}
