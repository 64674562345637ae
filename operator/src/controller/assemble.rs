//! Makes the planner's picture of what Kubernetes and the nodes told. Pure.

use std::time::Duration;

use ironkv_proto::admin::v1::{MemberStatus, Role, StatusResponse};
use ironkv_proto::types::v1::LogId;
use k8s_openapi::api::apps::v1::StatefulSet as KubeStatefulSet;
use k8s_openapi::api::core::v1::{
    ContainerStatus, PersistentVolumeClaim, Pod as KubePod, PodCondition,
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::observe::Kubernetes;
use super::survey::{Survey, pod_name};
use super::{
    Answer, Member, Membership, MembershipVersion, NodeId, Observed, Place, Pod, PodState,
    StatefulSet, Target, Volume,
};
use crate::crd::{IronKVClusterSpec, ReplacementPolicy};
use crate::names;

/// Why a container waits when its template or image may be to blame.
const FAILURES: [&str; 8] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// Whose picture it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// The cluster resource's name.
    pub(super) name: &'a str,
    /// Identity of the store's cluster.
    pub(super) cluster_id: &'a str,
    /// Hash of the newest pod template.
    pub(super) template_hash: &'a str,
    /// Now.
    pub(super) now: Timestamp,
}

/// From the status: what must not be forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Latches {
    /// The ordinal with which the cluster begins.
    pub(super) bootstrap: Option<u32>,
    /// The cluster was formed.
    pub(super) formed: bool,
}

/// What is asked for.
pub(super) fn target(spec: &IronKVClusterSpec) -> Target {
    let after = u64::try_from(spec.member_replacement.after_seconds).unwrap_or(0);
    let automatic = spec.member_replacement.policy == ReplacementPolicy::Auto;
    Target {
        replicas: u32::try_from(spec.replicas).unwrap_or(0),
        paused: spec.paused,
        roll: spec.update.strategy,
        pause_on_failure: spec.update.pause_on_failure,
        replace_after: automatic.then(|| Duration::from_secs(after)),
        removed_volumes: spec.storage.retention.when_scaled,
    }
}

/// The picture.
pub(super) fn observed(
    subject: &Subject<'_>,
    latches: Latches,
    kubernetes: &Kubernetes,
    survey: &Survey,
) -> Observed {
    let place = |ordinal: u32| {
        let pod = kubernetes.pods.get(&ordinal);
        Place {
            ordinal,
            pod: pod.map(|kube_pod| pod_of(subject, kube_pod, ordinal, survey)),
            volume: kubernetes.claims.get(&ordinal).map(|claim| volume(subject, claim)),
            unready_for: pod.map_or(Duration::ZERO, |pod| unready_for(pod, subject.now)),
        }
    };
    Observed {
        stateful_set: stateful_set(kubernetes.stateful_set.as_deref(), kubernetes.ordinals()),
        places: kubernetes.places().map(place).collect(),
        membership: membership(subject, survey),
        bootstrap: latches.bootstrap,
        formed: latches.formed,
    }
}

fn stateful_set(set: Option<&KubeStatefulSet>, ordinals: u32) -> StatefulSet {
    let version = set.and_then(|set| set.metadata.resource_version.clone()).unwrap_or_default();
    StatefulSet { ordinals, version }
}

fn pod_of(subject: &Subject<'_>, pod: &KubePod, ordinal: u32, survey: &Survey) -> Pod {
    let told = survey.of(ordinal);
    let hash = pod.annotations().get(names::TEMPLATE_HASH_ANNOTATION).map(String::as_str);
    let waits_for_restart = told.is_some_and(|told| !told.pending_restart.is_empty());
    Pod {
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        state: pod_state(pod),
        outdated: hash != Some(subject.template_hash) || waits_for_restart,
        answer: told.map_or(Answer::Silent, |told| answer(subject.cluster_id, told)),
    }
}

fn answer(cluster_id: &str, told: &StatusResponse) -> Answer {
    match told.cluster_id.as_deref() {
        Some(id) if id != cluster_id => Answer::Foreign(id.to_owned()),
        _ if told.removed.is_some() => Answer::Removed,
        Some(_) => Answer::Node(NodeId(told.node_id)),
        None => Answer::Empty,
    }
}

/// What Kubernetes says of a pod under this type.
pub(super) fn condition<'a>(pod: &'a KubePod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// The container of the store.
pub(super) fn container(pod: &KubePod) -> Option<&ContainerStatus> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find(|container| container.name == names::CONTAINER)
}

fn pod_state(pod: &KubePod) -> PodState {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Terminating;
    }
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Failed" | "Succeeded")) {
        return PodState::Failing;
    }
    let Some(state) = container(pod).and_then(|container| container.state.as_ref()) else {
        return PodState::Pending;
    };
    let reason = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
    if state.running.is_some() {
        PodState::Running
    } else if state.terminated.is_some() || reason.is_some_and(|text| FAILURES.contains(&text)) {
        PodState::Failing
    } else {
        PodState::Pending
    }
}

/// Since when Kubernetes has seen the pod unready: some time, also when a clock runs behind.
fn unready_for(pod: &KubePod, now: Timestamp) -> Duration {
    let ready = condition(pod, "Ready");
    if ready.is_some_and(|ready| ready.status == "True") {
        return Duration::ZERO;
    }
    let changed = ready.and_then(|ready| ready.last_transition_time.as_ref());
    let since = changed.or(pod.metadata.creation_timestamp.as_ref()).map_or(now, |time| time.0);
    Duration::try_from(now.duration_since(since)).unwrap_or_default().max(Duration::from_millis(1))
}

fn volume(subject: &Subject<'_>, claim: &PersistentVolumeClaim) -> Volume {
    let meta = &claim.metadata;
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    Volume {
        version: format!("{}/{}", text(&meta.uid), text(&meta.resource_version)),
        ours: is_ours(claim, subject.cluster_id),
    }
}

/// Whether the claim was made for the cluster with this id.
pub(super) fn is_ours(claim: &PersistentVolumeClaim, cluster_id: &str) -> bool {
    claim.labels().get(names::CLUSTER_UID_LABEL).is_some_and(|label| label == cluster_id)
}

fn membership(subject: &Subject<'_>, survey: &Survey) -> Option<Membership> {
    let leader = survey.leader(subject.cluster_id);
    let (_, told) = leader.or_else(|| newest(subject.cluster_id, survey))?;
    let led = leader.is_some();
    let member = |member: &MemberStatus| {
        let addresses = member.member.as_ref()?;
        Some(Member {
            id: NodeId(addresses.node_id),
            ordinal: names::ordinal(subject.name, pod_name(addresses)),
            voter: member.voter,
            reachable: led && member.reachable,
            caught_up: led && member.caught_up,
        })
    };
    Some(Membership {
        version: version(told.membership.as_ref()?),
        joint: told.joint,
        leader: leader.map(|(_, told)| NodeId(told.node_id)),
        members: told.members.iter().filter_map(member).collect(),
    })
}

/// Without a leader: the answer with the newest membership.
fn newest<'a>(cluster_id: &str, survey: &'a Survey) -> Option<(u32, &'a StatusResponse)> {
    let member = |told: &StatusResponse| {
        let role = Role::try_from(told.role).unwrap_or(Role::Unspecified);
        told.cluster_id.as_deref() == Some(cluster_id)
            && told.removed.is_none()
            && !matches!(role, Role::Empty | Role::Removed | Role::Unspecified)
    };
    let members = survey.told().filter(|(_, told)| member(told) && told.membership.is_some());
    members.max_by_key(|(_, told)| told.membership.as_ref().map(|id| (id.term, id.index)))
}

fn version(id: &LogId) -> MembershipVersion {
    MembershipVersion { term: id.term, leader_node_id: id.leader_node_id, index: id.index }
}

/// Back into the store's words.
pub(super) fn log_id(version: MembershipVersion) -> LogId {
    let MembershipVersion { term, leader_node_id, index } = version;
    LogId { term, leader_node_id, index }
}
