//! What is wrong, in words for the person who must act: a reason for machines, and a message that
//! ends with what to do.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;

use super::assemble::{condition, container};
use super::observe::Kubernetes;
use super::survey::Survey;
use super::{ValidatedCluster, warnings};
use crate::names;

/// The reason of a warning that is no event: nothing happened.
pub(super) const NOT_ADVISED: &str = "NotAdvised";
/// The reason while a member is out of disk.
pub(super) const DISK_FULL: &str = "DiskFull";

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// In one word, for conditions and events.
    pub(super) reason: &'static str,
    /// What is wrong and what to do.
    pub(super) message: String,
}

impl Problem {
    /// A problem.
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// What is wrong with the cluster's pods and volume claims.
pub(super) fn of_pods(kubernetes: &Kubernetes, namespace: &str) -> Vec<Problem> {
    let pods = kubernetes.pods.iter();
    let problem = |(ordinal, pod): (&u32, &std::sync::Arc<Pod>)| {
        let claim = kubernetes.claims.get(ordinal);
        unbound(claim.map(AsRef::as_ref), pod, namespace)
            .or_else(|| unscheduled(pod, namespace))
            .or_else(|| failing(pod, namespace))
    };
    pods.filter(|(_, pod)| pod.metadata.deletion_timestamp.is_none()).filter_map(problem).collect()
}

/// Members that are out of disk. Says no sizes, which change from look to look.
pub(super) fn of_disks(survey: &Survey, name: &str) -> Option<Problem> {
    let full = survey.told().filter(|(_, told)| told.disk_full);
    let pods: Vec<String> = full.map(|(ordinal, _)| names::pod(name, ordinal)).collect();
    (!pods.is_empty()).then(|| {
        Problem::new(
            DISK_FULL,
            format!(
                "the disk of {} is full: less is free than data.free_bytes_min, and while such a \
                 member leads, writes are refused and reads go on; raise spec.storage.size",
                pods.join(", ")
            ),
        )
    })
}

/// What is not advised, and what the nodes themselves refused of the configuration.
pub(super) fn of_configuration(survey: &Survey, cluster: &ValidatedCluster) -> Vec<Problem> {
    let refused = survey.told().filter_map(|(_, told)| told.configuration_error.as_deref()).next();
    let refused = refused.map(|text| {
        Problem::new("ConfigurationRefused", format!("spec.config: the store refuses it: {text}"))
    });
    let advised = warnings(cluster).into_iter();
    let advised = advised.map(|warning| Problem::new(NOT_ADVISED, warning.to_string()));
    refused.into_iter().chain(advised).collect()
}

/// A claim without a volume, whose pod therefore has no place.
fn unbound(claim: Option<&PersistentVolumeClaim>, pod: &Pod, namespace: &str) -> Option<Problem> {
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
        "VolumeNotProvisioned",
        format!(
            "volume claim {name} gets no volume from {class} ({message}); see: kubectl get \
             storageclass; kubectl -n {namespace} describe pvc {name}"
        ),
    ))
}

fn unscheduled(pod: &Pod, namespace: &str) -> Option<Problem> {
    let placed = condition(pod, "PodScheduled").filter(|placed| placed.status == "False")?;
    let name = pod.name_any();
    let message = placed.message.clone().unwrap_or_default();
    Some(Problem::new(
        "Unschedulable",
        format!(
            "pod {name} finds no node ({message}); give it one, or change spec.resources, \
             spec.scheduling; see: kubectl -n {namespace} describe pod {name}"
        ),
    ))
}

fn failing(pod: &Pod, namespace: &str) -> Option<Problem> {
    let name = pod.name_any();
    let container = container(pod)?;
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let said = waiting.message.clone().unwrap_or_default();
    let image = &container.image;
    match waiting.reason.as_deref()? {
        "ImagePullBackOff" | "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName" => {
            Some(Problem::new(
                "ImageNotPulled",
                format!(
                    "pod {name} cannot get image {image} ({said}); correct spec.image or \
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
                "CrashLoop",
                format!(
                    "pod {name} ends again and again{how}; see: kubectl -n {namespace} logs {name} \
                     --previous"
                ),
            ))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Problem::new(
                "ContainerNotStarted",
                format!(
                    "pod {name} cannot start ({said}); see: kubectl -n {namespace} describe pod \
                     {name}"
                ),
            ))
        }
        _ => None,
    }
}
