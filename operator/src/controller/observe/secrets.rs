//! The Secrets of one cluster, read one by one by name, because the operator may not list them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use crate::controller::decide::ValidatedCluster;
use crate::names;

/// The content of a Secret by key.
pub(crate) type SecretData = BTreeMap<String, Vec<u8>>;

/// The Secrets with certificates; `None` for one that does not exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct CertificateSecrets {
    /// `<name>-ca`.
    pub(crate) authority: Option<SecretData>,
    /// `<name>-peer-tls`.
    pub(crate) peers: Option<SecretData>,
    /// `<name>-client-tls`.
    pub(crate) clients: Option<SecretData>,
}

/// The Secrets with passwords; `None` for one that does not exist or is not used.
#[derive(Clone, Debug, Default)]
pub(crate) struct PasswordSecrets {
    /// The Secret that `spec.auth.secret` names.
    pub(crate) given: Option<SecretData>,
    /// `<name>-auth`.
    pub(crate) own: Option<SecretData>,
    /// `<name>-passwords`.
    pub(crate) mounted: Option<SecretData>,
}

/// A Secret could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read Secret {name}: {error}")]
pub(crate) struct SecretReadError {
    name: String,
    error: Box<kube::Error>,
}

/// The Secrets of one cluster. One that cannot be read does not hide the others.
#[derive(Debug)]
pub(crate) struct ObservedSecrets {
    /// The certificates.
    pub(crate) certificates: Result<CertificateSecrets, SecretReadError>,
    /// The passwords; `None` when the cluster has no password.
    pub(crate) passwords: Option<Result<PasswordSecrets, SecretReadError>>,
}

impl ObservedSecrets {
    /// Reads the Secrets.
    pub(crate) async fn observe(client: &Client, cluster: &ValidatedCluster) -> Self {
        let api = Api::namespaced(client.clone(), cluster.namespace.as_str());
        let certificates = certificates(&api, cluster).await;
        let passwords = match cluster.spec.auth.enabled {
            true => Some(passwords(&api, cluster).await),
            false => None,
        };
        Self { certificates, passwords }
    }
}

async fn certificates(
    api: &Api<Secret>,
    cluster: &ValidatedCluster,
) -> Result<CertificateSecrets, SecretReadError> {
    Ok(CertificateSecrets {
        authority: read(api, &names::ca_secret(&cluster.name)).await?,
        peers: read(api, &names::peer_tls_secret(&cluster.name)).await?,
        clients: read(api, &names::client_tls_secret(&cluster.name)).await?,
    })
}

async fn passwords(
    api: &Api<Secret>,
    cluster: &ValidatedCluster,
) -> Result<PasswordSecrets, SecretReadError> {
    let (given, own) = match &cluster.spec.auth.secret {
        Some(reference) => (read(api, &reference.name).await?, None),
        None => (None, read(api, &names::auth_secret(&cluster.name)).await?),
    };
    let mounted = read(api, &names::passwords_secret(&cluster.name)).await?;
    Ok(PasswordSecrets { given, own, mounted })
}

async fn read(api: &Api<Secret>, name: &str) -> Result<Option<SecretData>, SecretReadError> {
    let secret = api.get_opt(name).await;
    let secret = secret
        .map_err(|error| SecretReadError { name: name.to_owned(), error: Box::new(error) })?;
    let data = secret.map(|secret| secret.data.unwrap_or_default());
    Ok(data.map(|data| data.into_iter().map(|(key, value)| (key, value.0)).collect()))
}
