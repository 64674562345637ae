#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::controller::stores;
use crate::metrics::Metrics;

/// The pods in a list: one in the first list, two in later ones.
fn pods(lists: usize) -> Value {
    let pod = |number: usize| {
        json!({ "metadata": {
            "name": format!("kv-{number}"), "namespace": "default", "resourceVersion": "1",
        }})
    };
    (0..=lists.min(1)).map(pod).collect()
}

/// An API server whose watches all end at once, because their resource version is too old.
fn forgetful() -> Client {
    let lists = Arc::new(AtomicUsize::new(0));
    let service = tower::service_fn(move |request: Request<Body>| {
        let query = request.uri().query().unwrap_or_default();
        let answer = if query.contains("watch=true") {
            json!({ "type": "ERROR", "object": {
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
                "reason": "Expired", "message": "too old resource version",
            }})
        } else {
            let is_pods = request.uri().path().ends_with("/pods");
            let items =
                if is_pods { pods(lists.fetch_add(1, Ordering::SeqCst)) } else { json!([]) };
            json!({ "metadata": { "resourceVersion": "1" }, "items": items })
        };
        let body = Body::from(format!("{answer}\n").into_bytes());
        async move { Ok::<_, Infallible>(Response::new(body)) }
    });
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fell_behind_lists_again() {
    let (stores, changes) = stores::watch(&forgetful(), None);
    let (task, _changes) = stores::forward(changes, Metrics::default());
    stores.wait_until_ready().await.unwrap();
    let seen = async {
        while stores.pods.state().len() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), seen).await.unwrap();
    task.abort();
}
