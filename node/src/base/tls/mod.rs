//! TLS above any byte stream. rustls with its ring provider: no OpenSSL, no choice of ciphers.

mod files;
mod net;

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::{TlsAcceptor, server};

pub use files::{PeerTls, ServerTls, for_clients, for_known_clients, for_peers, for_programs};
pub use net::{TlsListener, TlsNet, connect};

use super::limits::TLS_HANDSHAKE_TIMEOUT;

/// The server side of a handshake.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ServerConfig>,
    stream: S,
) -> io::Result<server::TlsStream<S>> {
    let handshake = TlsAcceptor::from(config).accept(stream);
    tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, handshake).await?
}
