//! Writes the Secrets of a cluster where they differ from what [`super::certificates`] and
//! [`super::passwords`] derive from their present content.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use tokio_rustls::rustls::ClientConfig;

use super::certificates::{self, Hosts};
use super::hash::hash_of;
use super::node_tls::client_config;
use super::passwords;
use crate::context::Memory;
use crate::controller::decide::ValidatedCluster;
use crate::controller::observe::secrets::{
    CertificateSecrets, ObservedSecrets, PasswordSecrets, SecretData, SecretReadError,
};
use crate::controller::report::{Problem, Reason};
use crate::names;

/// What the rest of a reconcile needs from the Secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReconciledSecrets {
    /// The TLS configuration for connections to the nodes; `None` when they are not encrypted.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    hash: u64,
}

impl ReconciledSecrets {
    /// A hash of everything that the pods mount, so that it changes when a mounted file changes.
    pub(crate) fn mounted_hash(&self, config_map: &ConfigMap) -> String {
        format!("{:016x}", hash_of(&(self.hash, &config_map.data)))
    }
}

/// Brings the Secrets into their desired state. A problem with one does not keep the others from
/// being used.
pub(crate) async fn reconcile(
    client: &Client,
    cluster: &ValidatedCluster,
    observed: ObservedSecrets,
    memory: &mut Memory,
) -> (ReconciledSecrets, Option<Problem>) {
    let api = Api::namespaced(client.clone(), cluster.namespace.as_str());
    let reconciler = SecretReconciler { api, cluster };
    let (mut secrets, mut problem) = (ReconciledSecrets::default(), None);
    match reconciler.certificates(observed.certificates).await {
        Ok(renewed) => {
            secrets.hash = hash_of(&(&renewed.peers, &renewed.clients));
            match renewed.peers.map(|peers| client_config(&peers, memory)).transpose() {
                Ok(tls) => secrets.tls = tls,
                Err(error) => problem = Some(error),
            }
        }
        Err(error) => problem = Some(error),
    }
    if let Some(existing) = observed.passwords {
        match reconciler.passwords(existing).await {
            Ok(mounted) => secrets.hash = hash_of(&(secrets.hash, mounted)),
            Err(error) => problem = Some(error),
        }
    }
    (secrets, problem)
}

struct SecretReconciler<'a> {
    api: Api<Secret>,
    cluster: &'a ValidatedCluster,
}

impl SecretReconciler<'_> {
    async fn certificates(
        &self,
        existing: Result<CertificateSecrets, SecretReadError>,
    ) -> Result<certificates::Renewed, Problem> {
        let (existing, name) = (existing.map_err(not_read)?, &self.cluster.name);
        let renewed = certificates::renew(&existing, &Hosts::of(self.cluster), now_unix_s())
            .map_err(|error| Problem::new(Reason::CertificatesFailed, error.to_string()))?;
        // The authority comes first, because its certificates are useless without it.
        let ca = names::ca_secret(name);
        self.write(&ca, "Opaque", &existing.authority, renewed.authority.as_ref()).await?;
        let (type_, peers) = ("kubernetes.io/tls", names::peer_tls_secret(name));
        self.write(&peers, type_, &existing.peers, renewed.peers.as_ref()).await?;
        let clients = names::client_tls_secret(name);
        self.write(&clients, type_, &existing.clients, renewed.clients.as_ref()).await?;
        Ok(renewed)
    }

    async fn passwords(
        &self,
        existing: Result<PasswordSecrets, SecretReadError>,
    ) -> Result<SecretData, Problem> {
        let (existing, name) = (existing.map_err(not_read)?, &self.cluster.name);
        let reference = self.cluster.spec.auth.secret.as_ref();
        let renewed = passwords::renew(reference, &existing, now_unix_s())
            .map_err(|error| Problem::new(Reason::NoPassword, error.to_string()))?;
        let own = names::auth_secret(name);
        self.write(&own, "Opaque", &existing.own, renewed.own.as_ref()).await?;
        let mounted = names::passwords_secret(name);
        self.write(&mounted, "Opaque", &existing.mounted, Some(&renewed.mounted)).await?;
        Ok(renewed.mounted)
    }

    /// Writes a Secret if it differs and the cluster is not paused. The cluster owns the Secret.
    async fn write(
        &self,
        name: &str,
        type_: &str,
        before: &Option<SecretData>,
        data: Option<&SecretData>,
    ) -> Result<(), Problem> {
        let differs =
            |data: &&SecretData| before.as_ref() != Some(data) && !self.cluster.spec.paused;
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
            let message = format!("cannot write Secret {name}: {error}");
            Problem::new(Reason::SecretNotWritten, message)
        })
    }
}

fn not_read(error: SecretReadError) -> Problem {
    Problem::new(Reason::SecretNotRead, error.to_string())
}

fn now_unix_s() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}
