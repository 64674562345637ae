//! The status of every node of one cluster, requested over gRPC.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::join_all;
use ironkv_proto::admin::v1::{MemberStatus, Role, StatusResponse};
use ironkv_proto::types::v1::Member;
use k8s_openapi::api::core::v1::Pod;
use tokio_rustls::rustls::ClientConfig;

use super::objects::ClusterObjects;
use crate::controller::decide::ValidatedCluster;
use crate::names;
use crate::node_admin::{AdminError, NodeAdmin, PodEndpoint};

/// A leader that was not acknowledged by a quorum for longer than this may have been replaced. It
/// is several heartbeats, in milliseconds.
const LEADER_SILENCE_MS_MAX: u64 = 3000;

/// The answers of the nodes by ordinal, and the endpoints for further requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeStatuses {
    /// Identity of the cluster; answers of other clusters are kept but have no leader.
    pub(crate) cluster_id: String,
    /// The endpoint of each pod that has an address.
    pub(crate) endpoints: BTreeMap<u32, PodEndpoint>,
    /// The answer from each endpoint.
    pub(crate) answers: BTreeMap<u32, Result<StatusResponse, AdminError>>,
}

impl NodeStatuses {
    /// Asks all nodes at the same time.
    pub(crate) async fn observe(
        nodes: &dyn NodeAdmin,
        cluster: &ValidatedCluster,
        objects: &ClusterObjects,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Self {
        let endpoint = |(ordinal, pod): (&u32, &Arc<Pod>)| {
            let host = names::member_host(&cluster.name, &cluster.namespace, *ordinal);
            Some((*ordinal, endpoint(pod, host, tls.cloned())?))
        };
        let endpoints: BTreeMap<u32, PodEndpoint> =
            objects.pods.iter().filter_map(endpoint).collect();
        let requests = endpoints
            .iter()
            .map(async |(ordinal, endpoint)| (*ordinal, nodes.status(endpoint).await));
        let answers = join_all(requests).await.into_iter().collect();
        Self { cluster_id: cluster.cluster_id.clone(), endpoints, answers }
    }

    /// The nodes that answered: ordinal and answer.
    pub(crate) fn answered(&self) -> impl Iterator<Item = (u32, &StatusResponse)> {
        self.answers.iter().filter_map(|(ordinal, answer)| Some((*ordinal, answer.as_ref().ok()?)))
    }

    /// The answer of the node with this ordinal; `None` when it did not answer.
    pub(crate) fn of(&self, ordinal: u32) -> Option<&StatusResponse> {
        self.answers.get(&ordinal)?.as_ref().ok()
    }

    /// Whether the node belongs to this cluster.
    pub(crate) fn is_ours(&self, status: &StatusResponse) -> bool {
        status.cluster_id.as_deref() == Some(self.cluster_id.as_str())
    }

    /// The leader of this cluster, if a quorum acknowledged it recently. After a partition a former
    /// leader may still consider itself the leader, so the highest term counts.
    pub(crate) fn leader(&self) -> Option<(u32, &StatusResponse)> {
        let leads = |status: &&StatusResponse| {
            let acknowledged = status.quorum_acknowledged_ms_ago;
            self.is_ours(status)
                && status.role == i32::from(Role::Leader)
                && acknowledged.is_some_and(|ms| ms <= LEADER_SILENCE_MS_MAX)
        };
        self.answered().filter(|(_, status)| leads(status)).max_by_key(|(_, status)| status.term)
    }

    /// The endpoint of the leader.
    pub(crate) fn leader_endpoint(&self) -> Option<&PodEndpoint> {
        self.endpoints.get(&self.leader()?.0)
    }

    /// Whether neither the leader nor the operator reaches this pod.
    pub(crate) fn is_partitioned(&self, ordinal: u32, pod: &str) -> bool {
        let Some((_, leader)) = self.leader() else { return false };
        let is_unreachable = |status: &MemberStatus| {
            !status.reachable
                && status.member.as_ref().is_some_and(|member| pod_name(member) == pod)
        };
        leader.members.iter().any(is_unreachable) && self.of(ordinal).is_none()
    }
}

fn endpoint(pod: &Pod, host: String, tls: Option<Arc<ClientConfig>>) -> Option<PodEndpoint> {
    let ip: IpAddr = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    let address = SocketAddr::new(ip, names::ports::GRPC);
    let pod_uid = pod.metadata.uid.as_deref()?.into();
    Some(PodEndpoint { pod_uid, address, host, tls })
}

/// The name of the pod in the address of a member.
pub(super) fn pod_name(member: &Member) -> &str {
    member.raft_address.split(['.', ':']).next().unwrap_or_default()
}
