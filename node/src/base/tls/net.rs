//! [`Net`] over TLS: for peers, which authenticate each other by certificates.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};

use super::files::PeerTls;
use crate::base::credentials::Watched;
use crate::base::limits::TLS_HANDSHAKES_MAX;
use crate::base::net::{Listener, Net, Stream};

/// Another network with TLS on every connection.
pub struct TlsNet {
    inner: Arc<dyn Net>,
    tls: Arc<Watched<PeerTls>>,
}

impl TlsNet {
    /// Connects and listens through `inner`.
    pub fn new(inner: Arc<dyn Net>, tls: Arc<Watched<PeerTls>>) -> Self {
        Self { inner, tls }
    }
}

impl Net for TlsNet {
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Stream>>> {
        let connecting = self.inner.connect(address.clone());
        let config = self.tls.load().client.clone();
        Box::pin(async move { connect(config, &address, connecting.await?).await })
    }

    fn listen(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (listening, tls) = (self.inner.listen(address), self.tls.clone());
        Box::pin(async move {
            let listener = TlsListener::new(listening.await?, move || tls.load().server.clone());
            Ok(Box::new(listener) as Box<dyn Listener>)
        })
    }
}

/// The client side of a handshake with `host:port`, which must present a certificate for `host`.
pub async fn connect(
    config: Arc<ClientConfig>,
    address: &str,
    stream: Box<dyn Stream>,
) -> io::Result<Box<dyn Stream>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    Ok(Box::new(stream))
}

type Opened = Result<(Box<dyn Stream>, SocketAddr), (SocketAddr, io::Error)>;

/// A listening socket whose connections begin with a handshake. A slow handshake delays no other.
pub struct TlsListener {
    inner: Box<dyn Listener>,
    config: Box<dyn Fn() -> Arc<ServerConfig> + Send>,
    handshakes: FuturesUnordered<BoxFuture<'static, Opened>>,
}

impl TlsListener {
    /// Accepts through `inner`; `config` is read for every connection.
    pub fn new(
        inner: Box<dyn Listener>,
        config: impl Fn() -> Arc<ServerConfig> + Send + 'static,
    ) -> Self {
        Self { inner, config: Box::new(config), handshakes: FuturesUnordered::new() }
    }

    fn begin(&self, stream: Box<dyn Stream>, from: SocketAddr) {
        let config = (self.config)();
        self.handshakes.push(Box::pin(async move {
            match super::accept(config, stream).await {
                Ok(stream) => Ok((Box::new(stream) as Box<dyn Stream>, from)),
                Err(error) => Err((from, error)),
            }
        }));
    }
}

impl Listener for TlsListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            loop {
                let may_accept = self.handshakes.len() < TLS_HANDSHAKES_MAX;
                tokio::select! {
                    Some(opened) = self.handshakes.next() => match opened {
                        Ok(opened) => return Ok(opened),
                        Err((from, error)) => {
                            tracing::warn!(%from, %error, "refused a connection: no TLS session");
                        }
                    },
                    accepted = self.inner.accept(), if may_accept => {
                        let (stream, from) = accepted?;
                        self.begin(stream, from);
                    }
                }
            }
        })
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.local_address()
    }
}

impl fmt::Debug for TlsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsListener").field("handshakes", &self.handshakes.len()).finish()
    }
}
