//! TLS for connections to nodes: the same four flags for every subcommand that connects.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_rustls::rustls::ClientConfig;

use crate::base::clock::{Clock, SystemClock};
use crate::base::credentials::Content;
use crate::base::net::{Net, Stream, TcpNet};
use crate::base::tls;
use crate::cli::output::Failure;

/// How this program authenticates itself and verifies nodes.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct TlsFlags {
    /// Connect with TLS; needs --ca-file. (`dev` also runs its nodes with it, and needs all three
    /// files.)
    #[arg(long, global = true)]
    tls: bool,
    /// PEM file with the authorities that sign the nodes' certificates.
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// PEM file with the certificate to present; needs --key-file.
    #[arg(long, global = true, value_name = "FILE")]
    certificate_file: Option<PathBuf>,
    /// PEM file with the private key of --certificate-file.
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// The files named by [`TlsFlags`].
#[derive(Debug)]
pub(in crate::cli) struct TlsFiles<'a> {
    pub(in crate::cli) ca: &'a PathBuf,
    /// Certificate and key.
    pub(in crate::cli) own: Option<[&'a PathBuf; 2]>,
}

impl TlsFlags {
    /// `None` without --tls.
    pub(in crate::cli) fn files(&self) -> Result<Option<TlsFiles<'_>>, Failure> {
        let own = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some([certificate, key]),
            (None, None) => None,
            _ => return Err(Failure::new("--certificate-file and --key-file need each other")),
        };
        match (self.tls, &self.ca_file) {
            (true, Some(ca)) => Ok(Some(TlsFiles { ca, own })),
            (true, None) => Err(Failure::new("--tls needs --ca-file, to verify the node")),
            (false, None) if own.is_none() => Ok(None),
            (false, _) => Err(Failure::new("certificate files have no effect without --tls")),
        }
    }

    /// The same flags for another command line, each after a space.
    pub(in crate::cli) fn shown(&self) -> String {
        let mut shown = if self.tls { " --tls".to_owned() } else { String::new() };
        for (flag, file) in [
            ("--ca-file", &self.ca_file),
            ("--certificate-file", &self.certificate_file),
            ("--key-file", &self.key_file),
        ] {
            if let Some(file) = file {
                shown += &format!(" {flag} {}", file.display());
            }
        }
        shown
    }

    /// Reads the files.
    pub(in crate::cli) fn dialer(&self) -> Result<Dialer, Failure> {
        self.files()?.map_or_else(|| Ok(Dialer::default()), |files| Dialer::with_tls(&files))
    }
}

/// Opens connections with or without TLS, and has the timeout for answers.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Dialer {
    tls: Option<Arc<ClientConfig>>,
    timeout: Option<Duration>,
}

impl Dialer {
    /// Reads the files.
    pub(in crate::cli) fn with_tls(files: &TlsFiles<'_>) -> Result<Self, Failure> {
        let ca = Content::read(files.ca)?;
        let own = files
            .own
            .map(|[certificate, key]| Ok([Content::read(certificate)?, Content::read(key)?]))
            .transpose()
            .map_err(|error: crate::base::credentials::FileError| Failure::new(error))?;
        let own = own.as_ref().map(|[certificate, key]| [certificate, key]);
        let config = tls::for_programs(&ca, own, SystemClock.unix_s())?;
        Ok(Self { tls: Some(Arc::new(config)), timeout: None })
    }

    /// Sets a timeout for each answer instead of the default for the request.
    pub(in crate::cli) fn answered_within(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }

    pub(in crate::cli) const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Connects to `host:port`; with TLS, the server's certificate must name the host.
    pub(in crate::cli) async fn connect(&self, address: &str) -> io::Result<Box<dyn Stream>> {
        let stream = TcpNet.connect(address.to_owned()).await?;
        match &self.tls {
            None => Ok(stream),
            Some(config) => tls::connect(Arc::clone(config), address, stream).await,
        }
    }
}
