//! Our listener for axum, with a limit on the number of connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::base::net::Listener;
use crate::base::shutdown::Shutdown;
use crate::server::admitted::Admitted;

/// Pause after an error such as "too many open files".
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Accepts at most so many connections at a time; more wait in the kernel.
pub(super) struct HttpListener {
    inner: Box<dyn Listener>,
    permits: Arc<Semaphore>,
    stopping: Shutdown,
}

impl HttpListener {
    pub(super) fn new(
        inner: Box<dyn Listener>,
        connections_max: usize,
        stopping: Shutdown,
    ) -> Self {
        Self { inner, permits: Arc::new(Semaphore::new(connections_max)), stopping }
    }
}

impl axum::serve::Listener for HttpListener {
    type Io = Admitted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed; if it were, connections would not be counted.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        loop {
            match self.inner.accept().await {
                Ok((stream, address)) => return (Admitted::new(stream, permit), address),
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
