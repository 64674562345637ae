//! Names of objects, labels and ports: each stands here once. Functions take the cluster's name.

use std::collections::BTreeMap;

/// The field manager of server-side apply, and `app.kubernetes.io/managed-by`.
pub const MANAGER: &str = "ironkv-operator";

/// The container that runs the store.
pub const CONTAINER: &str = "ironkv";

/// Label of a volume claim: [`ValidatedCluster::cluster_id`] of the cluster it was made for.
///
/// [`ValidatedCluster::cluster_id`]: crate::controller::ValidatedCluster::cluster_id
pub const CLUSTER_UID_LABEL: &str = "ironkv.io/cluster-uid";

/// Label of a pod: [`LEADER`] or [`REPLICA`].
pub const ROLE_LABEL: &str = "ironkv.io/role";

/// Value of [`ROLE_LABEL`].
pub const LEADER: &str = "leader";

/// Value of [`ROLE_LABEL`].
pub const REPLICA: &str = "replica";

/// Label of a pod: `true`, or `false` while nobody reaches it whatever its kubelet said last.
pub const REACHED_LABEL: &str = "ironkv.io/reached";

/// Label of every object of a cluster: [`MANAGER`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Label of every object of a cluster: the cluster's name.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";

/// Annotation of a volume claim: when its pod was last told to join.
pub const JOINING_ANNOTATION: &str = "ironkv.io/joining";

/// Annotation of a pod: a mark of what its mounted Secrets and configuration hold.
pub const MOUNTED_ANNOTATION: &str = "ironkv.io/mounted";

/// The Lease by which replicas of the operator agree who acts.
pub const LEASE: &str = "ironkv-operator";

/// Annotation of the pod template and so of each pod.
pub const TEMPLATE_HASH_ANNOTATION: &str = "ironkv.io/template-hash";

/// Ports of the pods and of the Services.
pub mod ports {
    /// The Redis protocol.
    pub const RESP: u16 = 6379;
    /// The Redis protocol over TLS.
    pub const RESP_TLS: u16 = 6390;
    /// Peers and administration.
    pub const GRPC: u16 = 6380;
    /// Probes and metrics.
    pub const HTTP: u16 = 8080;

    /// Every one.
    pub const ALL: [u16; 4] = [RESP, RESP_TLS, GRPC, HTTP];

    /// Name of [`RESP`].
    pub const RESP_NAME: &str = "redis";
    /// Name of [`RESP_TLS`].
    pub const RESP_TLS_NAME: &str = "redis-tls";
    /// Name of [`GRPC`].
    pub const GRPC_NAME: &str = "grpc";
    /// Name of [`HTTP`].
    pub const HTTP_NAME: &str = "http";
}

/// Volumes of the pods and where they are mounted.
pub mod volumes {
    /// The disk, of the volume claim template.
    pub const DATA: &str = "data";
    /// The configuration file.
    pub const CONFIG: &str = "config";
    /// The passwords of clients.
    pub const PASSWORDS: &str = "passwords";
    /// The certificate of the peers.
    pub const PEER_TLS: &str = "peer-tls";
    /// The certificate that clients see.
    pub const CLIENT_TLS: &str = "client-tls";

    /// Where [`DATA`] is mounted.
    pub const DATA_PATH: &str = "/var/lib/ironkv";
    /// Where [`CONFIG`] is mounted.
    pub const CONFIG_PATH: &str = "/etc/ironkv/config";
    /// Where [`PASSWORDS`] is mounted.
    pub const PASSWORDS_PATH: &str = "/etc/ironkv/passwords";
    /// Where [`PEER_TLS`] is mounted.
    pub const PEER_TLS_PATH: &str = "/etc/ironkv/peer-tls";
    /// Where [`CLIENT_TLS`] is mounted.
    pub const CLIENT_TLS_PATH: &str = "/etc/ironkv/client-tls";

    /// Every name with its path.
    pub const ALL: [(&str, &str); 5] = [
        (DATA, DATA_PATH),
        (CONFIG, CONFIG_PATH),
        (PASSWORDS, PASSWORDS_PATH),
        (PEER_TLS, PEER_TLS_PATH),
        (CLIENT_TLS, CLIENT_TLS_PATH),
    ];
}

/// The StatefulSet.
pub fn stateful_set(cluster: &str) -> String {
    cluster.to_owned()
}

/// The pod with this ordinal.
pub fn pod(cluster: &str, ordinal: u32) -> String {
    format!("{}-{ordinal}", stateful_set(cluster))
}

/// The ordinal of a pod; absent when it is none of this cluster's.
pub fn ordinal(cluster: &str, pod_name: &str) -> Option<u32> {
    let digits = pod_name.strip_prefix(&stateful_set(cluster))?.strip_prefix('-')?;
    let ordinal = digits.parse().ok()?;
    (pod(cluster, ordinal) == pod_name).then_some(ordinal)
}

/// The volume claim of the pod with this ordinal.
pub fn volume_claim(cluster: &str, ordinal: u32) -> String {
    format!("{}-{}", volumes::DATA, pod(cluster, ordinal))
}

/// The ordinal of a volume claim; absent when it is none of this cluster's.
pub fn claim_ordinal(cluster: &str, claim_name: &str) -> Option<u32> {
    ordinal(cluster, claim_name.strip_prefix(volumes::DATA)?.strip_prefix('-')?)
}

/// The headless Service that gives each pod its name.
pub fn peer_service(cluster: &str) -> String {
    format!("{cluster}-peers")
}

/// The Service of any ready member.
pub fn client_service(cluster: &str) -> String {
    cluster.to_owned()
}

/// The Service of the leader.
pub fn leader_service(cluster: &str) -> String {
    format!("{cluster}-leader")
}

/// The Service of those that do not lead.
pub fn replicas_service(cluster: &str) -> String {
    format!("{cluster}-replicas")
}

/// The ConfigMap with the configuration file.
pub fn config_map(cluster: &str) -> String {
    format!("{cluster}-config")
}

/// The Secret with the password, for people.
pub fn auth_secret(cluster: &str) -> String {
    format!("{cluster}-auth")
}

/// The Secret with the passwords that the pods accept.
pub fn passwords_secret(cluster: &str) -> String {
    format!("{cluster}-passwords")
}

/// The Secret with the authority that signs the cluster's certificates.
pub fn ca_secret(cluster: &str) -> String {
    format!("{cluster}-ca")
}

/// The Secret with the certificate of the peers.
pub fn peer_tls_secret(cluster: &str) -> String {
    format!("{cluster}-peer-tls")
}

/// The Secret with the certificate that clients see.
pub fn client_tls_secret(cluster: &str) -> String {
    format!("{cluster}-client-tls")
}

/// The ServiceAccount of the pods.
pub fn service_account(cluster: &str) -> String {
    cluster.to_owned()
}

/// The PodDisruptionBudget.
pub fn disruption_budget(cluster: &str) -> String {
    cluster.to_owned()
}

/// The NetworkPolicy.
pub fn network_policy(cluster: &str) -> String {
    cluster.to_owned()
}

/// The PodMonitor.
pub fn pod_monitor(cluster: &str) -> String {
    cluster.to_owned()
}

/// The PrometheusRule.
pub fn prometheus_rule(cluster: &str) -> String {
    cluster.to_owned()
}

/// The ConfigMap with the dashboard.
pub fn dashboard(cluster: &str) -> String {
    format!("{cluster}-dashboard")
}

/// The host by which others reach the member with this ordinal.
pub fn member_host(cluster: &str, namespace: &str, ordinal: u32) -> String {
    format!("{}.{}", pod(cluster, ordinal), peer_domain(cluster, namespace))
}

/// What follows a pod's name in its host.
pub fn peer_domain(cluster: &str, namespace: &str) -> String {
    format!("{}.{namespace}.svc", peer_service(cluster))
}

/// Labels of every object of a cluster.
pub fn labels(cluster: &str) -> BTreeMap<String, String> {
    let mut labels = selector(cluster);
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGER.to_owned());
    labels.insert("app.kubernetes.io/component".to_owned(), "store".to_owned());
    labels
}

/// Labels that select the pods of a cluster and nothing else.
pub fn selector(cluster: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "ironkv".to_owned()),
        (INSTANCE_LABEL.to_owned(), cluster.to_owned()),
    ])
}

/// Labels that select the pods of a cluster that clients may be sent to.
pub fn client_selector(cluster: &str) -> BTreeMap<String, String> {
    let mut labels = selector(cluster);
    labels.insert(REACHED_LABEL.to_owned(), true.to_string());
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ordinal_of_a_pod_is_read_only_from_a_pod_of_this_cluster() {
        assert_eq!(ordinal("a", &pod("a", 7)), Some(7));
        for other in ["a", "a-", "a-b-7", "b-7", "a-07", "a-+7", "a-7-7", "a-99999999999"] {
            assert_eq!(ordinal("a", other), None, "{other}");
        }
    }

    #[test]
    fn the_ordinal_of_a_claim_is_read_only_from_a_claim_of_this_cluster() {
        assert_eq!(claim_ordinal("a-b", &volume_claim("a-b", 0)), Some(0));
        for other in ["a-b-0", "data-a-0", "other-a-b-0", "data-a-b-c-0"] {
            assert_eq!(claim_ordinal("a-b", other), None, "{other}");
        }
    }

    #[test]
    fn a_member_is_reached_through_the_peer_service() {
        assert_eq!(member_host("kv", "prod", 2), "kv-2.kv-peers.prod.svc");
    }
}
