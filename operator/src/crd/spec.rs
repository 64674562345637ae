//! The spec of a cluster, written by the user.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Auth, IronKVClusterStatus, Scheduling, Storage, Tls};

/// A Redis-compatible cluster that never loses an acknowledged write.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "ironkv.io",
    version = "v1alpha1",
    kind = "IronKVCluster",
    plural = "ironkvclusters",
    singular = "ironkvcluster",
    shortname = "ikv",
    category = "all",
    namespaced,
    cel,
    status = "IronKVClusterStatus",
    derive = "PartialEq",
    doc = "A Redis-compatible cluster that never loses an acknowledged write.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(name = "Members", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Leader", type_ = "string", json_path = ".status.leader"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.currentVersion"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 40").message(
        "metadata.name must not be longer than 40 characters: pod names and labels are made of it"
    ),
    validation = Rule::new(
        "!has(self.spec.clusterID) || !has(self.status) || !has(self.status.clusterID) \
         || self.spec.clusterID == self.status.clusterID"
    )
    .message("spec.clusterID cannot be set to another id than the one this cluster has")
)]
#[x_kube(validation = Rule::new("self.replicas == 0 || self.replicas % 2 == 1").message(
    "spec.replicas must be 1, 3, 5, 7 or 9 (an even member adds no fault \
     tolerance), or 0 to hibernate with the data kept"
))]
#[x_kube(validation = Rule::new(
    "self.tls.peers == oldSelf.tls.peers || (self.replicas == 0 && oldSelf.replicas == 0)"
).message(
    "spec.tls.peers can only change while spec.replicas is 0: members with and without \
     encryption do not understand each other"
))]
#[x_kube(validation = Rule::new(
    "!has(oldSelf.clusterID) || (has(self.clusterID) && self.clusterID == oldSelf.clusterID)"
).message("spec.clusterID cannot change: make a new cluster to adopt other volumes"))]
#[serde(rename_all = "camelCase")]
pub struct IronKVClusterSpec {
    /// Voting members: 1, 3, 5, 7 or 9. 3 survive the loss of one, 5 of two. 0 hibernates the
    /// cluster: no pods, all data kept.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 9))]
    pub replicas: i32,

    /// Image of the store. The operator's own version when absent. A change rolls the pods, one at
    /// a time, the leader last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,

    /// When the kubelet pulls the image: Always, IfNotPresent or Never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in ['Always', 'IfNotPresent', 'Never']").message(
        "spec.imagePullPolicy must be Always, IfNotPresent or Never"
    ))]
    pub image_pull_policy: Option<String>,

    /// Secrets of this namespace with which images are pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,

    /// The disk of each member.
    #[serde(default)]
    pub storage: Storage,

    /// CPU and memory of each member. A change rolls the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// Where members run.
    #[serde(default)]
    pub scheduling: Scheduling,

    /// Settings of the store: Redis parameters of the whole cluster such as `maxmemory`, and keys
    /// of its configuration file, such as `checkpoint.log_bytes_min`. Live ones are applied without
    /// a restart; the others roll the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,

    /// The password of clients.
    #[serde(default)]
    pub auth: Auth,

    /// Encryption between members and towards clients.
    #[serde(default)]
    pub tls: Tls,

    /// The Services that clients use.
    #[serde(default)]
    pub services: Services,

    /// Who may reach the pods.
    #[serde(default)]
    pub network_policy: NetworkPolicy,

    /// Objects for Prometheus and Grafana, made when the cluster has their kinds.
    #[serde(default)]
    pub monitoring: Monitoring,

    /// How pods are rolled.
    #[serde(default)]
    pub update: Update,

    /// Adopts the volumes of an earlier cluster with this id (`status.clusterID`, 32 hexadecimal
    /// digits). A new cluster chooses its own when absent.
    #[serde(default, rename = "clusterID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^[0-9a-f]{32}$"))]
    pub cluster_id: Option<String>,

    /// What happens when a member's disk or node is gone.
    #[serde(default)]
    pub member_replacement: MemberReplacement,

    /// Leaves every object as it is until set back to false.
    #[serde(default)]
    pub paused: bool,

    /// A patch, merged into the pod template: anything of a PodTemplateSpec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub pod_overrides: Option<serde_json::Value>,

    /// Seconds for a member to hand over leadership and flush before it is killed.
    #[serde(default = "default_grace")]
    #[schemars(range(min = 5, max = 600))]
    pub termination_grace_period_seconds: i64,
}

/// The Service `<name>`, which leads to any ready member and is always correct. `<name>-leader` and
/// `<name>-replicas` save a hop within the cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Services {
    /// ClusterIP, NodePort or LoadBalancer; ClusterIP when absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in ['ClusterIP', 'NodePort', 'LoadBalancer']").message(
        "spec.services.type must be ClusterIP, NodePort or LoadBalancer"
    ))]
    pub type_: Option<String>,
    /// Annotations of the Service `<name>`, for load balancers and DNS.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Who may reach the pods: clients the RESP port; peers and the operator the gRPC port.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicy {
    /// Whether a NetworkPolicy is made.
    pub enabled: bool,
}

impl Default for NetworkPolicy {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Objects for Prometheus and Grafana.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Monitoring {
    /// A PodMonitor that scrapes `/metrics` of every member.
    pub pod_monitor: bool,
    /// A PrometheusRule with the alerts.
    pub prometheus_rule: bool,
    /// A ConfigMap with the Grafana dashboard, labelled `grafana_dashboard: "1"`.
    pub dashboard: bool,
}

/// How pods are rolled.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Update {
    /// Auto rolls by itself; Manual waits until a pod is deleted by hand.
    pub strategy: UpdateStrategy,
    /// Stops a roll when a new pod does not become ready, so that the others keep the old template.
    pub pause_on_failure: bool,
}

/// See [`Update::strategy`].
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateStrategy {
    /// The operator rolls.
    #[default]
    Auto,
    /// A person deletes each pod.
    Manual,
}

/// What happens when a member's disk or node is gone.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberReplacement {
    /// Auto replaces a lost member; Manual only reports it.
    pub policy: ReplacementPolicy,
    /// Seconds a member must be gone before it is replaced.
    #[schemars(range(min = 30, max = 86400))]
    pub after_seconds: i64,
}

impl Default for MemberReplacement {
    fn default() -> Self {
        Self { policy: ReplacementPolicy::Auto, after_seconds: 300 }
    }
}

/// See [`MemberReplacement::policy`].
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplacementPolicy {
    /// The operator removes the member and lets a new one join.
    #[default]
    Auto,
    /// A person decides.
    Manual,
}

const fn default_replicas() -> i32 {
    3
}

const fn default_grace() -> i64 {
    60
}

fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "nullable": true,
        "x-kubernetes-preserve-unknown-fields": true,
    })
}
