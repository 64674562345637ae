//! The HTTP port of the operator: probes and metrics.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// What the HTTP port serves.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// Whether the operator is ready: this process or another one holds the lease.
    pub(crate) ready: watch::Receiver<bool>,
}

/// Serves the HTTP port until the process ends.
pub(crate) async fn serve(listen: SocketAddr, health: Health) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    tracing::info!(%listen, "probes and metrics");
    axum::serve(listener, router(health)).await
}

fn router(health: Health) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    if *health.ready.borrow() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "waiting for the lease and the resource definition\n")
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    match health.metrics.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [("content-type", kind)], text)
        }
        Err(error) => {
            let kind = "text/plain";
            (StatusCode::INTERNAL_SERVER_ERROR, [("content-type", kind)], error.to_string())
        }
    }
}
