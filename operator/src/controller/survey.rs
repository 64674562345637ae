//! Asks every pod's node at the same time. A node that does not answer is silent, never absent.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::join_all;
use ironkv_proto::admin::v1::{MemberStatus, Role, StatusResponse};
use ironkv_proto::types::v1::Member;
use k8s_openapi::api::core::v1::Pod;
use tokio_rustls::rustls::ClientConfig;

use super::observe::Kubernetes;
use crate::names;
use crate::node_admin::{AdminError, Door, NodeAdmin};

/// A leader that no quorum acknowledged for longer may have been deposed. Several heartbeats.
const LEADER_SILENCE_MS_MAX: u64 = 3000;

/// The nodes' answers by ordinal, and how to ask again.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey {
    /// Pods that have an address.
    pub(super) doors: BTreeMap<u32, Door>,
    /// What those answered.
    pub(super) answers: BTreeMap<u32, Result<StatusResponse, AdminError>>,
}

/// Asks them all.
pub(super) async fn survey(
    nodes: &dyn NodeAdmin,
    kubernetes: &Kubernetes,
    (namespace, name): (&str, &str),
    tls: Option<&Arc<ClientConfig>>,
) -> Survey {
    let door = |(ordinal, pod): (&u32, &Arc<Pod>)| {
        let host = names::member_host(name, namespace, *ordinal);
        Some((*ordinal, door(pod, host, tls.cloned())?))
    };
    let doors: BTreeMap<u32, Door> = kubernetes.pods.iter().filter_map(door).collect();
    let asked = doors.iter().map(async |(ordinal, door)| (*ordinal, nodes.status(door).await));
    let answers = join_all(asked).await.into_iter().collect();
    Survey { doors, answers }
}

fn door(pod: &Pod, host: String, tls: Option<Arc<ClientConfig>>) -> Option<Door> {
    let ip: IpAddr = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    let address = SocketAddr::new(ip, names::ports::GRPC);
    Some(Door { pod_uid: pod.metadata.uid.clone()?, address, host, tls })
}

/// The pod that a member's address names.
pub(super) fn pod_name(member: &Member) -> &str {
    member.raft_address.split(['.', ':']).next().unwrap_or_default()
}

impl Survey {
    /// The ordinals that answered, with what they said.
    pub(super) fn told(&self) -> impl Iterator<Item = (u32, &StatusResponse)> {
        self.answers.iter().filter_map(|(ordinal, answer)| Some((*ordinal, answer.as_ref().ok()?)))
    }

    /// What this one said, if it did.
    pub(super) fn of(&self, ordinal: u32) -> Option<&StatusResponse> {
        self.answers.get(&ordinal)?.as_ref().ok()
    }

    /// Whether neither its leader nor the operator reaches this pod.
    pub(super) fn is_cut_off(&self, cluster_id: &str, (ordinal, pod): (u32, &str)) -> bool {
        let Some((_, leader)) = self.leader(cluster_id) else { return false };
        let is_missed = |status: &MemberStatus| {
            !status.reachable
                && status.member.as_ref().is_some_and(|member| pod_name(member) == pod)
        };
        leader.members.iter().any(is_missed) && self.of(ordinal).is_none()
    }

    /// The leader of this cluster that a quorum acknowledged a moment ago. After a partition an old
    /// one may still believe in itself: the highest term counts.
    pub(super) fn leader(&self, cluster_id: &str) -> Option<(u32, &StatusResponse)> {
        let leads = |told: &&StatusResponse| {
            let heard = told.quorum_acknowledged_ms_ago;
            told.cluster_id.as_deref() == Some(cluster_id)
                && told.role == i32::from(Role::Leader)
                && heard.is_some_and(|ms| ms <= LEADER_SILENCE_MS_MAX)
        };
        self.told().filter(|(_, told)| leads(told)).max_by_key(|(_, told)| told.term)
    }
}
