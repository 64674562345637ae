//! The work of the controllers and kubelets of Kubernetes between two reconciles.

use serde_json::{Value, json};

use super::api::State;
use super::nodes::Group;
use crate::names::{self, ClusterName};

/// One round: pods and claims are created and removed, nodes start and elect a leader, and
/// readiness is updated.
pub(super) fn advance(state: &mut State, group: &mut Group, cluster: &ClusterName) {
    let key = |kind: &str, name: &str| format!("{kind}/default/{name}");
    let Some(set) = state.objects.get(&key("statefulsets", &names::stateful_set(cluster))).cloned()
    else {
        return;
    };
    let replicas = set["spec"]["replicas"].as_u64().unwrap_or(1) as u32;
    for ordinal in 0..9 {
        let (pod, claim) = (
            key("pods", &names::pod(cluster, ordinal)),
            key("persistentvolumeclaims", &names::volume_claim(cluster, ordinal)),
        );
        let leaves = |object: &Value| object["metadata"]["deletionTimestamp"].is_string();
        let gone = state.objects.get(&pod).is_some_and(leaves);
        if gone || ordinal >= replicas {
            if let Some(pod) = state.objects.remove(&pod) {
                group.running.remove(pod["metadata"]["uid"].as_str().unwrap());
            }
            if state.objects.get(&claim).is_some_and(leaves)
                && let Some(claim) = state.objects.remove(&claim)
            {
                group.disks.remove(claim["metadata"]["uid"].as_str().unwrap());
            }
        }
        if ordinal < replicas && !state.objects.contains_key(&pod) {
            start(state, group, &set, ordinal, (&pod, &claim));
        }
    }
    group.elect();
    for ordinal in 0..replicas {
        ready(state, group, &key("pods", &names::pod(cluster, ordinal)));
    }
}

fn start(
    state: &mut State,
    group: &mut Group,
    set: &Value,
    ordinal: u32,
    (pod, claim): (&str, &str),
) {
    let name = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
    if !state.objects.contains_key(claim) {
        let mut object = set["spec"]["volumeClaimTemplates"][0].clone();
        object["metadata"]["name"] = json!(name(claim));
        object["metadata"]["namespace"] = json!("default");
        object["status"] = json!({ "phase": "Bound" });
        state.put(claim, object);
    }
    let claim_uid = state.objects[claim]["metadata"]["uid"].as_str().unwrap().to_owned();
    let mut object = set["spec"]["template"].clone();
    object["metadata"]["name"] = json!(name(pod));
    object["metadata"]["namespace"] = json!("default");
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    object["spec"]["nodeName"] = json!("machine");
    object["status"] = json!({
        "phase": "Running",
        "podIP": format!("10.0.0.{}", ordinal + 1),
        "containerStatuses": [{
            "name": names::CONTAINER, "image": "", "imageID": "", "ready": true,
            "restartCount": 0, "state": { "running": {} },
        }],
    });
    state.put(pod, object);
    let pod_uid = state.objects[pod]["metadata"]["uid"].as_str().unwrap().to_owned();
    group.running.insert(pod_uid, claim_uid);
}

fn ready(state: &mut State, group: &Group, key: &str) {
    let Some(mut pod) = state.objects.get(key).cloned() else { return };
    let claim = group.running.get(pod["metadata"]["uid"].as_str().unwrap());
    let disk = claim.and_then(|claim| group.disks.get(claim));
    let serves = group.leader.is_some()
        && disk.is_some_and(|disk| !disk.removed && group.members.contains_key(&disk.id));
    let word = if serves { "True" } else { "False" };
    // The time of a round is longer than a pod stays after its member was removed, and shorter than
    // every other wait.
    let since = k8s_openapi::jiff::Timestamp::now() - std::time::Duration::from_secs(10);
    let same = pod["status"]["conditions"][0]["status"] == word;
    if !same {
        pod["status"]["conditions"] =
            json!([{ "type": "Ready", "status": word, "lastTransitionTime": since.to_string() }]);
        state.put(key, pod);
    }
}
