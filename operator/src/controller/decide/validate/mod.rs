//! Checks what the schema cannot check, and turns a resource into a cluster to build objects for.

mod config;
mod invalid;
mod overrides;
mod warnings;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::Target;
use crate::crd::{IronKVCluster, IronKVClusterSpec, ReplacementPolicy};
use crate::names::{ClusterName, Namespace, Uid};

pub(crate) use warnings::warnings;

use invalid::Invalid;

/// A cluster with a valid spec.
#[derive(Clone, Debug)]
pub(crate) struct ValidatedCluster {
    /// Name of the resource.
    pub(crate) name: ClusterName,
    /// Namespace of the resource.
    pub(crate) namespace: Namespace,
    /// Uid of the resource.
    pub(crate) uid: Uid,
    /// Generation of the spec.
    pub(crate) generation: Option<i64>,
    /// Identity of the cluster, 32 hexadecimal digits: `spec.clusterID` if it is set, else the uid
    /// of the resource, so that a volume of an earlier cluster of the same name is detected.
    pub(crate) cluster_id: String,
    /// The owner of every object, so that Kubernetes deletes them together with the cluster.
    pub(crate) owner: OwnerReference,
    /// The spec of the resource.
    pub(crate) spec: IronKVClusterSpec,
    /// The parsed `spec.podOverrides`.
    pub(crate) overrides: Option<PodTemplateSpec>,
}

/// Checks a resource.
pub(crate) fn validate(cluster: &IronKVCluster) -> Result<ValidatedCluster, Invalid> {
    let metadata = &cluster.metadata;
    let required = |field: &Option<String>, name| field.clone().ok_or(Invalid::Metadata(name));
    let (name, namespace) =
        (required(&metadata.name, "name")?, required(&metadata.namespace, "namespace")?);
    let uid = required(&metadata.uid, "uid")?;
    let owner = cluster.owner_reference().ok_or(Invalid::Metadata("uid"))?;
    let spec = cluster.spec.clone();
    config::check(&spec.config)?;
    Ok(ValidatedCluster {
        name: name.into(),
        namespace: namespace.into(),
        generation: metadata.generation,
        cluster_id: cluster_id(&uid, spec.cluster_id.as_deref())?,
        uid: uid.into(),
        owner,
        overrides: spec.pod_overrides.as_ref().map(overrides::parse).transpose()?,
        spec,
    })
}

impl ValidatedCluster {
    /// The state that the planner aims at.
    pub(crate) fn target(&self) -> Target {
        let spec = &self.spec;
        let after = u64::try_from(spec.member_replacement.after_seconds).unwrap_or(0);
        let automatic = spec.member_replacement.policy == ReplacementPolicy::Auto;
        Target {
            replicas: self.replicas(),
            paused: spec.paused,
            roll: spec.update.strategy,
            pause_on_failure: spec.update.pause_on_failure,
            replace_after: automatic.then(|| Duration::from_secs(after)),
            removed_volumes: spec.storage.retention.when_scaled,
        }
    }

    /// Redis parameters of the whole cluster, set through the admin API: the keys without a dot.
    pub(crate) fn cluster_parameters(&self) -> BTreeMap<String, String> {
        self.config_where(|key| !key.contains('.'))
    }

    /// Settings for the configuration file: the keys with a dot.
    pub(crate) fn file_keys(&self) -> BTreeMap<String, String> {
        self.config_where(|key| key.contains('.'))
    }

    /// Desired number of voters; 0 hibernates the cluster.
    pub(crate) fn replicas(&self) -> u32 {
        u32::try_from(self.spec.replicas).unwrap_or_default()
    }

    fn config_where(&self, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
        let rows = self.spec.config.iter().filter(|(key, _)| wanted(key));
        rows.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

fn cluster_id(uid: &str, adopted: Option<&str>) -> Result<String, Invalid> {
    let Some(id) = adopted else { return Ok(uid.replace('-', "")) };
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let sound = id.len() == 32 && id.bytes().all(is_digit);
    sound.then(|| id.to_owned()).ok_or_else(|| Invalid::ClusterId(id.to_owned()))
}

#[cfg(test)]
mod validate_test;
