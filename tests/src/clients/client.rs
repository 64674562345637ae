//! A RESP client that distinguishes outcomes: a request that was sent and not answered is unknown;
//! one that was never sent is not executed.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use crate::clients::reply::Reply;

/// How long a request may take before its outcome counts as unknown.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientError {
    /// No connection: certainly not executed.
    Refused(String),
    /// It was sent, and the connection broke or the timeout passed: executed or not, now or later.
    Lost(String),
}

/// One connection. After an error it cannot be used again.
#[derive(Debug)]
pub struct Client {
    stream: Box<dyn Stream>,
    received: BytesMut,
    limit: Duration,
}

impl Client {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// [`ClientError::Refused`].
    pub async fn connect(address: &str) -> Result<Self, ClientError> {
        Self::connect_with_timeout(address, REPLY_TIMEOUT).await
    }

    /// Connects to `host:port`; `limit` applies to the connection and to each reply.
    ///
    /// # Errors
    /// [`ClientError::Refused`].
    pub async fn connect_with_timeout(address: &str, limit: Duration) -> Result<Self, ClientError> {
        let stream = tcp(address, limit).await?;
        Ok(Self { stream: Box::new(stream), received: BytesMut::new(), limit })
    }

    /// Connects to `host:port` with TLS; the server must present a certificate for the host.
    ///
    /// # Errors
    /// [`ClientError::Refused`].
    ///
    /// # Panics
    /// When the host is invalid.
    pub async fn connect_with_tls(
        address: &str,
        config: Arc<ClientConfig>,
    ) -> Result<Self, ClientError> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).to_owned();
        let name = host.try_into().expect("a host");
        let stream = tcp(address, REPLY_TIMEOUT).await?;
        let handshake = TlsConnector::from(config).connect(name, stream);
        let stream = timeout(REPLY_TIMEOUT, handshake)
            .await
            .map_err(|_| ClientError::Refused(format!("{address}: no handshake")))?
            .map_err(|error| ClientError::Refused(format!("{address}: {error}")))?;
        Ok(Self { stream: Box::new(stream), received: BytesMut::new(), limit: REPLY_TIMEOUT })
    }

    /// Sends one command and waits for its reply.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn command<A: AsRef<[u8]>>(&mut self, words: &[A]) -> Result<Reply, ClientError> {
        self.send_raw(&encode(words)).await?;
        self.receive().await
    }

    /// Sends the words of a line, split at spaces.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn line(&mut self, line: &str) -> Result<Reply, ClientError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.command(&words).await
    }

    /// Sends all commands at once and waits for all replies.
    ///
    /// # Errors
    /// [`ClientError::Lost`]: some or all of them are unknown.
    pub async fn pipeline<A: AsRef<[u8]>>(
        &mut self,
        commands: &[Vec<A>],
    ) -> Result<Vec<Reply>, ClientError> {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| encode(words)).collect();
        self.send_raw(&bytes).await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            replies.push(self.receive().await?);
        }
        Ok(replies)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(self.limit, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ClientError::Lost(error.to_string())),
            Err(_) => Err(ClientError::Lost("sending takes too long".to_owned())),
        }
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// [`ClientError::Lost`]: closed, broken, too late, or not RESP.
    pub async fn receive(&mut self) -> Result<Reply, ClientError> {
        let lost = |why: String| Err(ClientError::Lost(why));
        loop {
            match Reply::decode(&mut self.received) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(malformed) => return lost(format!("malformed reply: {}", malformed.0)),
            }
            match timeout(self.limit, self.stream.read_buf(&mut self.received)).await {
                Ok(Ok(0)) => return lost("closed by the server".to_owned()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return lost(error.to_string()),
                Err(_) => return lost("no reply within the timeout".to_owned()),
            }
        }
    }

    /// Whether the server closes the connection within the client's timeout, ignoring replies.
    pub async fn is_closed_by_server(&mut self) -> bool {
        loop {
            match timeout(self.limit, self.stream.read_buf(&mut self.received)).await {
                Ok(Ok(0) | Err(_)) => return true,
                Ok(Ok(_)) => {}
                Err(_) => return false,
            }
        }
    }
}

/// A stream of bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Debug> Stream for T {}

async fn tcp(address: &str, limit: Duration) -> Result<TcpStream, ClientError> {
    let refused = |error: String| ClientError::Refused(format!("{address}: {error}"));
    let stream = timeout(limit, TcpStream::connect(address))
        .await
        .map_err(|_| refused("no answer".to_owned()))?
        .map_err(|error| refused(error.to_string()))?;
    stream.set_nodelay(true).map_err(|error| refused(error.to_string()))?;
    Ok(stream)
}

/// A command as an array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(words: &[A]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.put_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words.iter().map(AsRef::as_ref) {
        bytes.put_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.put_slice(word);
        bytes.put_slice(b"\r\n");
    }
    bytes
}
