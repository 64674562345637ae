//! Certificates, keys and passwords: read from files at start, and again whenever they change.

mod passwords;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use watched::{Content, FileError, Watched};

use super::clock::Clock;
use super::config::{ClientCertificates, Config, Switch, TlsConfig};
use super::secret::Secret;
use super::tls::{self, PeerTls, ServerTls};

/// The certificates that a node presents, and the certificates and passwords that it accepts.
#[derive(Debug, Default)]
pub struct Credentials {
    passwords: Option<Watched<Vec<Secret>>>,
    clients: Option<Arc<Watched<ServerTls>>>,
    peers: Option<Arc<Watched<PeerTls>>>,
}

impl Credentials {
    /// Reads every file that is configured and needed. The error names the file.
    pub fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, FileError> {
        let tls = &config.tls;
        let passwords = Some(&config.auth.password_file).filter(|file| !file.is_empty());
        let passwords =
            passwords.map(|file| Watched::open([file.into()], passwords::parse)).transpose();
        let passwords = passwords.map_err(|error| {
            of_key(error, &[("auth.password_file", &config.auth.password_file)])
        })?;
        let needed = config.listen.resp_tls_port != 0 || tls.http_mode == Switch::On;
        Ok(Self {
            passwords,
            clients: needed.then(|| clients(tls, clock.clone())).transpose()?.map(Arc::new),
            peers: (tls.peer_mode == Switch::On)
                .then(|| peers(tls, clock.clone()))
                .transpose()?
                .map(Arc::new),
        })
    }

    /// The certificate that clients see; `None` without TLS.
    pub const fn clients(&self) -> Option<&Arc<Watched<ServerTls>>> {
        self.clients.as_ref()
    }

    /// The certificate that peers see, and how theirs are checked; `None` without TLS.
    pub const fn peers(&self) -> Option<&Arc<Watched<PeerTls>>> {
        self.peers.as_ref()
    }

    /// Whether there is a password file, so that clients must give a password.
    pub const fn has_passwords(&self) -> bool {
        self.passwords.is_some()
    }

    /// Whether `guess` is a password of the file. All are compared, so that the time reveals
    /// nothing.
    pub fn accepts(&self, guess: &[u8]) -> bool {
        let matches = |file: &Watched<Vec<Secret>>| {
            file.load().iter().fold(false, |found, secret| found | secret.matches(guess))
        };
        self.passwords.as_ref().is_some_and(matches)
    }

    /// Reads the changed files again and logs the result.
    pub fn reload(&self) {
        log("passwords", self.passwords.as_ref().map(Watched::reload));
        log("certificate for clients", self.clients.as_ref().map(|files| files.reload()));
        log("certificate for peers", self.peers.as_ref().map(|files| files.reload()));
    }

    /// Each listener with a certificate and the end of its validity, Unix seconds.
    pub fn expiries(&self) -> Vec<(&'static str, u64)> {
        let clients = self.clients.as_ref().map(|tls| ("clients", tls.load().expires_unix_s));
        let peers = self.peers.as_ref().map(|tls| ("peers", tls.load().expires_unix_s));
        clients.into_iter().chain(peers).collect()
    }
}

fn log(what: &str, outcome: Option<Result<bool, FileError>>) {
    match outcome {
        Some(Ok(true)) => tracing::info!("read the {what} again; new connections use it"),
        Some(Err(error)) => tracing::error!(%error, "the {what} was not replaced"),
        Some(Ok(false)) | None => {}
    }
}

fn clients(tls: &TlsConfig, clock: Arc<dyn Clock>) -> Result<Watched<ServerTls>, FileError> {
    let [certificate, key, authorities] =
        [&tls.certificate_file, &tls.key_file, &tls.client_ca_file].map(PathBuf::from);
    let opened = match tls.client_certificates {
        ClientCertificates::None => Watched::open([certificate, key], move |[certificate, key]| {
            tls::for_clients(certificate, key, clock.unix_s())
        }),
        asked => Watched::open([certificate, key, authorities], move |files| {
            tls::for_known_clients(files, asked, clock.unix_s())
        }),
    };
    let keys = [
        ("tls.certificate_file", &tls.certificate_file),
        ("tls.key_file", &tls.key_file),
        ("tls.client_ca_file", &tls.client_ca_file),
    ];
    opened.map_err(|error| of_key(error, &keys))
}

fn peers(tls: &TlsConfig, clock: Arc<dyn Clock>) -> Result<Watched<PeerTls>, FileError> {
    let files = [&tls.peer_certificate_file, &tls.peer_key_file, &tls.peer_ca_file];
    let files = files.map(PathBuf::from);
    let opened = Watched::open(files, move |files| tls::for_peers(files, clock.unix_s()));
    let keys = [
        ("tls.peer_certificate_file", &tls.peer_certificate_file),
        ("tls.peer_key_file", &tls.peer_key_file),
        ("tls.peer_ca_file", &tls.peer_ca_file),
    ];
    opened.map_err(|error| of_key(error, &keys))
}

/// Adds the configuration key that names the file.
fn of_key(mut error: FileError, keys: &[(&str, &String)]) -> FileError {
    if let Some((key, _)) = keys.iter().find(|(_, file)| error.file == Path::new(file)) {
        error.reason = format!("{}; it is named by {key}", error.reason);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_an_unreadable_file_names_the_key_of_the_file() {
        let file = "/nonexistent/passwords".to_owned();
        let error = of_key(FileError::new(&file, "gone"), &[("auth.password_file", &file)]);
        let text = "/nonexistent/passwords: gone; it is named by auth.password_file";
        assert_eq!(error.to_string(), text);
    }
}
