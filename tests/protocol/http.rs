//! Probes, metrics and status.

use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Status code and body of a GET.
async fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await;
    read.expect("an answer in time").unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (code, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_tell_an_empty_node_from_a_serving_one() {
    let mut cluster = Cluster::empty(&[]);
    let index = cluster.add_process().await;
    let address = cluster.nodes[index].http_address.clone();
    assert_eq!(get(&address, "/livez").await.0, 200, "it lives");
    assert_eq!(get(&address, "/readyz").await.0, 503, "it cannot serve");
    cluster.nodes[index].admin().init().await.unwrap();
    cluster.nodes[index].wait_ready().await;
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(get(&address, path).await.0, 200, "{path}");
    }
    assert_eq!(get(&address, "/nothing-here").await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_commands_and_tell_of_raft() {
    let cluster = Cluster::start(1).await;
    let mut client = cluster.client(0).await;
    for _ in 0..7 {
        client.line("SET a 1").await.unwrap();
    }
    let (code, text) = get(&cluster.nodes[0].http_address, "/metrics").await;
    assert_eq!(code, 200);
    for word in ["set", "term", "connect", "memory", "bucket"] {
        assert!(text.to_lowercase().contains(word), "no {word} in:\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(value.parse::<f64>().is_ok(), "no Prometheus sample: {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_is_json() {
    let cluster = Cluster::start(3).await;
    for node in &cluster.nodes {
        let (code, body) = get(&node.http_address, "/v1/status").await;
        assert_eq!(code, 200);
        assert!(body.contains("term"), "{body}");
        let start = body.find('{').expect("an object");
        let end = body.rfind('}').expect("an object");
        serde_json::from_str::<serde_json::Value>(&body[start..=end]).expect("JSON");
    }
}
