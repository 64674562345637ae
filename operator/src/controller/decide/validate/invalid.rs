//! Why a spec is invalid.

/// Why a spec is invalid. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    /// The API server always sets these fields.
    #[error("metadata.{0} is missing: this is no resource of an API server")]
    Metadata(&'static str),
    /// The id does not match the pattern of the schema.
    #[error(
        "spec.clusterID `{0}` is no cluster id: write the 32 hexadecimal digits of \
         status.clusterID of the earlier cluster"
    )]
    ClusterId(String),
    /// The overrides are not a pod template.
    #[error("spec.podOverrides is no pod template: {0}; see `kubectl explain pod.spec`")]
    Overrides(String),
    /// The overrides have a field that this operator does not know; it would be dropped silently.
    #[error(
        "spec.podOverrides.{0} is no field of a pod template of this operator's Kubernetes API \
         (v1.33): take it out; `kubectl explain pod.spec` lists the fields"
    )]
    UnknownOverride(String),
    /// The overrides set a field that the operator sets itself.
    #[error("spec.podOverrides must not set {field}: {instead}")]
    ReservedOverride {
        /// The field.
        field: String,
        /// What to write instead.
        instead: String,
    },
    /// A key of `spec.config` is neither a key of the configuration file nor a Redis parameter.
    #[error(
        "spec.config.{0:?} is no name: write a key of the configuration file such as \
         `checkpoint.log_bytes_min`, or a Redis parameter such as `maxmemory`"
    )]
    MalformedKey(String),
    /// A key of `spec.config` is one that the operator sets itself.
    #[error("spec.config must not set `{key}`: {instead}")]
    ReservedKey {
        /// The key.
        key: String,
        /// What to write instead.
        instead: &'static str,
    },
    /// A value of `spec.config` is not a single line.
    #[error("the value of spec.config.{0:?} must be one line without control characters")]
    MalformedValue(String),
}
