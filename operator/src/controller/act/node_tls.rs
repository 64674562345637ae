//! The TLS configuration of connections from the operator to the nodes.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::hash::hash_of;
use crate::context::Memory;
use crate::controller::observe::secrets::SecretData;
use crate::controller::report::{Problem, Reason};

/// The configuration for the certificate in the Secret `<name>-peer-tls`. While the Secret does not
/// change it is the same object, so that connections are kept.
pub(super) fn client_config(
    secret: &SecretData,
    memory: &mut Memory,
) -> Result<Arc<ClientConfig>, Problem> {
    let hash = hash_of(secret);
    if let Some((_, config)) = memory.tls.as_ref().filter(|(known, _)| *known == hash) {
        return Ok(Arc::clone(config));
    }
    let config = parse(secret).map_err(|error| {
        Problem::new(Reason::CertificatesFailed, format!("peer certificates: {error}"))
    })?;
    let config = Arc::new(config);
    memory.tls = Some((hash, Arc::clone(&config)));
    Ok(config)
}

fn parse(secret: &SecretData) -> Result<ClientConfig, Box<dyn std::error::Error>> {
    let file = |key: &str| secret.get(key).map_or(&[][..], Vec::as_slice);
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
