//! The Services, which give the pods their DNS names.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::common::metadata;
use crate::controller::decide::ValidatedCluster;
use crate::crd::TlsMode;
use crate::names::{self, ports};

pub(super) fn services(cluster: &ValidatedCluster) -> Vec<Service> {
    vec![peers(cluster), clients(cluster), leader(cluster), replicas(cluster)]
}

/// The headless Service. It gives a pod its DNS name even before the pod is ready, because members
/// must find each other to become ready.
fn peers(cluster: &ValidatedCluster) -> Service {
    let mut ports = client_ports(cluster);
    ports.push(port(ports::GRPC_NAME, ports::GRPC));
    ports.push(port(ports::HTTP_NAME, ports::HTTP));
    service(
        cluster,
        names::peer_service(&cluster.name),
        ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(names::selector(&cluster.name)),
            ports: Some(ports),
            ..ServiceSpec::default()
        },
    )
}

/// The Service of all ready members. Each member forwards requests that it cannot serve itself.
fn clients(cluster: &ValidatedCluster) -> Service {
    let wanted = &cluster.spec.services;
    let spec = ServiceSpec {
        type_: Some(wanted.type_.clone().unwrap_or_else(|| "ClusterIP".to_owned())),
        selector: Some(names::client_selector(&cluster.name)),
        ports: Some(client_ports(cluster)),
        ..ServiceSpec::default()
    };
    let mut service = service(cluster, names::client_service(&cluster.name), spec);
    if !wanted.annotations.is_empty() {
        service.metadata.annotations = Some(wanted.annotations.clone());
    }
    service
}

/// It saves clients a forwarded request. After a change of leader it is wrong until the operator
/// has updated the label.
fn leader(cluster: &ValidatedCluster) -> Service {
    by_role(cluster, names::leader_service(&cluster.name), names::LEADER)
}

/// It keeps reads away from the leader.
fn replicas(cluster: &ValidatedCluster) -> Service {
    by_role(cluster, names::replicas_service(&cluster.name), names::REPLICA)
}

fn by_role(cluster: &ValidatedCluster, name: String, role: &str) -> Service {
    let role = BTreeMap::from([(names::ROLE_LABEL.to_owned(), role.to_owned())]);
    let spec = ServiceSpec {
        type_: Some("ClusterIP".to_owned()),
        selector: Some(names::client_selector(&cluster.name).into_iter().chain(role).collect()),
        ports: Some(client_ports(cluster)),
        ..ServiceSpec::default()
    };
    service(cluster, name, spec)
}

fn service(cluster: &ValidatedCluster, name: String, spec: ServiceSpec) -> Service {
    Service { metadata: metadata(cluster, name), spec: Some(spec), ..Service::default() }
}

fn client_ports(cluster: &ValidatedCluster) -> Vec<ServicePort> {
    let tls = cluster.spec.tls.clients == TlsMode::On;
    let tls = tls.then(|| port(ports::RESP_TLS_NAME, ports::RESP_TLS));
    [port(ports::RESP_NAME, ports::RESP)].into_iter().chain(tls).collect()
}

fn port(name: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}
