//! The disk of each member.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The disk of each member.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(validation = Rule::new(
    "has(self.storageClassName) == has(oldSelf.storageClassName) \
     && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)"
).message(
    "spec.storage.storageClassName cannot change: make a new cluster with the other \
     class and move the data"
))]
#[x_kube(validation = Rule::new(
    "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0"
).message("spec.storage.size may only grow: a volume cannot shrink"))]
#[x_kube(validation = Rule::new(
    "isQuantity(self.size) && quantity(self.size).compareTo(quantity('1Gi')) >= 0"
).message("spec.storage.size must be a quantity of at least 1Gi, such as 10Gi"))]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Size of each member's volume, such as 10Gi. May grow where the storage class can expand.
    // The bound keeps the API server's estimate of what the rules cost small.
    #[schemars(length(max = 32))]
    #[serde(default = "default_size")]
    pub size: String,
    /// Storage class; the cluster's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    /// What happens to volumes of members that are gone.
    #[serde(default)]
    pub retention: Retention,
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: default_size(), storage_class_name: None, retention: Retention::default() }
    }
}

/// What happens to volumes of members that are gone.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Retention {
    /// When a member was removed by scaling in. Its data is outdated from then on; a volume that
    /// was kept is replaced when its place is needed again.
    pub when_scaled: RetentionPolicy,
    /// When the cluster was deleted.
    pub when_deleted: RetentionPolicy,
}

impl Default for Retention {
    fn default() -> Self {
        Self { when_scaled: RetentionPolicy::Delete, when_deleted: RetentionPolicy::Retain }
    }
}

/// Keep or delete.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionPolicy {
    /// The volume claim stays.
    Retain,
    /// The volume claim goes.
    Delete,
}

fn default_size() -> String {
    "1Gi".to_owned()
}
