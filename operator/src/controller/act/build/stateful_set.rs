//! The StatefulSet. The planner decides how many pods it has and when a pod is replaced.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::common::{BuildContext, metadata, selector};
use super::pod;
use crate::controller::decide::ValidatedCluster;
use crate::names::{self, volumes};

pub(super) fn stateful_set(cluster: &ValidatedCluster, context: &BuildContext<'_>) -> StatefulSet {
    let existing = context.stateful_set.and_then(|existing| existing.spec.as_ref());
    let retain = || Some("Retain".to_owned());
    let mut spec = StatefulSetSpec {
        replicas: Some(i32::try_from(context.ordinals).unwrap_or(i32::MAX)),
        selector: selector(cluster),
        service_name: Some(names::peer_service(&cluster.name)),
        // A deleted pod is created again at once, without waiting for lower ordinals.
        pod_management_policy: Some("Parallel".to_owned()),
        update_strategy: Some(StatefulSetUpdateStrategy {
            type_: Some("OnDelete".to_owned()),
            rolling_update: None,
        }),
        persistent_volume_claim_retention_policy: Some(
            StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: retain(),
                when_scaled: retain(),
            },
        ),
        volume_claim_templates: Some(vec![claim_template(cluster)]),
        template: pod::pod_template(cluster, &image(cluster, context)),
        ..StatefulSetSpec::default()
    };
    if let Some(existing) = existing {
        // Kubernetes does not allow changes of these fields. The claims themselves are patched.
        spec.selector = existing.selector.clone();
        spec.service_name.clone_from(&existing.service_name);
        spec.volume_claim_templates.clone_from(&existing.volume_claim_templates);
    }
    StatefulSet {
        metadata: metadata(cluster, names::stateful_set(&cluster.name)),
        spec: Some(spec),
        ..StatefulSet::default()
    }
}

/// Without `spec.image` it is the running image, so that a new operator with a new default image
/// does not restart pods.
fn image(cluster: &ValidatedCluster, context: &BuildContext<'_>) -> String {
    let wanted = cluster.spec.image.as_deref();
    wanted
        .or_else(|| running_image(context.stateful_set?))
        .unwrap_or(context.default_image)
        .to_owned()
}

fn running_image(stateful_set: &StatefulSet) -> Option<&str> {
    let pod = stateful_set.spec.as_ref()?.template.spec.as_ref()?;
    let ours = pod.containers.iter().find(|container| container.name == names::CONTAINER)?;
    ours.image.as_deref()
}

fn claim_template(cluster: &ValidatedCluster) -> PersistentVolumeClaim {
    let storage = &cluster.spec.storage;
    let id = (names::CLUSTER_UID_LABEL.to_owned(), cluster.cluster_id.clone());
    let size = ("storage".to_owned(), Quantity(storage.size.clone()));
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(volumes::DATA.to_owned()),
            labels: Some(names::labels(&cluster.name).into_iter().chain([id]).collect()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([size])),
                limits: None,
            }),
            storage_class_name: storage.storage_class_name.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
