//! Freed memory: keys past their deadline, and evictions above `maxmemory`.

use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

/// Bytes above `maxmemory` that entries in flight may add: four of them, each with one batch of
/// requests and the overhead of their keys.
const OVERSHOOT_BYTES_MAX: u64 = 4 * (2 << 20);

async fn info(client: &mut Client, field: &str) -> u64 {
    let text = client.line("INFO everything").await.unwrap().text();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {field}"))
}

async fn ok(client: &mut Client, line: &str) {
    let reply = client.line(line).await.unwrap();
    assert_eq!(format!("{reply:?}"), "+OK", "{line}");
}

/// Waits until there are at most this many keys.
async fn wait_for_size(client: &mut Client, most: i64) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let size = client.line("DBSIZE").await.unwrap().integer().unwrap();
        if size <= most {
            return;
        }
        assert!(Instant::now() < deadline, "{size} keys are left, not {most}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The raft thread must not search for them itself: it panics in this build when it tries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_past_their_deadline_are_removed_though_they_are_not_read() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.leader_client().await;
    for number in 0..50 {
        ok(&mut client, &format!("SET key:{number} value PX 300")).await;
    }
    ok(&mut client, "SET stays value").await;
    wait_for_size(&mut client, 1).await;
    assert_eq!(client.line("GET stays").await.unwrap().text(), "value");
    cluster.equal_digests().await;
}

/// Writers that fill every entry in flight while memory is far above the limit: a bug let each of
/// these entries evict for the whole excess.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_maxmemory_evicts_the_excess_and_no_more() {
    let mut cluster = Cluster::start(1).await;
    let mut client = cluster.leader_client().await;
    ok(&mut client, "DEBUG POPULATE 40000 key 400").await;
    let before = info(&mut client, "used_memory").await;
    let maximum = before * 3 / 4;
    let address = cluster.nodes[0].resp_address.clone();
    let writers: Vec<_> =
        (0..8).map(|writer| tokio::spawn(write(address.clone(), writer))).collect();
    ok(&mut client, &format!("CONFIG SET maxmemory-policy allkeys-random maxmemory {maximum}"))
        .await;
    let deadline = Instant::now() + SETTLE_LIMIT;
    while info(&mut client, "used_memory").await > maximum {
        assert!(Instant::now() < deadline, "nothing is evicted");
        sleep(Duration::from_millis(20)).await;
    }
    // When these have ended, everything in flight is applied.
    for writer in writers {
        writer.await.unwrap();
    }
    let after = info(&mut client, "used_memory").await;
    assert!(after > maximum * 9 / 10, "{after} of {maximum} bytes are left, {before} were there");
    cluster.equal_digests().await;
}

/// Small values over few keys, so that they do not need evictions themselves.
async fn write(address: String, writer: usize) {
    let mut client = Client::connect(&address).await.unwrap();
    for number in 0..200 {
        let line = format!("SET writer:{writer}:{} value", number % 5);
        // Refused only while much must be evicted first.
        client.line(&line).await.unwrap();
    }
}

/// A batch of writes may need more evictions than fit under one lock, or into an entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_near_its_maximum_however_small_the_evicted_keys_are() {
    let mut cluster = Cluster::start(1).await;
    let mut client = cluster.leader_client().await;
    ok(&mut client, "DEBUG POPULATE 150000 key 3").await;
    let maximum = info(&mut client, "used_memory").await;
    ok(&mut client, &format!("CONFIG SET maxmemory-policy allkeys-lru maxmemory {maximum}")).await;
    let value = "x".repeat(500_000);
    for number in 0..40 {
        ok(&mut client, &format!("SET large:{number} {value}")).await;
        let used = info(&mut client, "used_memory").await;
        assert!(used <= maximum + OVERSHOOT_BYTES_MAX, "{used} of {maximum} after {number}");
    }
    cluster.equal_digests().await;
}

/// 90 MB of names do not fit into one message between nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_names_are_evicted_in_entries_that_can_be_replicated() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let mut client = cluster.client(leader).await;
    let filling = "n".repeat(120_000);
    for number in 0..750 {
        ok(&mut client, &format!("SET {number}{filling} v")).await;
    }
    let before = cluster.nodes[leader].admin().status().await.unwrap().term;
    ok(&mut client, "CONFIG SET maxmemory-policy allkeys-random maxmemory 1mb").await;
    wait_for_size(&mut client, 10).await;
    ok(&mut client, "SET small v").await;
    assert_eq!(cluster.nodes[leader].admin().status().await.unwrap().term, before);
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_above_the_limit_is_refused_on_every_node_and_can_be_removed_where_it_is() {
    let mut cluster = Cluster::start(3).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let old = "o".repeat(3 << 20);
    for number in 0..3 {
        ok(&mut cluster.client(number).await, "CONFIG SET limits-key-bytes-max 8mb").await;
    }
    let mut client = cluster.client(leader).await;
    ok(&mut client, &format!("SET {old} value")).await;
    ok(&mut client, &format!("SET {old}2 value PX 100")).await;
    for number in 0..3 {
        ok(&mut cluster.client(number).await, "CONFIG SET limits-key-bytes-max 1mb").await;
    }
    for node in [leader, follower] {
        let mut client = cluster.client(node).await;
        ok(&mut client, "SET short value").await;
        for line in [format!("SET {old}x 1"), format!("RENAME short {old}x")] {
            let refused = client.line(&line).await.unwrap().text();
            assert!(refused.contains("limits.key_bytes_max"), "{refused}");
        }
        assert_eq!(client.line(&format!("GET {old}")).await.unwrap().text(), "value");
    }
    // The one with a deadline, then the other two.
    wait_for_size(&mut client, 2).await;
    assert_eq!(client.line(&format!("DEL {old} short")).await.unwrap().integer(), Some(2));
    cluster.equal_digests().await;
}
