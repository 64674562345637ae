//! What the builders of the objects share.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::controller::decide::ValidatedCluster;
use crate::controller::observe::OptionalKinds;
use crate::names;

/// What objects depend on besides the spec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BuildContext<'a> {
    /// The present number of replicas of the StatefulSet, which only a step changes; 0 when there
    /// is no StatefulSet.
    pub(crate) ordinals: u32,
    /// The present StatefulSet.
    pub(crate) stateful_set: Option<&'a StatefulSet>,
    /// The present number of voters.
    pub(crate) voters: u32,
    /// The optional kinds that this Kubernetes has.
    pub(crate) optional_kinds: OptionalKinds,
    /// The image of the store for a new cluster without `spec.image`.
    pub(crate) default_image: &'a str,
}

/// Metadata of an object that Kubernetes deletes together with the cluster.
pub(super) fn metadata(cluster: &ValidatedCluster, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(cluster.namespace.to_string()),
        labels: Some(names::labels(&cluster.name)),
        owner_references: Some(vec![cluster.owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// Selects the pods of the cluster.
pub(super) fn selector(cluster: &ValidatedCluster) -> LabelSelector {
    LabelSelector { match_labels: Some(names::selector(&cluster.name)), ..LabelSelector::default() }
}
