//! The beginning and end of every scenario: an operator, a namespace, a ready store with traffic.

use std::time::Duration;

use ironkv_tests::kube::{self, Kube, Namespace, Store, Traffic, operator, until};
use serde_json::{Value, json};

pub(crate) const NAME: &str = "kv";
/// Time until a store is ready: pods start, join and are promoted, on a busy machine.
pub(crate) const READY_MAX: Duration = Duration::from_secs(240);

/// A new namespace with a running operator.
pub(crate) fn namespace(test: &str) -> Namespace {
    let kube = Kube::from_environment();
    operator::install(&kube);
    Namespace::create(&kube, test)
}

/// The minimal spec of a store, with additions.
pub(crate) fn spec(more: Value) -> Value {
    let mut spec = json!({
        "replicas": 3,
        "storage": { "size": "1Gi", "retention": { "whenDeleted": "Delete" } },
        "memberReplacement": { "afterSeconds": 30 },
    });
    let fields = spec.as_object_mut().unwrap();
    fields.extend(more.as_object().cloned().unwrap_or_default());
    spec
}

/// A ready store and writes to it, with the password that the operator created.
pub(crate) fn begin(namespace: &Namespace, more: Value) -> (Store<'_>, Traffic) {
    let store = Store::create(namespace, NAME, &spec(more));
    store.wait_for("Ready", "True", READY_MAX);
    (store, Traffic::start_with_password(namespace, NAME, &format!("{NAME}-auth")))
}

/// The password that the operator created.
pub(crate) fn password(namespace: &Namespace) -> String {
    let secret = format!("{NAME}-auth");
    let template = "--output=go-template={{.data.password | base64decode}}";
    namespace.kubectl(&["get", "secret", &secret, template])
}

/// Waits for a ready store and for writes after that.
pub(crate) fn settle(store: &Store<'_>, traffic: &Traffic) {
    store.wait_for("Ready", "True", READY_MAX);
    traffic.wait_for_writes(50, Duration::from_secs(60));
}

/// Checks that every member has every acknowledged write, and that all have the same keys.
pub(crate) fn verify(store: &Store<'_>, traffic: Traffic) {
    store.wait_for("Ready", "True", READY_MAX);
    let address = |pod: &Value| pod["status"]["podIP"].as_str().map(ToOwned::to_owned);
    let addresses: Vec<String> = store.pods().iter().filter_map(address).collect();
    let report = traffic.verify(&addresses).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(report.keys.len(), members(store).len(), "{report:?}");
}

pub(crate) fn patch(namespace: &Namespace, spec: Value) {
    let patch = json!({ "spec": spec }).to_string();
    namespace.kubectl(&["patch", "ikv", NAME, "--type=merge", "--patch", &patch]);
}

/// The name of the leader's pod.
pub(crate) fn leader(store: &Store<'_>) -> String {
    until("a leader", READY_MAX, || {
        let status = store.resource()["status"].clone();
        status["leader"].as_str().map(ToOwned::to_owned).ok_or(status)
    })
}

/// The uids of all its pods: a replaced pod has another one.
pub(crate) fn uids(store: &Store<'_>) -> Vec<String> {
    store.pods().iter().map(|pod| pod["metadata"]["uid"].to_string()).collect()
}

/// The node ids of the members.
pub(crate) fn members(store: &Store<'_>) -> Vec<u64> {
    let resource = store.resource();
    let members = resource["status"]["members"].as_array().cloned().unwrap_or_default();
    members.iter().filter_map(|member| member["id"].as_u64()).collect()
}

/// Waits until the resource fulfils a condition.
pub(crate) fn wait_until(store: &Store<'_>, what: &str, is_so: impl Fn(&Value) -> bool) {
    until(what, READY_MAX, || {
        let resource = store.resource();
        if is_so(&resource) { Ok(()) } else { Err(resource["status"].clone()) }
    });
}

/// Waits until a condition has this reason, and returns its message.
pub(crate) fn message(store: &Store<'_>, condition: &str, reason: &str) -> String {
    until(&format!("{condition} because of {reason}"), READY_MAX, || {
        let resource = store.resource();
        let found = kube::condition(&resource, condition);
        if found["reason"] == reason {
            Ok(found["message"].as_str().unwrap().to_owned())
        } else {
            Err(resource["status"].clone())
        }
    })
}
