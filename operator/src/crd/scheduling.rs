//! Where members run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where members run.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Scheduling {
    /// How members keep apart.
    pub spread: Spread,
    /// Affinity of the pods, beside the spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Taints that the pods tolerate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Labels that a node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Priority class of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

/// How members keep apart.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Spread {
    /// Over nodes (`kubernetes.io/hostname`), one member to each where it is required.
    pub node: SpreadMode,
    /// Over zones (`topology.kubernetes.io/zone`), evenly: there may be more members than zones.
    pub zone: SpreadMode,
}

impl Default for Spread {
    fn default() -> Self {
        Self { node: SpreadMode::Preferred, zone: SpreadMode::Preferred }
    }
}

/// How strictly.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpreadMode {
    /// Not at all.
    Disabled,
    /// Where it can be had.
    Preferred,
    /// A member for which there is no such place stays pending.
    Required,
}
