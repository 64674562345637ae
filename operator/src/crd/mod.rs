//! The custom resource `IronKVCluster`: the spec by the user and the status by the operator.
//! Defaults and validation are part of the schema, so the API server refuses what cannot work.

// `KubeSchema` derives hidden copies of public types.
#![allow(unreachable_pub)]

mod scheduling;
mod security;
mod spec;
mod status;
mod storage;

pub use scheduling::{Scheduling, SpreadMode};
pub use security::{Auth, SecretKey, Tls, TlsMode};
pub use spec::{IronKVCluster, IronKVClusterSpec, ReplacementPolicy, UpdateStrategy};
pub use status::{Bootstrap, ConditionType, IronKVClusterStatus, MemberRole, MemberStatus};
pub use storage::{RetentionPolicy, Storage};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{CustomResourceExt, Resource};

/// The definition as YAML, as it is committed in `crds/`.
pub fn definition() -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(&IronKVCluster::crd())
}

impl IronKVCluster {
    /// A reference for the objects of this cluster, so that Kubernetes deletes them together with
    /// it; `None` when the resource does not come from an API server.
    pub fn owner_reference(&self) -> Option<OwnerReference> {
        let owner = self.controller_owner_ref(&())?;
        Some(OwnerReference { block_owner_deletion: Some(true), ..owner })
    }
}

#[cfg(test)]
mod crd_test;
#[cfg(test)]
mod values_schema_test;
