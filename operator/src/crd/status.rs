//! The status of a cluster, written by the operator.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator says about a cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IronKVClusterStatus {
    /// Generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Available, Progressing, Degraded, Bootstrapped, QuorumLost, ClusterIDMismatch,
    /// ConfigurationWarning, StorageResizing.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Identity of the cluster, 32 hexadecimal digits; never changes.
    #[serde(default, rename = "clusterID", skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// With which pod the cluster begins; written before it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,
    /// The members, as the leader knows them.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    #[serde(default)]
    pub members: Vec<MemberStatus>,
    /// Pod of the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// Pods there are.
    #[serde(default)]
    pub replicas: i32,
    /// Pods that serve.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Pods with the newest template.
    #[serde(default)]
    pub updated_replicas: i32,
    /// Label selector of the pods, for `kubectl scale` and autoscalers.
    #[serde(default)]
    pub selector: String,
    /// Version that all members run; the older one during a roll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,
}

/// With which pod the cluster begins.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// Pod that forms the cluster; the others join it.
    pub seed: String,
    /// The cluster id it is given.
    #[serde(rename = "clusterID")]
    pub cluster_id: String,
}

/// One member.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Node id: the identity of a data directory.
    pub id: u64,
    /// Pod that has this identity now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Its part in consensus.
    pub role: MemberRole,
    /// Last applied log index, rounded down to thousands so that the status stays still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// Whether it follows the leader closely.
    pub caught_up: bool,
    /// Version of its binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A member's part in consensus.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRole {
    /// Proposes.
    Leader,
    /// Votes.
    Follower,
    /// Receives without a vote.
    Learner,
}

/// The condition types, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// The spec is reached, and all members serve.
    Ready,
    /// A majority serves.
    Available,
    /// The operator is executing steps towards the spec.
    Progressing,
    /// A member is missing, lags or is faulty.
    Degraded,
    /// The cluster was formed.
    Bootstrapped,
    /// No majority answers, so a person must decide.
    QuorumLost,
    /// A disk belongs to another cluster.
    ClusterIDMismatch,
    /// A setting is not recommended or was refused.
    ConfigurationWarning,
    /// Volumes are being expanded.
    StorageResizing,
}

impl ConditionType {
    /// Its name in `status.conditions[].type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Available => "Available",
            Self::Progressing => "Progressing",
            Self::Degraded => "Degraded",
            Self::Bootstrapped => "Bootstrapped",
            Self::QuorumLost => "QuorumLost",
            Self::ClusterIDMismatch => "ClusterIDMismatch",
            Self::ConfigurationWarning => "ConfigurationWarning",
            Self::StorageResizing => "StorageResizing",
        }
    }
}
