//! Recognises problems in what was observed. Each message ends with what to do.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use super::problem::{Problem, Reason};
use crate::controller::decide::{self, ValidatedCluster, quantity};
use crate::controller::observe::{ClusterObjects, NodeStatuses, condition, container};
use crate::names::{self, Namespace};

/// The problems of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    /// The problem that prevents every step.
    pub(crate) blocker: Option<Problem>,
    /// Problems that do not prevent a step.
    pub(crate) problems: Vec<Problem>,
    /// Settings that were refused or are not recommended.
    pub(crate) warnings: Vec<Problem>,
}

impl Findings {
    /// The problems that the observations show, and the one with the Secrets.
    pub(crate) fn of(
        cluster: &ValidatedCluster,
        objects: &ClusterObjects,
        nodes: &NodeStatuses,
        secret_problem: Option<Problem>,
    ) -> Self {
        let mut problems = problems(cluster, objects, nodes);
        let mut blocker = None;
        match &objects.stateful_set {
            // The first pods could not start without their Secrets.
            None => blocker = secret_problem,
            // Running pods continue with the Secrets that they have.
            Some(_) => problems.extend(secret_problem),
        }
        Self { blocker, problems, warnings: warnings(cluster, nodes) }
    }
}

/// Problems of the pods, the volume claims and the disks.
fn problems(
    cluster: &ValidatedCluster,
    objects: &ClusterObjects,
    nodes: &NodeStatuses,
) -> Vec<Problem> {
    let namespace = &cluster.namespace;
    let pods = objects.pods.iter();
    let problem = |(ordinal, pod): (&u32, &Arc<Pod>)| {
        let claim = objects.claims.get(ordinal);
        unbound(claim.map(AsRef::as_ref), pod, namespace)
            .or_else(|| unscheduled(pod, namespace))
            .or_else(|| failing(pod, namespace))
    };
    let pods = pods.filter(|(_, pod)| pod.metadata.deletion_timestamp.is_none());
    pods.filter_map(problem).chain(full_disks(cluster, nodes)).collect()
}

/// Members whose disk is full. The message has no sizes, because each new one would be a new event.
fn full_disks(cluster: &ValidatedCluster, nodes: &NodeStatuses) -> Option<Problem> {
    let full = nodes.answered().filter(|(_, status)| status.disk_full);
    let pods: Vec<String> = full.map(|(ordinal, _)| names::pod(&cluster.name, ordinal)).collect();
    (!pods.is_empty()).then(|| {
        Problem::new(
            Reason::DiskFull,
            format!(
                "the disk of {} is full: less is free than data.free_bytes_min, and while such a \
                 member leads, writes are refused and reads go on; raise spec.storage.size",
                pods.join(", ")
            ),
        )
    })
}

/// Settings that a node refused or that are not recommended.
fn warnings(cluster: &ValidatedCluster, nodes: &NodeStatuses) -> Vec<Problem> {
    let mut errors = nodes.answered().filter_map(|(_, status)| status.configuration_error.as_ref());
    let refused = errors.next().map(|text| {
        let message = format!("spec.config: the store refuses it: {text}");
        Problem::new(Reason::ConfigurationRefused, message)
    });
    let warnings = decide::warnings(cluster).into_iter();
    let warnings = warnings.map(|warning| Problem::new(Reason::NotAdvised, warning.to_string()));
    refused.into_iter().chain(warnings).collect()
}

/// Volume claims that wait for more space.
pub(super) fn resizing(cluster: &ValidatedCluster, objects: &ClusterObjects) -> Option<Problem> {
    let wanted = &cluster.spec.storage.size;
    let waits = |claim: &&Arc<PersistentVolumeClaim>| {
        capacity(claim).is_some_and(|size| quantity::grows(&size.0, wanted))
    };
    let waiting = objects.claims.values().filter(waits).map(|claim| claim.name_any());
    let waiting: Vec<String> = waiting.collect();
    let (first, names, namespace) = (waiting.first()?, waiting.join(", "), &cluster.namespace);
    Some(Problem::new(
        Reason::VolumesGrow,
        format!(
            "waiting for {wanted}: {names}; see: kubectl -n {namespace} describe pvc {first}; the \
             storage class must have allowVolumeExpansion: true"
        ),
    ))
}

fn capacity(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    claim.status.as_ref()?.capacity.as_ref()?.get("storage")
}

/// A claim without a volume, for which its pod waits.
fn unbound(
    claim: Option<&PersistentVolumeClaim>,
    pod: &Pod,
    namespace: &Namespace,
) -> Option<Problem> {
    let claim = claim?;
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    let waits = condition(pod, "PodScheduled").is_some_and(|placed| placed.status == "False");
    if phase != Some("Pending") || !waits {
        return None;
    }
    let message = condition(pod, "PodScheduled")?.message.clone().unwrap_or_default();
    if !message.contains("PersistentVolumeClaim")
        && !message.contains("persistentvolumeclaim")
        && !message.contains("storageclass")
    {
        return None;
    }
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    let class = class
        .map_or("the default storage class".to_owned(), |name| format!("storage class {name}"));
    let name = claim.name_any();
    Some(Problem::new(
        Reason::VolumeNotProvisioned,
        format!(
            "volume claim {name} gets no volume from {class} ({message}); see: kubectl get \
             storageclass; kubectl -n {namespace} describe pvc {name}"
        ),
    ))
}

fn unscheduled(pod: &Pod, namespace: &Namespace) -> Option<Problem> {
    let placed = condition(pod, "PodScheduled").filter(|placed| placed.status == "False")?;
    let name = pod.name_any();
    let message = placed.message.clone().unwrap_or_default();
    Some(Problem::new(
        Reason::Unschedulable,
        format!(
            "pod {name} finds no node ({message}); give it one, or change spec.resources, \
             spec.scheduling; see: kubectl -n {namespace} describe pod {name}"
        ),
    ))
}

fn failing(pod: &Pod, namespace: &Namespace) -> Option<Problem> {
    let name = pod.name_any();
    let container = container(pod)?;
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let details = waiting.message.clone().unwrap_or_default();
    let image = &container.image;
    match waiting.reason.as_deref()? {
        "ImagePullBackOff" | "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName" => {
            Some(Problem::new(
                Reason::ImageNotPulled,
                format!(
                    "pod {name} cannot get image {image} ({details}); correct spec.image or \
                     spec.imagePullSecrets"
                ),
            ))
        }
        "CrashLoopBackOff" => {
            let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
            let how = last.map_or(String::new(), |last| {
                let reason = last.reason.clone().unwrap_or_default();
                format!(" ({reason}, exit code {})", last.exit_code)
            });
            Some(Problem::new(
                Reason::CrashLoop,
                format!(
                    "pod {name} ends again and again{how}; see: kubectl -n {namespace} logs {name} \
                     --previous"
                ),
            ))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Problem::new(
                Reason::ContainerNotStarted,
                format!(
                    "pod {name} cannot start ({details}); see: kubectl -n {namespace} describe pod \
                     {name}"
                ),
            ))
        }
        _ => None,
    }
}
