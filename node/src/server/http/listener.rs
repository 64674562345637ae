//! Our listener for axum, with a limit on the number of connections.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::limits::HTTP_CONNECTIONS_MAX;
use crate::base::net::{Listener, Stream};
use crate::base::shutdown::Shutdown;

/// Pause after an error such as "too many open files".
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Accepts at most [`HTTP_CONNECTIONS_MAX`] connections at a time; more wait in the kernel.
pub(super) struct HttpListener {
    inner: Box<dyn Listener>,
    permits: Arc<Semaphore>,
    stopping: Shutdown,
}

impl HttpListener {
    pub(super) fn new(inner: Box<dyn Listener>, stopping: Shutdown) -> Self {
        Self { inner, permits: Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX)), stopping }
    }
}

impl axum::serve::Listener for HttpListener {
    type Io = HttpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed; if it were, connections would not be counted.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        loop {
            match self.inner.accept().await {
                Ok((stream, address)) => return (HttpStream { stream, _permit: permit }, address),
                // The process is ending, and its last log line must be the reason.
                Err(_) if self.stopping.is_stopping() => std::future::pending().await,
                Err(error) => {
                    tracing::warn!(%error, "could not accept an HTTP connection");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_address()
    }
}

/// A connection that releases its permit when it ends.
pub(super) struct HttpStream {
    stream: Box<dyn Stream>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for HttpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for HttpStream {
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
}
