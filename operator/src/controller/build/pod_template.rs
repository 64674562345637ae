//! The pod. Whatever changes here rolls the pods of every cluster: golden files pin it.

use std::collections::BTreeMap;

use k8s_openapi::DeepMerge;
use k8s_openapi::api::core::v1::{
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use xxhash_rust::xxh3::xxh3_64;

use super::{container, mounts, scheduling};
use crate::controller::ValidatedCluster;
use crate::names;

/// User and group of the image, and group of the volume.
const USER: i64 = 65532;

/// The finished template, with its hash.
pub(super) fn pod_template(cluster: &ValidatedCluster, image: &str) -> PodTemplateSpec {
    let default = ("kubectl.kubernetes.io/default-container".to_owned(), names::CONTAINER.into());
    // Until the operator knows better, so that pods are found without it.
    let reached = (names::REACHED_LABEL.to_owned(), true.to_string());
    let mut template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(names::labels(&cluster.name).into_iter().chain([reached]).collect()),
            annotations: Some(BTreeMap::from([default])),
            ..ObjectMeta::default()
        }),
        spec: Some(pod(cluster, image)),
    };
    if let Some(overrides) = &cluster.overrides {
        template.merge_from(overrides.clone());
    }
    let hash = (names::TEMPLATE_HASH_ANNOTATION.to_owned(), hash(&template));
    let metadata = template.metadata.get_or_insert_default();
    metadata.annotations.get_or_insert_default().extend([hash]);
    template
}

/// Of JSON with its keys in order.
fn hash(template: &PodTemplateSpec) -> String {
    let mut json = serde_json::to_value(template).expect("a template is JSON");
    json.sort_all_objects();
    format!("{:016x}", xxh3_64(json.to_string().as_bytes()))
}

fn pod(cluster: &ValidatedCluster, image: &str) -> PodSpec {
    let spec = &cluster.spec;
    let (mounts, volumes) = mounts::mounts(cluster).into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let secrets = spec.image_pull_secrets.iter();
    let secrets = secrets.map(|name| LocalObjectReference { name: name.clone() }).collect();
    let scheduling = &spec.scheduling;
    PodSpec {
        affinity: scheduling::affinity(cluster),
        automount_service_account_token: Some(false),
        containers: vec![container::container(cluster, image, mounts)],
        enable_service_links: Some(false),
        image_pull_secrets: some_unless(secrets, Vec::is_empty),
        node_selector: some_unless(scheduling.node_selector.clone(), BTreeMap::is_empty),
        priority_class_name: scheduling.priority_class_name.clone(),
        security_context: Some(security()),
        service_account_name: Some(names::service_account(&cluster.name)),
        termination_grace_period_seconds: Some(spec.termination_grace_period_seconds),
        tolerations: some_unless(scheduling.tolerations.clone(), Vec::is_empty),
        topology_spread_constraints: scheduling::spread(cluster),
        volumes: Some(volumes.into_iter().flatten().collect()),
        ..PodSpec::default()
    }
}

/// The profile `restricted` of the Pod Security Standards, with that of the container.
fn security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        // A volume with millions of files would keep the pod from starting otherwise.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

fn some_unless<T>(value: T, empty: impl Fn(&T) -> bool) -> Option<T> {
    (!empty(&value)).then_some(value)
}
