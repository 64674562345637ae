//! Small patches to what the StatefulSet made: claims grow and follow the retention policy, pods
//! carry their part as a label. What is right already is not touched.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::ValidatedCluster;
use super::assemble::is_ours;
use super::observe::Kubernetes;
use super::problem::Problem;
use super::quantity;
use super::status::{is_ready, role_label};
use super::survey::Survey;
use crate::crd::RetentionPolicy;
use crate::names;

/// A patch of one object, by name.
type Patches = Vec<(String, Value)>;

/// What the claims lack. Pure.
pub(super) fn claim_patches(cluster: &ValidatedCluster, kubernetes: &Kubernetes) -> Patches {
    let ours = |claim: &&std::sync::Arc<PersistentVolumeClaim>| {
        is_ours(claim, &cluster.cluster_id) && claim.metadata.deletion_timestamp.is_none()
    };
    let claims = kubernetes.claims.values().filter(ours);
    claims.filter_map(|claim| Some((claim.name_any(), claim_patch(cluster, claim)?))).collect()
}

fn claim_patch(cluster: &ValidatedCluster, claim: &PersistentVolumeClaim) -> Option<Value> {
    let mut patch = json!({});
    if requested(claim).is_some_and(|size| grows(&size, &cluster.spec.storage.size)) {
        patch["spec"]["resources"]["requests"]["storage"] = json!(cluster.spec.storage.size);
    }
    let owners = owners(cluster, claim);
    if owners != claim.owner_references() {
        patch["metadata"]["ownerReferences"] = json!(owners);
    }
    (patch != json!({})).then_some(patch)
}

/// With `whenDeleted: Delete` the garbage collector deletes the claim together with the cluster;
/// with `Retain` nothing does. No finalizer is needed for either.
fn owners(cluster: &ValidatedCluster, claim: &PersistentVolumeClaim) -> Vec<OwnerReference> {
    let others = claim.owner_references().iter().filter(|owner| owner.kind != cluster.owner.kind);
    let mut owners: Vec<OwnerReference> = others.cloned().collect();
    if cluster.spec.storage.retention.when_deleted == RetentionPolicy::Delete {
        // The StatefulSet's controller would refuse a claim that something else controls.
        let owner = OwnerReference { controller: None, ..cluster.owner.clone() };
        owners.push(OwnerReference { block_owner_deletion: None, ..owner });
    }
    owners
}

fn requested(claim: &PersistentVolumeClaim) -> Option<String> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    Some(requests.get("storage")?.0.clone())
}

fn capacity(claim: &PersistentVolumeClaim) -> Option<String> {
    Some(claim.status.as_ref()?.capacity.as_ref()?.get("storage")?.0.clone())
}

/// Whether `wanted` is more than `now`; false when one of them is no quantity.
fn grows(now: &str, wanted: &str) -> bool {
    let sizes = quantity::bytes(now).zip(quantity::bytes(wanted));
    sizes.is_some_and(|(now, wanted)| wanted > now)
}

/// Claims that wait for more space.
pub(super) fn resizing(cluster: &ValidatedCluster, kubernetes: &Kubernetes) -> Option<Problem> {
    let wanted = &cluster.spec.storage.size;
    let waits = |claim: &&std::sync::Arc<PersistentVolumeClaim>| {
        capacity(claim).is_some_and(|size| grows(&size, wanted))
    };
    let waiting = kubernetes.claims.values().filter(waits).map(|claim| claim.name_any());
    let waiting: Vec<String> = waiting.collect();
    if waiting.is_empty() {
        return None;
    }
    let (names, namespace) = (waiting.join(", "), &cluster.namespace);
    Some(Problem::new(
        "VolumesGrow",
        format!(
            "waiting for {wanted}: {names}; see: kubectl -n {namespace} describe pvc {}; the \
             storage class must have allowVolumeExpansion: true",
            waiting[0]
        ),
    ))
}

/// Why a claim could not be patched.
pub(super) fn claim_problem(cluster: &ValidatedCluster, error: &kube::Error) -> Problem {
    let size = &cluster.spec.storage.size;
    Problem::new(
        "VolumeNotExpanded",
        format!(
            "the volumes cannot grow to {size}: {error}; expansion needs a storage class with \
             allowVolumeExpansion: true; see: kubectl get storageclass"
        ),
    )
}

/// What the pods lack: their part, and a mark that makes the kubelet look at mounted Secrets and
/// configuration at once instead of within a minute. Pure.
pub(super) fn pod_patches(
    cluster: &ValidatedCluster,
    kubernetes: &Kubernetes,
    survey: &Survey,
    mounted: &str,
) -> Patches {
    let patch = |(ordinal, pod): (&u32, &std::sync::Arc<Pod>)| {
        let mut metadata = BTreeMap::new();
        let role = role_label(survey, &cluster.cluster_id, *ordinal);
        let reached = reached_label(survey, &cluster.cluster_id, (*ordinal, pod));
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
        if seen.is_none_or(|seen| seen != mounted) {
            metadata.insert("annotations", json!({ names::MOUNTED_ANNOTATION: mounted }));
        }
        (!metadata.is_empty()).then(|| (pod.name_any(), json!({ "metadata": metadata })))
    };
    let pods = kubernetes.pods.iter();
    pods.filter(|(_, pod)| pod.metadata.deletion_timestamp.is_none()).filter_map(patch).collect()
}

/// Whether clients may be sent to a pod, when that is known. A kubelet that is cut off says nothing
/// for most of a minute, in which its pods stay ready and clients wait for them in vain.
fn reached_label(
    survey: &Survey,
    cluster_id: &str,
    (ordinal, pod): (u32, &Pod),
) -> Option<&'static str> {
    let is_cut_off = || survey.is_cut_off(cluster_id, (ordinal, &pod.name_any()));
    match survey.of(ordinal) {
        Some(_) => Some("true"),
        None => (is_ready(pod) && is_cut_off()).then_some("false"),
    }
}

/// Sends patches; what is gone by now is fine.
pub(super) async fn send<K>(
    client: &Client,
    namespace: &str,
    patches: Patches,
) -> Result<(), kube::Error>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
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
