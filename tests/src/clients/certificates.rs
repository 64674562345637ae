//! Certificates made for a test, and files replaced as Kubernetes replaces those of a Secret.

use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// An authority that signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// Creates an authority.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // OpenSSL treats a certificate as self-signed when subject and issuer have the same name.
        let name = format!("authority {}", rand::random::<u64>());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("randomness");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for 127.0.0.1.
    pub fn issue(&self) -> Identity {
        self.issue_for("127.0.0.1", 2045)
    }

    /// A certificate for a host until the end of a year.
    pub fn issue_for(&self, host: &str, last_year: i32) -> Identity {
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a host");
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().expect("randomness");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate").pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// The files of a peer that trusts all of `trusted`: `tls.crt`, `tls.key`, `ca.crt`.
    pub fn peer_files(&self, trusted: &[&Self]) -> [(&'static str, String); 3] {
        let Identity { certificate, key } = self.issue();
        let bundle = trusted.iter().map(|authority| authority.pem()).collect();
        [("tls.crt", certificate), ("tls.key", key), ("ca.crt", bundle)]
    }

    /// A client that trusts this authority and presents `own`.
    pub fn client(&self, own: Option<&Identity>) -> Arc<ClientConfig> {
        trusting(&[self], own)
    }
}

/// A client that trusts all of these and presents `own`.
pub fn trusting(authorities: &[&Authority], own: Option<&Identity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.0.der().clone()).expect("an authority");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ciphers")
        .with_root_certificates(roots);
    let Some(own) = own else { return Arc::new(builder.with_no_client_auth()) };
    let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("PEM");
    Arc::new(builder.with_client_auth_cert(vec![certificate], key).expect("a key that fits"))
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

/// Files that are all replaced in one step: links into a directory that is itself a link.
#[derive(Debug)]
pub struct SecretFiles {
    directory: PathBuf,
    generation: u32,
}

impl SecretFiles {
    /// Without files.
    pub fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(&directory).expect("a writable directory");
        Self { directory, generation: 0 }
    }

    /// Replaces all files.
    pub fn write(&mut self, files: &[(&str, String)]) {
        self.generation += 1;
        let (current, fresh) = (self.directory.join("..data"), self.directory.join("..fresh"));
        let name = format!("..{}", self.generation);
        fs::create_dir(self.directory.join(&name)).expect("a new directory");
        for (file, text) in files {
            fs::write(self.directory.join(&name).join(file), text).expect("a new file");
            let link = self.directory.join(file);
            if link.symlink_metadata().is_err() {
                symlink(format!("..data/{file}"), link).expect("a new link");
            }
        }
        symlink(&name, &fresh).expect("a new link");
        fs::rename(fresh, current).expect("a swapped link");
    }

    /// Where a file is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }
}
