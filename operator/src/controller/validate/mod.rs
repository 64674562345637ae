//! What the schema cannot check: from a resource to a cluster that objects can be built for.

mod config;
mod overrides;
mod warnings;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;

use crate::crd::{IronKVCluster, IronKVClusterSpec};

pub use warnings::{Warning, warnings};

/// A cluster that objects can be built for.
#[derive(Clone, Debug)]
pub struct ValidatedCluster {
    /// Name of the resource.
    pub name: String,
    /// Namespace of the resource.
    pub namespace: String,
    /// Uid of the resource.
    pub uid: String,
    /// Generation of the spec.
    pub generation: i64,
    /// Identity of the cluster, 32 hexadecimal digits: of the resource's uid, so that a volume of
    /// an earlier cluster of the same name is noticed, unless the spec names one to adopt.
    pub cluster_id: String,
    /// What every object refers to, so that it goes when the cluster goes.
    pub owner: OwnerReference,
    /// What is asked for.
    pub spec: IronKVClusterSpec,
    /// `spec.podOverrides`.
    pub overrides: Option<PodTemplateSpec>,
}

/// Why no objects can be built. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The API server always gives these.
    #[error("metadata.{0} is missing: this is no resource of an API server")]
    Metadata(&'static str),
    /// Not the pattern of the schema.
    #[error(
        "spec.clusterID `{0}` is no cluster id: write the 32 hexadecimal digits of \
         status.clusterID of the earlier cluster"
    )]
    ClusterId(String),
    /// Not of the shape of a pod template.
    #[error("spec.podOverrides is no pod template: {0}; see `kubectl explain pod.spec`")]
    Overrides(String),
    /// A field that this operator does not know would be dropped in silence.
    #[error(
        "spec.podOverrides.{0} is no field of a pod template of this operator's Kubernetes API \
         (v1.33): take it out; `kubectl explain pod.spec` lists the fields"
    )]
    UnknownOverride(String),
    /// What the operator itself decides.
    #[error("spec.podOverrides must not set {field}: {instead}")]
    ReservedOverride {
        /// Which field.
        field: String,
        /// What to write.
        instead: String,
    },
    /// A key of `spec.config` that is neither a key of the file nor a parameter.
    #[error(
        "spec.config.{0:?} is no name: write a key of the configuration file such as \
         `checkpoint.log_bytes_min`, or a Redis parameter such as `maxmemory`"
    )]
    MalformedKey(String),
    /// A key of `spec.config` that the operator sets.
    #[error("spec.config must not set `{key}`: {instead}")]
    ReservedKey {
        /// Which key.
        key: String,
        /// What to write.
        instead: &'static str,
    },
    /// A value that is not one line.
    #[error("the value of spec.config.{0:?} must be one line without control characters")]
    MalformedValue(String),
}

/// Checks a resource and takes out of it what objects are built of.
pub fn validate(cluster: &IronKVCluster) -> Result<ValidatedCluster, Invalid> {
    let metadata = &cluster.metadata;
    let required = |field: &Option<String>, name| field.clone().ok_or(Invalid::Metadata(name));
    let (name, namespace) =
        (required(&metadata.name, "name")?, required(&metadata.namespace, "namespace")?);
    let uid = required(&metadata.uid, "uid")?;
    let owner = cluster.controller_owner_ref(&()).ok_or(Invalid::Metadata("uid"))?;
    let spec = cluster.spec.clone();
    config::check(&spec.config)?;
    Ok(ValidatedCluster {
        name,
        namespace,
        generation: metadata.generation.unwrap_or_default(),
        cluster_id: cluster_id(&uid, spec.cluster_id.as_deref())?,
        uid,
        owner: OwnerReference { block_owner_deletion: Some(true), ..owner },
        overrides: spec.pod_overrides.as_ref().map(overrides::parse).transpose()?,
        spec,
    })
}

impl ValidatedCluster {
    /// Redis parameters of the whole cluster, set through the admin API: keys without a dot.
    pub fn cluster_parameters(&self) -> BTreeMap<String, String> {
        self.config_where(|key| !key.contains('.'))
    }

    /// What the user wants in the configuration file: dotted keys.
    pub fn file_keys(&self) -> BTreeMap<String, String> {
        self.config_where(|key| key.contains('.'))
    }

    /// Voters asked for; 0 hibernates.
    pub fn replicas(&self) -> u32 {
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
