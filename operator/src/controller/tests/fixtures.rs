//! A cluster for tests.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use crate::controller::decide::{ValidatedCluster, validate};
use crate::crd::IronKVCluster;

/// The resource `kv` in the namespace `prod`, with the metadata that an API server sets.
pub(crate) fn resource(spec: Value) -> IronKVCluster {
    serde_json::from_value(json!({
        "apiVersion": "ironkv.io/v1alpha1",
        "kind": "IronKVCluster",
        "metadata": {
            "name": "kv",
            "namespace": "prod",
            "uid": "01234567-89ab-cdef-0123-456789abcdef",
            "generation": 4,
        },
        "spec": spec,
    }))
    .unwrap()
}

/// The validated cluster `kv`.
pub(crate) fn cluster(spec: Value) -> ValidatedCluster {
    validate(&resource(spec)).unwrap()
}
