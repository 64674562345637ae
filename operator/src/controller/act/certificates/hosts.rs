//! The DNS names in the certificates of a cluster.

use crate::controller::decide::ValidatedCluster;
use crate::crd::TlsMode;
use crate::names;

/// The DNS names that certificates are for.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// The name of the cluster, for people who read certificates.
    pub(super) cluster: String,
    /// Hosts of the members; `None` when connections between members are not encrypted.
    pub(super) peers: Option<Vec<String>>,
    /// Hosts that clients connect to; `None` when the operator does not make their certificate.
    pub(super) clients: Option<Vec<String>>,
}

impl Hosts {
    /// The hosts of a cluster.
    pub(crate) fn of(cluster: &ValidatedCluster) -> Self {
        let ValidatedCluster { name, namespace, spec, .. } = cluster;
        // Clients in the same Kubernetes use the full name or leave out the domain of the cluster.
        let in_full = |host: String| [format!("{host}.cluster.local"), host];
        let members = in_full(format!("*.{}", names::peer_domain(name, namespace)));
        let services = [names::client_service, names::leader_service, names::replicas_service];
        let services = services.iter().flat_map(|service| {
            let host = format!("{}.{namespace}", service(name));
            let [full, svc] = in_full(format!("{host}.svc"));
            [service(name), host, svc, full]
        });
        let clients = services.chain(members.clone()).chain(["localhost".to_owned()]);
        let made_by_operator =
            spec.tls.clients == TlsMode::On && spec.tls.client_secret_name.is_none();
        Self {
            cluster: format!("{namespace}/{name}"),
            peers: (spec.tls.peers == TlsMode::On).then(|| members.to_vec()),
            clients: made_by_operator.then(|| clients.collect()),
        }
    }
}
