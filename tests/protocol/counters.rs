//! The counters of every node: expired keys and evicted keys.

use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

async fn counted(client: &mut Client, field: &str) -> u64 {
    let text = client.line("INFO stats").await.unwrap().text();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {field} in:\n{text}"))
}

/// Waits until the node has counted this many in INFO, then compares `/metrics`.
async fn check(cluster: &Cluster, index: usize, field: &str, expected: u64) {
    let mut client = cluster.client(index).await;
    let deadline = Instant::now() + SETTLE_LIMIT;
    while counted(&mut client, field).await < expected {
        assert!(Instant::now() < deadline, "node {index} does not count {field}");
        sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(counted(&mut client, field).await, expected, "node {index} INFO {field}");
    let (_, text) = get(&cluster.nodes[index].http_address, "/metrics").await;
    let line = format!("ironkv_{field}_total {expected}");
    assert!(text.lines().any(|found| found == line), "node {index}: no `{line}` in:\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_and_evicted_keys_are_counted_on_every_node() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.leader_client().await;
    for number in 0..7 {
        client.line(&format!("SET short:{number} 1 PX 30")).await.unwrap();
    }
    client.line("SET long 1 EX 1000").await.unwrap();
    for index in 0..3 {
        check(&cluster, index, "expired_keys", 7).await;
        check(&cluster, index, "evicted_keys", 0).await;
    }
    for number in 0..50 {
        client.command(&["SET", &format!("big:{number}"), &"x".repeat(100_000)]).await.unwrap();
    }
    client.line("CONFIG SET maxmemory 1mb maxmemory-policy allkeys-random").await.unwrap();
    client.line("SET one-more 1").await.unwrap();
    let evicted = counted(&mut client, "evicted_keys").await;
    assert!(evicted > 30, "only {evicted} keys were evicted");
    cluster.settle().await;
    for index in 0..3 {
        check(&cluster, index, "evicted_keys", evicted).await;
        check(&cluster, index, "expired_keys", 7).await;
    }
    client.line("CONFIG RESETSTAT").await.unwrap();
    assert_eq!(counted(&mut client, "expired_keys").await, 0);
    assert_eq!(counted(&mut client, "evicted_keys").await, 0);
}
