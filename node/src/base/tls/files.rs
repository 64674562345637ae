//! The content of PEM files: certificates, keys and authorities, and why they cannot be used.

use std::sync::Arc;

use tokio_rustls::rustls::client::ClientConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, RootCertStore, SupportedProtocolVersion};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::base::config::ClientCertificates;
use crate::base::credentials::{Content, FileError};

/// The protocol of gRPC, as both sides of a handshake call it.
const HTTP2: &[u8] = b"h2";

type Made<T> = Result<T, FileError>;

/// The server certificate of a listener for clients.
pub struct ServerTls {
    /// For clients, which may have to present a certificate.
    pub config: Arc<ServerConfig>,
    /// For probes, which have no certificate.
    pub no_client_auth: Arc<ServerConfig>,
    /// End of the certificate's validity, Unix seconds.
    pub expires_unix_s: u64,
}

/// The certificate that a node presents to peers, and how it checks theirs.
pub struct PeerTls {
    /// For accepted connections.
    pub server: Arc<ServerConfig>,
    /// For outgoing connections.
    pub client: Arc<ClientConfig>,
    /// End of the certificate's validity, Unix seconds.
    pub expires_unix_s: u64,
}

/// From certificate and key.
pub fn for_clients(certificate: &Content, key: &Content, now_unix_s: u64) -> Made<ServerTls> {
    let pair = Pair::read(certificate, key, now_unix_s)?;
    Ok(pair.for_clients(WebPkiClientVerifier::no_client_auth()))
}

/// From certificate, key and the authorities that sign those of clients.
pub fn for_known_clients(
    [certificate, key, authorities]: [&Content; 3],
    asked: ClientCertificates,
    now_unix_s: u64,
) -> Made<ServerTls> {
    let pair = Pair::read(certificate, key, now_unix_s)?;
    Ok(pair.for_clients(verifier(authorities, asked)?))
}

/// From certificate, key and the authorities that sign those of peers.
pub fn for_peers([certificate, key, authorities]: [&Content; 3], now_unix_s: u64) -> Made<PeerTls> {
    let pair = Pair::read(certificate, key, now_unix_s)?;
    let verifier = verifier(authorities, ClientCertificates::Required)?;
    let mut server = pair.server(&[&TLS13], verifier);
    server.alpn_protocols = vec![HTTP2.to_vec()];
    let client = client(authorities, Some(&pair))?;
    let (server, client) = (Arc::new(server), Arc::new(client));
    Ok(PeerTls { server, client, expires_unix_s: pair.expires_unix_s })
}

/// For a program that connects to any listener: from the authorities that sign the certificates of
/// nodes and, when it presents a certificate itself, certificate and key.
pub fn for_programs(
    authorities: &Content,
    own: Option<[&Content; 2]>,
    now_unix_s: u64,
) -> Made<ClientConfig> {
    let pair =
        own.map(|[certificate, key]| Pair::read(certificate, key, now_unix_s)).transpose()?;
    client(authorities, pair.as_ref())
}

/// A certificate and its key.
struct Pair {
    shown: Arc<SingleCertAndKey>,
    expires_unix_s: u64,
}

impl Pair {
    fn read(certificate: &Content, key: &Content, now_unix_s: u64) -> Made<Self> {
        let chain = certificates(certificate)?;
        let parsed = Certificate::from_der(&chain[0])
            .map_err(|error| unusable(certificate, format!("the first certificate: {error}")))?;
        let validity = parsed.tbs_certificate.validity.not_after;
        let expires_unix_s = validity.to_unix_duration().as_secs();
        if expires_unix_s <= now_unix_s {
            return Err(unusable(certificate, format!("the certificate expired at {validity}")));
        }
        let private = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|error| {
            pem_error(key, &error, "unencrypted private key (-----BEGIN PRIVATE KEY-----)")
        })?;
        let pair = CertifiedKey::from_der(chain, private, &provider()).map_err(|error| {
            unusable(
                key,
                match error {
                    rustls::Error::InconsistentKeys(_) => {
                        let other = certificate.file.display();
                        format!("the key does not belong to the certificate in {other}")
                    }
                    error => error.to_string(),
                },
            )
        })?;
        Ok(Self { shown: Arc::new(SingleCertAndKey::from(pair)), expires_unix_s })
    }

    fn for_clients(&self, verifier: Arc<dyn ClientCertVerifier>) -> ServerTls {
        // Clients may be older than TLS 1.3; peers are not.
        let server = |verifier| Arc::new(self.server(&[&TLS13, &TLS12], verifier));
        let no_client_auth = server(WebPkiClientVerifier::no_client_auth());
        ServerTls { config: server(verifier), no_client_auth, expires_unix_s: self.expires_unix_s }
    }

    fn server(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> ServerConfig {
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("ring has ciphers for TLS 1.2 and 1.3")
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.shown.clone())
    }
}

/// A listener without ALPN, such as that for RESP, accepts a client that offers HTTP/2 all the
/// same.
fn client(authorities: &Content, pair: Option<&Pair>) -> Made<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("ring has ciphers for TLS 1.2 and 1.3")
        .with_root_certificates(roots(authorities)?);
    let mut config = match pair {
        Some(pair) => builder.with_client_cert_resolver(pair.shown.clone()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(config)
}

fn verifier(authorities: &Content, asked: ClientCertificates) -> Made<Arc<dyn ClientCertVerifier>> {
    let roots = Arc::new(roots(authorities)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let builder = match asked {
        ClientCertificates::Required => builder,
        ClientCertificates::None | ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map(|verifier| verifier as _).map_err(|error| unusable(authorities, error))
}

fn roots(authorities: &Content) -> Made<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authorities)? {
        roots.add(certificate).map_err(|error| unusable(authorities, error))?;
    }
    Ok(roots)
}

/// At least one.
fn certificates(content: &Content) -> Made<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content.bytes).collect();
    let found = match found {
        Ok(found) if found.is_empty() => Err(PemError::NoItemsFound),
        other => other,
    };
    found.map_err(|error| pem_error(content, &error, "certificate (-----BEGIN CERTIFICATE-----)"))
}

fn pem_error(content: &Content, error: &PemError, wanted: &str) -> FileError {
    unusable(
        content,
        match error {
            PemError::NoItemsFound => format!("holds no PEM block of a {wanted}"),
            error => format!("is no PEM: {error}"),
        },
    )
}

fn unusable(content: &Content, reason: impl ToString) -> FileError {
    FileError::new(&content.file, reason.to_string())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
