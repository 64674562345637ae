//! The Secrets of a cluster: read one by one by name, never listed or watched; written only where
//! the pure halves ([`super::certificates`], [`super::passwords`]) want them different.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::ValidatedCluster;
use super::certificates::{self, Data, Hosts};
use super::passwords;
use super::problem::Problem;
use crate::context::Memory;
use crate::crd::TlsMode;
use crate::names;

/// What a pass needs of the Secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct Material {
    /// How to speak to the nodes; plain text without.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// A hash of all that pods mount.
    digest: u64,
}

impl Material {
    /// A mark that changes whenever something does that pods mount.
    pub(super) fn mounted(&self, config_map: &ConfigMap) -> String {
        format!("{:016x}", hash_of(&(self.digest, &config_map.data)))
    }
}

/// Brings the Secrets into the state that they should have. What could be had is answered together
/// with what is wrong.
pub(super) async fn keep(
    client: &Client,
    cluster: &ValidatedCluster,
    memory: &mut Memory,
) -> (Material, Option<Problem>) {
    let keeper = Keeper { api: Api::namespaced(client.clone(), &cluster.namespace), cluster };
    let (mut material, mut problem) = (Material::default(), None);
    match keeper.certificates().await {
        Ok(renewed) => {
            material.digest = hash_of(&(&renewed.peers, &renewed.clients));
            match renewed.peers.map(|peers| client_config(&peers, memory)).transpose() {
                Ok(tls) => material.tls = tls,
                Err(wrong) => problem = Some(wrong),
            }
        }
        Err(wrong) => problem = Some(wrong),
    }
    if cluster.spec.auth.enabled {
        match keeper.passwords().await {
            Ok(mounted) => material.digest = hash_of(&(material.digest, mounted)),
            Err(wrong) => problem = Some(wrong),
        }
    }
    (material, problem)
}

struct Keeper<'a> {
    api: Api<Secret>,
    cluster: &'a ValidatedCluster,
}

impl Keeper<'_> {
    async fn certificates(&self) -> Result<certificates::Renewed, Problem> {
        let name = self.cluster.name.as_str();
        let (ca, peers, clients) =
            (names::ca_secret(name), names::peer_tls_secret(name), names::client_tls_secret(name));
        let hosts = hosts(self.cluster);
        let existing = certificates::Existing {
            authority: self.read(&ca).await?,
            peers: self.read(&peers).await?,
            clients: self.read(&clients).await?,
        };
        let renewed = certificates::renew(&existing, &hosts, now_unix_s())
            .map_err(|error| Problem::new("CertificatesFailed", error.to_string()))?;
        // The authority first: what it signed must never be seen without it.
        self.write(&ca, "Opaque", &existing.authority, renewed.authority.as_ref()).await?;
        let tls = "kubernetes.io/tls";
        self.write(&peers, tls, &existing.peers, renewed.peers.as_ref()).await?;
        self.write(&clients, tls, &existing.clients, renewed.clients.as_ref()).await?;
        Ok(renewed)
    }

    async fn passwords(&self) -> Result<Data, Problem> {
        let name = self.cluster.name.as_str();
        let (auth, mounted) = (names::auth_secret(name), names::passwords_secret(name));
        let reference = self.cluster.spec.auth.secret.as_ref();
        let given = match reference {
            Some(reference) => self.read(&reference.name).await?,
            None => None,
        };
        let own = match reference {
            Some(_) => None,
            None => self.read(&auth).await?,
        };
        let before = self.read(&mounted).await?;
        let existing = passwords::Existing {
            reference,
            given: given.as_ref(),
            own: own.as_ref(),
            mounted: before.as_ref(),
        };
        let renewed = passwords::renew(&existing, now_unix_s())
            .map_err(|error| Problem::new("NoPassword", error.to_string()))?;
        self.write(&auth, "Opaque", &own, renewed.own.as_ref()).await?;
        self.write(&mounted, "Opaque", &before, Some(&renewed.mounted)).await?;
        Ok(renewed.mounted)
    }

    async fn read(&self, name: &str) -> Result<Option<Data>, Problem> {
        let secret = self.api.get_opt(name).await.map_err(|error| {
            Problem::new("SecretNotRead", format!("cannot read Secret {name}: {error}"))
        })?;
        let data = secret.map(|secret| secret.data.unwrap_or_default());
        Ok(data.map(|data| data.into_iter().map(|(key, value)| (key, value.0)).collect()))
    }

    /// Writes what differs, unless the cluster is paused, as one that garbage collection takes with
    /// the cluster.
    async fn write(
        &self,
        name: &str,
        type_: &str,
        before: &Option<Data>,
        data: Option<&Data>,
    ) -> Result<(), Problem> {
        let differs = |data: &&Data| before.as_ref() != Some(data) && !self.cluster.spec.paused;
        let Some(data) = data.filter(differs) else { return Ok(()) };
        let bytes = data.iter().map(|(key, value)| (key.clone(), ByteString(value.clone())));
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(names::labels(&self.cluster.name)),
                owner_references: Some(vec![self.cluster.owner.clone()]),
                ..ObjectMeta::default()
            },
            data: Some(bytes.collect::<BTreeMap<String, ByteString>>()),
            type_: Some(type_.to_owned()),
            ..Secret::default()
        };
        let options = PatchParams::apply(names::MANAGER).force();
        let written = self.api.patch(name, &options, &Patch::Apply(&secret)).await;
        written.map(drop).map_err(|error| {
            Problem::new("SecretNotWritten", format!("cannot write Secret {name}: {error}"))
        })
    }
}

fn now_unix_s() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The names that certificates are for.
fn hosts(cluster: &ValidatedCluster) -> Hosts {
    let ValidatedCluster { name, namespace, spec, .. } = cluster;
    // In full and as members and clients of the same Kubernetes shorten it.
    let in_full = |host: String| [format!("{host}.cluster.local"), host];
    let members = in_full(format!("*.{}", names::peer_domain(name, namespace)));
    let services = [names::client_service, names::leader_service, names::replicas_service];
    let services = services.iter().flat_map(|service| {
        let host = format!("{}.{namespace}", service(name));
        let [full, svc] = in_full(format!("{host}.svc"));
        [service(name), host, svc, full]
    });
    let clients = services.chain(members.clone()).chain(["localhost".to_owned()]);
    let of_operator = spec.tls.clients == TlsMode::On && spec.tls.client_secret_name.is_none();
    Hosts {
        cluster: format!("{namespace}/{name}"),
        peers: (spec.tls.peers == TlsMode::On).then(|| members.to_vec()),
        clients: of_operator.then(|| clients.collect()),
    }
}

/// What the operator shows to the nodes and believes of them; the same as long as the files are.
fn client_config(peers: &Data, memory: &mut Memory) -> Result<Arc<ClientConfig>, Problem> {
    let hash = hash_of(peers);
    if let Some((_, config)) = memory.tls.as_ref().filter(|(known, _)| *known == hash) {
        return Ok(Arc::clone(config));
    }
    let config = read_config(peers).map_err(|error| {
        Problem::new("CertificatesFailed", format!("peer certificates: {error}"))
    })?;
    let config = Arc::new(config);
    memory.tls = Some((hash, Arc::clone(&config)));
    Ok(config)
}

fn read_config(peers: &Data) -> Result<ClientConfig, Box<dyn std::error::Error>> {
    let file = |key: &str| peers.get(key).map_or(&[][..], Vec::as_slice);
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(file("ca.crt")) {
        roots.add(authority?)?;
    }
    let certificate = CertificateDer::from_pem_slice(file("tls.crt"))?;
    let key = PrivateKeyDer::from_pem_slice(file("tls.key"))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = builder.with_client_auth_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
