//! A connection to the gRPC or the HTTP port. It counts towards the maximum of its listener, and is
//! closed when its client sends nothing: silent clients must not keep peers and probes out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use crate::base::limits::FIRST_BYTES_TIMEOUT;
use crate::base::net::Stream;

/// Bytes with which every client of HTTP/2 begins; requests of HTTP/1.1 are not shorter in
/// practice.
const FIRST_BYTES: usize = 24;

/// A connection that releases its permit when it ends.
pub(super) struct Admitted {
    stream: Box<dyn Stream>,
    received: usize,
    /// Until the first bytes are there.
    silence: Option<Pin<Box<Sleep>>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Admitted {
    pub(super) fn new(stream: Box<dyn Stream>, permit: Option<OwnedSemaphorePermit>) -> Self {
        let silence = Some(Box::pin(tokio::time::sleep(FIRST_BYTES_TIMEOUT)));
        Self { stream, received: 0, silence, _permit: permit }
    }
}

impl AsyncRead for Admitted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(silence) = &mut self.silence else { return read };
        if read.is_pending() {
            return silence.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        self.received += buffer.filled().len() - before;
        if self.received >= FIRST_BYTES {
            self.silence = None;
        }
        read
    }
}

impl AsyncWrite for Admitted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Duration, sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_too_little_is_disconnected_and_another_may_be_idle() {
        let (mut silent, server) = tokio::io::duplex(64);
        silent.write_all(b"GET").await.unwrap();
        let mut admitted = Admitted::new(Box::new(server), None);
        let read = admitted.read_to_end(&mut Vec::new()).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (mut idle, server) = tokio::io::duplex(64);
        let mut admitted = Admitted::new(Box::new(server), None);
        idle.write_all(&[b'x'; FIRST_BYTES]).await.unwrap();
        admitted.read_exact(&mut [0; FIRST_BYTES]).await.unwrap();
        sleep(2 * FIRST_BYTES_TIMEOUT).await;
        let more = timeout(Duration::from_secs(60), admitted.read_u8()).await;
        assert!(more.is_err(), "nothing came and nothing ended");
    }
}
