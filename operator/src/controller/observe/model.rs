//! Turns what Kubernetes and the nodes reported into the values that the planner decides on. Pure.

use std::time::Duration;

use ironkv_proto::admin::v1::{MemberStatus, Role, StatusResponse};
use ironkv_proto::types::v1::LogId;
use k8s_openapi::api::apps::v1::StatefulSet as KubeStatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod as KubePod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::nodes::{NodeStatuses, pod_name};
use super::objects::{ClusterObjects, condition, container};
use crate::controller::decide::{
    Answer, Member, Membership, MembershipVersion, NodeId, Observed, Place, Pod, PodState,
    StatefulSet, StatusLatches, ValidatedCluster, Volume, VolumeVersion,
};
use crate::names;

/// Reasons for a waiting container that the template or the image may have caused.
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

struct Model<'a> {
    cluster: &'a ValidatedCluster,
    template_hash: &'a str,
    nodes: &'a NodeStatuses,
    now: Timestamp,
}

/// The observed state. `template_hash` is that of the newest pod template.
pub(crate) fn observed(
    cluster: &ValidatedCluster,
    template_hash: &str,
    latches: StatusLatches,
    objects: &ClusterObjects,
    nodes: &NodeStatuses,
    now: Timestamp,
) -> Observed {
    let model = Model { cluster, template_hash, nodes, now };
    Observed {
        stateful_set: stateful_set(objects.stateful_set.as_deref(), objects.ordinals()),
        places: objects.places().map(|ordinal| model.place(ordinal, objects)).collect(),
        membership: model.membership(),
        bootstrap: latches.bootstrap,
        formed: latches.formed,
    }
}

impl Model<'_> {
    fn place(&self, ordinal: u32, objects: &ClusterObjects) -> Place {
        let pod = objects.pods.get(&ordinal);
        Place {
            ordinal,
            pod: pod.map(|pod| self.pod(pod, ordinal)),
            volume: objects.claims.get(&ordinal).map(|claim| self.volume(claim)),
            unready_for: pod.map_or(Duration::ZERO, |pod| unready_for(pod, self.now)),
        }
    }

    fn pod(&self, pod: &KubePod, ordinal: u32) -> Pod {
        let status = self.nodes.of(ordinal);
        let hash = pod.annotations().get(names::TEMPLATE_HASH_ANNOTATION).map(String::as_str);
        let needs_restart = status.is_some_and(|status| !status.pending_restart.is_empty());
        Pod {
            uid: pod.metadata.uid.as_deref().unwrap_or_default().into(),
            state: pod_state(pod),
            outdated: hash != Some(self.template_hash) || needs_restart,
            answer: status.map_or(Answer::Silent, |status| self.answer(status)),
        }
    }

    fn answer(&self, status: &StatusResponse) -> Answer {
        match &status.cluster_id {
            Some(id) if *id != self.cluster.cluster_id => Answer::Foreign(id.clone()),
            _ if status.removed.is_some() => Answer::Removed,
            Some(_) => Answer::Node(NodeId(status.node_id)),
            None => Answer::Empty,
        }
    }

    fn volume(&self, claim: &PersistentVolumeClaim) -> Volume {
        let metadata = &claim.metadata;
        Volume {
            version: VolumeVersion {
                uid: metadata.uid.as_deref().unwrap_or_default().into(),
                resource_version: metadata.resource_version.clone().unwrap_or_default(),
            },
            ours: is_made_for(self.cluster, claim),
        }
    }

    fn membership(&self) -> Option<Membership> {
        let leader = self.nodes.leader();
        let (_, status) = leader.or_else(|| self.newest())?;
        let has_leader = leader.is_some();
        let member = |member: &MemberStatus| {
            let addresses = member.member.as_ref()?;
            Some(Member {
                id: NodeId(addresses.node_id),
                ordinal: names::ordinal(&self.cluster.name, pod_name(addresses)),
                voter: member.voter,
                reachable: has_leader && member.reachable,
                caught_up: has_leader && member.caught_up,
            })
        };
        Some(Membership {
            version: version(status.membership.as_ref()?),
            joint: status.joint,
            leader: leader.map(|(_, status)| NodeId(status.node_id)),
            members: status.members.iter().filter_map(member).collect(),
        })
    }

    /// The answer with the newest membership, for the time without a leader.
    fn newest(&self) -> Option<(u32, &StatusResponse)> {
        let is_member = |status: &StatusResponse| {
            let role = Role::try_from(status.role).unwrap_or(Role::Unspecified);
            self.nodes.is_ours(status)
                && status.removed.is_none()
                && !matches!(role, Role::Empty | Role::Removed | Role::Unspecified)
        };
        let members = self.nodes.answered().filter(|(_, status)| is_member(status));
        members
            .filter(|(_, status)| status.membership.is_some())
            .max_by_key(|(_, status)| status.membership.as_ref().map(|id| (id.term, id.index)))
    }
}

fn stateful_set(set: Option<&KubeStatefulSet>, ordinals: u32) -> StatefulSet {
    let version = set.and_then(|set| set.metadata.resource_version.clone()).unwrap_or_default();
    StatefulSet { ordinals, version }
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

/// For how long Kubernetes has seen the pod unready. It is more than zero for an unready pod, even
/// when the clock of the operator is behind.
fn unready_for(pod: &KubePod, now: Timestamp) -> Duration {
    let ready = condition(pod, "Ready");
    if ready.is_some_and(|ready| ready.status == "True") {
        return Duration::ZERO;
    }
    let changed = ready.and_then(|ready| ready.last_transition_time.as_ref());
    let since = changed.or(pod.metadata.creation_timestamp.as_ref()).map_or(now, |time| time.0);
    Duration::try_from(now.duration_since(since)).unwrap_or_default().max(Duration::from_millis(1))
}

/// Whether the claim was made for this cluster.
pub(crate) fn is_made_for(cluster: &ValidatedCluster, claim: &PersistentVolumeClaim) -> bool {
    claim.labels().get(names::CLUSTER_UID_LABEL) == Some(&cluster.cluster_id)
}

fn version(id: &LogId) -> MembershipVersion {
    MembershipVersion { term: id.term, leader_node_id: id.leader_node_id, index: id.index }
}

/// The log id of a membership, as the admin API expects it.
pub(crate) fn log_id(version: MembershipVersion) -> LogId {
    let MembershipVersion { term, leader_node_id, index } = version;
    LogId { term, leader_node_id, index }
}
