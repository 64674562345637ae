//! The container of the store.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    ObjectFieldSelector, Probe, ResourceRequirements, SecurityContext, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::controller::act::build::config_map;
use crate::controller::decide::ValidatedCluster;
use crate::crd::TlsMode;
use crate::names::{self, ports, volumes};

pub(super) fn container(
    cluster: &ValidatedCluster,
    image: &str,
    mounts: Vec<VolumeMount>,
) -> Container {
    let config = format!("{}/{}", volumes::CONFIG_PATH, config_map::FILE);
    Container {
        name: names::CONTAINER.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: cluster.spec.image_pull_policy.clone(),
        args: Some(vec!["serve".to_owned(), "--config".to_owned(), config]),
        env: Some(environment(cluster)),
        ports: Some(container_ports(cluster)),
        // A large checkpoint may take half an hour to load. The period is a second, because a small
        // one loads in less, and rolls wait for this probe.
        startup_probe: Some(probe("/startupz", 1, 1800)),
        liveness_probe: Some(probe("/livez", 10, 6)),
        readiness_probe: Some(probe("/readyz", 3, 2)),
        resources: Some(cluster.spec.resources.clone().unwrap_or_else(default_resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// The environment gives a node its DNS name, because its IP address may change.
fn environment(cluster: &ValidatedCluster) -> Vec<EnvVar> {
    let domain = names::peer_domain(&cluster.name, &cluster.namespace);
    let text = |name: &str, value: String| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    };
    let pod = EnvVarSource {
        field_ref: Some(ObjectFieldSelector {
            api_version: Some("v1".to_owned()),
            field_path: "metadata.name".to_owned(),
        }),
        ..EnvVarSource::default()
    };
    vec![
        EnvVar { name: "POD_NAME".to_owned(), value: None, value_from: Some(pod) },
        text("IRONKV_NODE_NAME", "$(POD_NAME)".to_owned()),
        text("IRONKV_ADVERTISE_HOST", format!("$(POD_NAME).{domain}")),
    ]
}

fn container_ports(cluster: &ValidatedCluster) -> Vec<ContainerPort> {
    let tls = cluster.spec.tls.clients == TlsMode::On;
    let all = [
        Some((ports::RESP_NAME, ports::RESP)),
        tls.then_some((ports::RESP_TLS_NAME, ports::RESP_TLS)),
        Some((ports::GRPC_NAME, ports::GRPC)),
        Some((ports::HTTP_NAME, ports::HTTP)),
    ];
    let port = |(name, number): (&str, u16)| ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    all.into_iter().flatten().map(port).collect()
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(ports::HTTP_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failure_threshold),
        timeout_seconds: Some(3),
        ..Probe::default()
    }
}

/// The resources of a cluster without `spec.resources`: requests for an idle node, so that it is
/// not evicted before all other pods, and no limit.
fn default_resources() -> ResourceRequirements {
    let requests = [("cpu", "100m"), ("memory", "256Mi")];
    let requests = requests.map(|(name, size)| (name.to_owned(), Quantity(size.to_owned())));
    ResourceRequirements {
        requests: Some(BTreeMap::from(requests)),
        ..ResourceRequirements::default()
    }
}
