//! Accepted connections in the form that tonic needs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::sync::Semaphore;
use tonic::transport::server::Connected;

use crate::base::net::Listener;
use crate::server::admitted::Admitted;

/// Pause after a failed accept: usually there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts at most `connections_max` connections at a time; more wait in the kernel. Continues
/// after errors of single connections.
pub(super) fn connections(
    listener: Box<dyn Listener>,
    connections_max: usize,
) -> impl Stream<Item = io::Result<Admitted>> {
    let permits = Arc::new(Semaphore::new(connections_max));
    futures::stream::unfold((listener, permits), async |(mut listener, permits)| {
        // The semaphore is never closed; if it were, connections would not be counted.
        let permit = Arc::clone(&permits).acquire_owned().await.ok();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    return Some((Ok(Admitted::new(stream, permit)), (listener, permits)));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a peer");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

impl Connected for Admitted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
