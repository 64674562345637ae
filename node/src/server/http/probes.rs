//! `/livez`, `/startupz`, `/readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Lifecycle;

type Answer = (StatusCode, String);

/// Fails only when a restart of the process would help: committed entries have not been applied for
/// a minute. A node without a leader or with a full disk is alive.
pub(super) async fn live(State(lifecycle): State<Arc<Lifecycle>>) -> Answer {
    answer(lifecycle.stuck())
}

/// Fails until checkpoint and log are loaded, and never afterwards.
pub(super) async fn started(State(lifecycle): State<Arc<Lifecycle>>) -> Answer {
    let loading = lifecycle.node().is_none();
    answer(loading.then(|| "checkpoint and log are being loaded".to_owned()))
}

/// Fails while requests sent here would fail or wait: no leader, far behind, starting, stopping.
pub(super) async fn ready(State(lifecycle): State<Arc<Lifecycle>>) -> Answer {
    let answer = answer(lifecycle.not_ready());
    let warning = lifecycle.node().and_then(|node| node.cluster.status().warning());
    match (answer, warning) {
        ((StatusCode::OK, text), Some(warning)) => (StatusCode::OK, format!("{text}{warning}\n")),
        (answer, _) => answer,
    }
}

fn answer(problem: Option<String>) -> Answer {
    match problem {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
    }
}
