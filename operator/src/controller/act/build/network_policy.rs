//! The NetworkPolicy: which clients may connect to which port.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::common::{metadata, selector};
use crate::controller::decide::ValidatedCluster;
use crate::crd::TlsMode;
use crate::names::{self, ports};

/// Any client may connect to the RESP ports. Any pod may scrape metrics, because Prometheus may run
/// in any namespace. Only members and operators may connect to the gRPC port. Probes need no rule,
/// because policies do not apply to the pod's own machine. Outgoing connections are not restricted.
pub(super) fn network_policy(cluster: &ValidatedCluster) -> Option<NetworkPolicy> {
    let tls = (cluster.spec.tls.clients == TlsMode::On).then_some(ports::RESP_TLS);
    let clients = NetworkPolicyIngressRule {
        from: None,
        ports: Some([ports::RESP].into_iter().chain(tls).map(port).collect()),
    };
    let members =
        NetworkPolicyPeer { pod_selector: Some(selector(cluster)), ..NetworkPolicyPeer::default() };
    let rules = vec![
        clients,
        from(ports::GRPC, vec![members, operators()]),
        from(ports::HTTP, vec![any_pod()]),
    ];
    cluster.spec.network_policy.enabled.then(|| NetworkPolicy {
        metadata: metadata(cluster, names::network_policy(&cluster.name)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selector(cluster)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(rules),
            egress: None,
        }),
    })
}

/// Operators of any namespace. The gRPC port also requires a certificate of the cluster's
/// authority.
fn operators() -> NetworkPolicyPeer {
    let label = ("app.kubernetes.io/name".to_owned(), names::MANAGER.to_owned());
    let pods =
        LabelSelector { match_labels: Some(BTreeMap::from([label])), ..LabelSelector::default() };
    NetworkPolicyPeer { pod_selector: Some(pods), ..any_pod() }
}

fn any_pod() -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        ..NetworkPolicyPeer::default()
    }
}

fn from(number: u16, peers: Vec<NetworkPolicyPeer>) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { from: Some(peers), ports: Some(vec![port(number)]) }
}

fn port(number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(i32::from(number))),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    }
}
