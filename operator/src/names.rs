//! Names of objects, labels and ports: each is written here once. Functions take the cluster's
//! name.

use std::collections::BTreeMap;
use std::fmt;

/// Declares text types that the compiler does not mix up.
macro_rules! distinct_texts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

distinct_texts! {
    /// The name of an `IronKVCluster`.
    ClusterName,
    /// The namespace of an `IronKVCluster` and of all its objects.
    Namespace,
    /// `metadata.uid` of an object: it tells an object from a later one of the same name.
    Uid,
}

/// The field manager of server-side apply, and `app.kubernetes.io/managed-by`.
pub(crate) const MANAGER: &str = "ironkv-operator";

/// The container that runs the store.
pub(crate) const CONTAINER: &str = "ironkv";

/// Label of a volume claim: the id (not the uid) of the cluster that it was made for.
pub(crate) const CLUSTER_UID_LABEL: &str = "ironkv.io/cluster-uid";

/// Label of a pod: [`LEADER`] or [`REPLICA`].
pub(crate) const ROLE_LABEL: &str = "ironkv.io/role";

/// Value of [`ROLE_LABEL`].
pub(crate) const LEADER: &str = "leader";

/// Value of [`ROLE_LABEL`].
pub(crate) const REPLICA: &str = "replica";

/// Label of a pod: `false` while neither the leader nor the operator reaches its node, even if the
/// kubelet reported it ready; otherwise `true`.
pub(crate) const REACHED_LABEL: &str = "ironkv.io/reached";

/// Label of every object of a cluster: [`MANAGER`].
pub(crate) const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Label of every object of a cluster: the cluster's name.
pub(crate) const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";

/// Annotation of a volume claim: the time of the last request to its node to join the cluster.
pub(crate) const JOINING_ANNOTATION: &str = "ironkv.io/joining";

/// Annotation of a pod: a hash of the Secrets and of the configuration that it mounts.
pub(crate) const MOUNTED_ANNOTATION: &str = "ironkv.io/mounted";

/// The Lease by which replicas of the operator elect the active one.
pub(crate) const LEASE: &str = "ironkv-operator";

/// Annotation of the pod template, and thereby of each pod: the hash of the template.
pub(crate) const TEMPLATE_HASH_ANNOTATION: &str = "ironkv.io/template-hash";

/// Ports of the pods and of the Services.
pub(crate) mod ports {
    /// The Redis protocol.
    pub(crate) const RESP: u16 = 6379;
    /// The Redis protocol over TLS.
    pub(crate) const RESP_TLS: u16 = 6390;
    /// Peers and administration.
    pub(crate) const GRPC: u16 = 6380;
    /// Probes and metrics.
    pub(crate) const HTTP: u16 = 8080;

    /// All ports.
    pub(crate) const ALL: [u16; 4] = [RESP, RESP_TLS, GRPC, HTTP];

    /// Name of [`RESP`].
    pub(crate) const RESP_NAME: &str = "redis";
    /// Name of [`RESP_TLS`].
    pub(crate) const RESP_TLS_NAME: &str = "redis-tls";
    /// Name of [`GRPC`].
    pub(crate) const GRPC_NAME: &str = "grpc";
    /// Name of [`HTTP`].
    pub(crate) const HTTP_NAME: &str = "http";
}

/// Volumes of the pods and the paths at which they are mounted.
pub(crate) mod volumes {
    /// The disk, from the volume claim template.
    pub(crate) const DATA: &str = "data";
    /// The configuration file.
    pub(crate) const CONFIG: &str = "config";
    /// The passwords of clients.
    pub(crate) const PASSWORDS: &str = "passwords";
    /// The certificate for connections between members.
    pub(crate) const PEER_TLS: &str = "peer-tls";
    /// The certificate for connections from clients.
    pub(crate) const CLIENT_TLS: &str = "client-tls";

    /// Where [`DATA`] is mounted.
    pub(crate) const DATA_PATH: &str = "/var/lib/ironkv";
    /// Where [`CONFIG`] is mounted.
    pub(crate) const CONFIG_PATH: &str = "/etc/ironkv/config";
    /// The file with the accepted passwords in [`PASSWORDS_PATH`]: a key of the mounted Secret.
    pub(crate) const PASSWORDS_FILE: &str = "passwords";
    /// Where [`PASSWORDS`] is mounted.
    pub(crate) const PASSWORDS_PATH: &str = "/etc/ironkv/passwords";
    /// Where [`PEER_TLS`] is mounted.
    pub(crate) const PEER_TLS_PATH: &str = "/etc/ironkv/peer-tls";
    /// Where [`CLIENT_TLS`] is mounted.
    pub(crate) const CLIENT_TLS_PATH: &str = "/etc/ironkv/client-tls";

    /// Every name with its path.
    pub(crate) const ALL: [(&str, &str); 5] = [
        (DATA, DATA_PATH),
        (CONFIG, CONFIG_PATH),
        (PASSWORDS, PASSWORDS_PATH),
        (PEER_TLS, PEER_TLS_PATH),
        (CLIENT_TLS, CLIENT_TLS_PATH),
    ];
}

/// The StatefulSet.
pub(crate) fn stateful_set(cluster: &ClusterName) -> String {
    cluster.to_string()
}

/// The pod with this ordinal.
pub(crate) fn pod(cluster: &ClusterName, ordinal: u32) -> String {
    format!("{}-{ordinal}", stateful_set(cluster))
}

/// The ordinal of a pod; `None` when it does not belong to this cluster.
pub(crate) fn ordinal(cluster: &ClusterName, pod_name: &str) -> Option<u32> {
    let digits = pod_name.strip_prefix(&stateful_set(cluster))?.strip_prefix('-')?;
    let ordinal = digits.parse().ok()?;
    (pod(cluster, ordinal) == pod_name).then_some(ordinal)
}

/// The volume claim of the pod with this ordinal.
pub(crate) fn volume_claim(cluster: &ClusterName, ordinal: u32) -> String {
    format!("{}-{}", volumes::DATA, pod(cluster, ordinal))
}

/// The ordinal of a volume claim; `None` when it does not belong to this cluster.
pub(crate) fn claim_ordinal(cluster: &ClusterName, claim_name: &str) -> Option<u32> {
    ordinal(cluster, claim_name.strip_prefix(volumes::DATA)?.strip_prefix('-')?)
}

/// The headless Service that gives each pod its DNS name.
pub(crate) fn peer_service(cluster: &ClusterName) -> String {
    format!("{cluster}-peers")
}

/// The Service of any ready member.
pub(crate) fn client_service(cluster: &ClusterName) -> String {
    cluster.to_string()
}

/// The Service of the leader.
pub(crate) fn leader_service(cluster: &ClusterName) -> String {
    format!("{cluster}-leader")
}

/// The Service of the members that do not lead.
pub(crate) fn replicas_service(cluster: &ClusterName) -> String {
    format!("{cluster}-replicas")
}

/// The ConfigMap with the configuration file.
pub(crate) fn config_map(cluster: &ClusterName) -> String {
    format!("{cluster}-config")
}

/// The Secret with the current password, which people and clients read.
pub(crate) fn auth_secret(cluster: &ClusterName) -> String {
    format!("{cluster}-auth")
}

/// The Secret with the passwords that the pods accept.
pub(crate) fn passwords_secret(cluster: &ClusterName) -> String {
    format!("{cluster}-passwords")
}

/// The Secret with the certificate authority of the cluster.
pub(crate) fn ca_secret(cluster: &ClusterName) -> String {
    format!("{cluster}-ca")
}

/// The Secret with the certificate for connections between members.
pub(crate) fn peer_tls_secret(cluster: &ClusterName) -> String {
    format!("{cluster}-peer-tls")
}

/// The Secret with the certificate for connections from clients.
pub(crate) fn client_tls_secret(cluster: &ClusterName) -> String {
    format!("{cluster}-client-tls")
}

/// The ServiceAccount of the pods.
pub(crate) fn service_account(cluster: &ClusterName) -> String {
    cluster.to_string()
}

/// The PodDisruptionBudget.
pub(crate) fn disruption_budget(cluster: &ClusterName) -> String {
    cluster.to_string()
}

/// The NetworkPolicy.
pub(crate) fn network_policy(cluster: &ClusterName) -> String {
    cluster.to_string()
}

/// The PodMonitor.
pub(crate) fn pod_monitor(cluster: &ClusterName) -> String {
    cluster.to_string()
}

/// The PrometheusRule.
pub(crate) fn prometheus_rule(cluster: &ClusterName) -> String {
    cluster.to_string()
}

/// The ConfigMap with the dashboard.
pub(crate) fn dashboard(cluster: &ClusterName) -> String {
    format!("{cluster}-dashboard")
}

/// The DNS name of the member with this ordinal.
pub(crate) fn member_host(cluster: &ClusterName, namespace: &Namespace, ordinal: u32) -> String {
    format!("{}.{}", pod(cluster, ordinal), peer_domain(cluster, namespace))
}

/// The DNS domain of the pods: the part of [`member_host`] after the name of the pod.
pub(crate) fn peer_domain(cluster: &ClusterName, namespace: &Namespace) -> String {
    format!("{}.{namespace}.svc", peer_service(cluster))
}

/// Labels of every object of a cluster.
pub(crate) fn labels(cluster: &ClusterName) -> BTreeMap<String, String> {
    let mut labels = selector(cluster);
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGER.to_owned());
    labels.insert("app.kubernetes.io/component".to_owned(), "store".to_owned());
    labels
}

/// Labels that select exactly the pods of a cluster.
pub(crate) fn selector(cluster: &ClusterName) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "ironkv".to_owned()),
        (INSTANCE_LABEL.to_owned(), cluster.to_string()),
    ])
}

/// Labels that select the pods of a cluster to which Services may send clients.
pub(crate) fn client_selector(cluster: &ClusterName) -> BTreeMap<String, String> {
    let mut labels = selector(cluster);
    labels.insert(REACHED_LABEL.to_owned(), true.to_string());
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ordinal_of_a_pod_is_read_only_from_a_pod_of_this_cluster() {
        let cluster = ClusterName::from("a");
        assert_eq!(ordinal(&cluster, &pod(&cluster, 7)), Some(7));
        for other in ["a", "a-", "a-b-7", "b-7", "a-07", "a-+7", "a-7-7", "a-99999999999"] {
            assert_eq!(ordinal(&cluster, other), None, "{other}");
        }
    }

    #[test]
    fn the_ordinal_of_a_claim_is_read_only_from_a_claim_of_this_cluster() {
        let cluster = ClusterName::from("a-b");
        assert_eq!(claim_ordinal(&cluster, &volume_claim(&cluster, 0)), Some(0));
        for other in ["a-b-0", "data-a-0", "other-a-b-0", "data-a-b-c-0"] {
            assert_eq!(claim_ordinal(&cluster, other), None, "{other}");
        }
    }

    #[test]
    fn a_member_is_reached_through_the_peer_service() {
        let host = member_host(&"kv".into(), &"prod".into(), 2);
        assert_eq!(host, "kv-2.kv-peers.prod.svc");
    }
}
