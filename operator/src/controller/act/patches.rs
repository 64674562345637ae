//! Patches of the objects that the StatefulSet created: claims grow and follow the retention
//! policy, and pods get labels. An object that is already right is not patched.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironkv_proto::admin::v1::Role;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::controller::decide::{ValidatedCluster, quantity};
use crate::controller::observe::{ClusterObjects, NodeStatuses, is_made_for, is_ready};
use crate::controller::report::{Problem, Reason};
use crate::crd::RetentionPolicy;
use crate::names;

/// Merge patches, each with the name of its object.
type Patches = Vec<(String, Value)>;

/// Brings the claims and the pods into their desired state.
pub(crate) async fn patch(
    client: &Client,
    cluster: &ValidatedCluster,
    objects: &ClusterObjects,
    nodes: &NodeStatuses,
    mounted_hash: &str,
) -> Result<(), Problem> {
    let claims = send::<PersistentVolumeClaim>(client, cluster, claim_patches(cluster, objects));
    claims.await.map_err(|error| claim_problem(cluster, &error))?;
    let pods = send::<Pod>(client, cluster, pod_patches(objects, nodes, mounted_hash)).await;
    pods.map_err(|error| Problem::new(Reason::ApplyFailed, format!("cannot label a pod: {error}")))
}

fn claim_problem(cluster: &ValidatedCluster, error: &kube::Error) -> Problem {
    let size = &cluster.spec.storage.size;
    Problem::new(
        Reason::VolumeNotExpanded,
        format!(
            "the volumes cannot grow to {size}: {error}; expansion needs a storage class with \
             allowVolumeExpansion: true; see: kubectl get storageclass"
        ),
    )
}

/// The patches that the claims need. Pure.
fn claim_patches(cluster: &ValidatedCluster, objects: &ClusterObjects) -> Patches {
    let ours = |claim: &&Arc<PersistentVolumeClaim>| {
        is_made_for(cluster, claim) && claim.metadata.deletion_timestamp.is_none()
    };
    let claims = objects.claims.values().filter(ours);
    claims.filter_map(|claim| Some((claim.name_any(), claim_patch(cluster, claim)?))).collect()
}

fn claim_patch(cluster: &ValidatedCluster, claim: &PersistentVolumeClaim) -> Option<Value> {
    let mut patch = json!({});
    if requested(claim).is_some_and(|size| quantity::grows(&size.0, &cluster.spec.storage.size)) {
        patch["spec"]["resources"]["requests"]["storage"] = json!(cluster.spec.storage.size);
    }
    let owners = owners(cluster, claim);
    if owners != claim.owner_references() {
        patch["metadata"]["ownerReferences"] = json!(owners);
    }
    (patch != json!({})).then_some(patch)
}

/// The owners that the claim should have. With `whenDeleted: Delete` the garbage collector deletes
/// the claim together with the cluster, with `Retain` it does not. Neither needs a finalizer.
fn owners(cluster: &ValidatedCluster, claim: &PersistentVolumeClaim) -> Vec<OwnerReference> {
    let others = claim.owner_references().iter().filter(|owner| owner.kind != cluster.owner.kind);
    let mut owners: Vec<OwnerReference> = others.cloned().collect();
    if cluster.spec.storage.retention.when_deleted == RetentionPolicy::Delete {
        // The controller of StatefulSets refuses a claim that has another controller.
        let owner = OwnerReference { controller: None, ..cluster.owner.clone() };
        owners.push(OwnerReference { block_owner_deletion: None, ..owner });
    }
    owners
}

fn requested(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get("storage")
}

/// The patches that the pods need: labels, and the hash of what they mount. A change of the hash
/// makes the kubelet update the mounted files at once instead of within a minute. Pure.
fn pod_patches(objects: &ClusterObjects, nodes: &NodeStatuses, mounted_hash: &str) -> Patches {
    let patch = |(ordinal, pod): (&u32, &Arc<Pod>)| {
        let mut metadata = BTreeMap::new();
        let role = role_label(nodes, *ordinal);
        let reached = reached_label(nodes, *ordinal, pod);
        let wanted = [(names::ROLE_LABEL, role), (names::REACHED_LABEL, reached)];
        let differs = |(key, value): &(&str, &str)| {
            pod.labels().get(*key).map(String::as_str) != Some(*value)
        };
        let wanted = wanted.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let labels: BTreeMap<&str, &str> = wanted.filter(differs).collect();
        if !labels.is_empty() {
            metadata.insert("labels", json!(labels));
        }
        let seen = pod.annotations().get(names::MOUNTED_ANNOTATION);
        if seen.is_none_or(|seen| seen != mounted_hash) {
            metadata.insert("annotations", json!({ names::MOUNTED_ANNOTATION: mounted_hash }));
        }
        (!metadata.is_empty()).then(|| (pod.name_any(), json!({ "metadata": metadata })))
    };
    let pods = objects.pods.iter();
    pods.filter(|(_, pod)| pod.metadata.deletion_timestamp.is_none()).filter_map(patch).collect()
}

/// The label for the role of a node, by which `<name>-leader` and `<name>-replicas` select pods;
/// `None` when the role is unknown.
fn role_label(nodes: &NodeStatuses, ordinal: u32) -> Option<&'static str> {
    let status = nodes.of(ordinal).filter(|status| nodes.is_ours(status))?;
    if nodes.leader().is_some_and(|(leader, _)| leader == ordinal) {
        return Some(names::LEADER);
    }
    let role = Role::try_from(status.role).unwrap_or(Role::Unspecified);
    matches!(role, Role::Follower | Role::Learner).then_some(names::REPLICA)
}

/// Whether Services may send clients to a pod; `None` when that is unknown. When a machine is
/// partitioned, Kubernetes keeps its pods ready for most of a minute, while connections to them
/// hang.
fn reached_label(nodes: &NodeStatuses, ordinal: u32, pod: &Pod) -> Option<&'static str> {
    match nodes.of(ordinal) {
        Some(_) => Some("true"),
        None => {
            let is_partitioned = is_ready(pod) && nodes.is_partitioned(ordinal, &pod.name_any());
            is_partitioned.then_some("false")
        }
    }
}

/// Sends patches. An object that does not exist any more is not an error.
async fn send<K>(
    client: &Client,
    cluster: &ValidatedCluster,
    patches: Patches,
) -> Result<(), kube::Error>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), cluster.namespace.as_str());
    let options =
        PatchParams { field_manager: Some(names::MANAGER.to_owned()), ..PatchParams::default() };
    for (name, patch) in patches {
        match api.patch(&name, &options, &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            other => drop(other?),
        }
    }
    Ok(())
}
