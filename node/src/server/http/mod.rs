//! The HTTP listener: probes, metrics and status. It opens before the data is loaded, so that a
//! slow start can be distinguished from a dead process.
//!
//! | path | promises |
//! |---|---|
//! | `/livez` | 200 while the process makes progress; restart it when it does not |
//! | `/startupz` | 200 once checkpoint and log are loaded, and from then on |
//! | `/readyz` | 200 while requests sent here are served: a leader is known, this node keeps up |
//! | `/metrics` | Prometheus text |
//! | `/v1/status` | JSON about this node and its group |

mod lifecycle;
mod listener;
mod metrics;
mod probes;
mod status;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub use lifecycle::Lifecycle;
pub use status::NodeStatus;

use crate::base::net::Listener;
use crate::base::shutdown::Shutdown;

/// The routes; the node updates `lifecycle`.
pub fn router(lifecycle: Arc<Lifecycle>) -> Router {
    Router::new()
        .route("/livez", get(probes::live))
        .route("/startupz", get(probes::started))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/status", get(status::status))
        .with_state(lifecycle)
}

/// Serves until the shutdown signal; requests in progress are finished.
pub async fn serve(
    listener: Box<dyn Listener>,
    lifecycle: Arc<Lifecycle>,
    mut shutdown: Shutdown,
) -> io::Result<()> {
    let listener = listener::HttpListener::new(listener, shutdown.clone());
    axum::serve(listener, router(lifecycle))
        .with_graceful_shutdown(async move { shutdown.stopped().await })
        .await
}

#[cfg(test)]
#[path = "http_test.rs"]
mod tests;
