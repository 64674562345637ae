//! A plain RESP connection for subcommands that send a few commands to a server.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::tls::Dialer;
use crate::base::net::Stream;
use crate::resp::{Reply, client};

/// One connection; one request at a time.
pub(in crate::cli) struct Connection {
    stream: Box<dyn Stream>,
    input: BytesMut,
    timeout: Duration,
}

impl Connection {
    /// Connects to `host:port`. Every later wait is limited by `limit`.
    pub(in crate::cli) async fn open(
        dialer: &Dialer,
        address: &str,
        limit: Duration,
    ) -> io::Result<Self> {
        let stream = timeout(limit, dialer.connect(address)).await??;
        Ok(Self { stream, input: BytesMut::new(), timeout: limit })
    }

    /// Sends one command and waits for its reply.
    pub(in crate::cli) async fn call(&mut self, words: &[&[u8]]) -> io::Result<Reply> {
        timeout(self.timeout, self.exchange(words)).await?
    }

    async fn exchange(&mut self, words: &[&[u8]]) -> io::Result<Reply> {
        let mut output = BytesMut::new();
        client::encode_request(&mut output, words);
        self.stream.write_all(&output).await?;
        self.stream.flush().await?;
        loop {
            if let Some(reply) = client::decode_reply(&mut self.input).map_err(not_resp)? {
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(closed());
            }
        }
    }

    /// AUTH when there is a password.
    pub(in crate::cli) async fn authenticate(&mut self, password: Option<&str>) -> io::Result<()> {
        let Some(password) = password else { return Ok(()) };
        match self.call(&[b"AUTH", password.as_bytes()]).await? {
            Reply::Error(error) => Err(io::Error::other(error.0.into_owned())),
            _ => Ok(()),
        }
    }
}

/// The error for bytes that are not a reply.
pub(in crate::cli) fn not_resp(
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The error when the server closed the connection before a complete reply.
pub(in crate::cli) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")
}
