//! The pod template. Golden files pin it, because every change of it rolls the pods of all
//! clusters.

mod container;
mod mounts;
mod scheduling;

use std::collections::BTreeMap;

use k8s_openapi::DeepMerge;
use k8s_openapi::api::core::v1::{
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::controller::act::hash::hash_of;
use crate::controller::decide::ValidatedCluster;
use crate::names;

/// The user and the group of the processes, and the group of the volume.
const USER: i64 = 65532;

/// Builds the pod template, with its hash as an annotation.
pub(super) fn pod_template(cluster: &ValidatedCluster, image: &str) -> PodTemplateSpec {
    let default = ("kubectl.kubernetes.io/default-container".to_owned(), names::CONTAINER.into());
    // The initial value, so that Services select the pods without the operator.
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

/// The hash of the template as JSON with sorted keys.
fn hash(template: &PodTemplateSpec) -> String {
    let mut json = serde_json::to_value(template).expect("a template is JSON");
    json.sort_all_objects();
    format!("{:016x}", hash_of(&json))
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

/// Together with that of the container, it satisfies the Pod Security Standard `restricted`.
fn security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        // Changing the group of millions of files would delay each start of the pod.
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
