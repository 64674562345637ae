//! The custom resource `IronKVCluster`: what a user asks for and what the operator says about it.
//! Defaults and validation are part of the schema, so the API server refuses what cannot work.

// `KubeSchema` derives hidden copies of public types.
#![allow(unreachable_pub)]

mod scheduling;
mod security;
mod spec;
mod status;
mod storage;

pub use scheduling::{Scheduling, Spread, SpreadMode};
pub use security::{Auth, SecretKey, Tls, TlsMode};
pub use spec::{
    IronKVCluster, IronKVClusterSpec, MemberReplacement, Monitoring, NetworkPolicy,
    ReplacementPolicy, Services, Update, UpdateStrategy,
};
pub use status::{Bootstrap, ConditionType, IronKVClusterStatus, MemberRole, MemberStatus};
pub use storage::{Retention, RetentionPolicy, Storage};

use kube::CustomResourceExt;

/// The definition as YAML, as it is committed in `crds/`.
pub fn definition() -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(&IronKVCluster::crd())
}

#[cfg(test)]
mod crd_test;
#[cfg(test)]
mod values_schema_test;
