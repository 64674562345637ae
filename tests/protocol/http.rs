//! Probes, metrics and status.

use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_distinguish_an_empty_node_from_a_serving_one() {
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
async fn metrics_count_commands_and_report_raft() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_and_dashboard_use_figures_that_there_are() {
    let cluster = Cluster::start(1).await;
    let (_, text) = get(&cluster.nodes[0].http_address, "/metrics").await;
    let figures: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let files = [
        include_str!("../../manifests/monitoring/alerts.yaml"),
        include_str!("../../manifests/monitoring/dashboard.json"),
    ];
    for name in files.iter().flat_map(|file| file.split(|c: char| !c.is_alphanumeric() && c != '_'))
    {
        let figure = name.trim_end_matches("_total").trim_end_matches("_bucket");
        let known = figures.contains(&figure);
        assert!(known || !name.starts_with("ironkv_"), "{name} is not in:\n{text}");
    }
}
