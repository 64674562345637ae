//! Small disks with data on them: the log stays small, and a checkpoint waits for disk space.

use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::process::is_root;
use tokio::time::{Instant, sleep};

fn skips() -> bool {
    if !is_root() {
        eprintln!("SKIPPED: small disks need root");
    }
    !is_root()
}

async fn metric(cluster: &Cluster, index: usize, name: &str) -> u64 {
    let text = get(&cluster.nodes[index].http_address, "/metrics").await.1;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("ironkv_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

async fn until(cluster: &Cluster, index: usize, name: &str, wanted: impl Fn(u64) -> bool) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let value = metric(cluster, index, name).await;
        if wanted(value) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{name} of node {index} stays {value}:\n{}",
            cluster.nodes[index].log_tail()
        );
        sleep(Duration::from_millis(100)).await;
    }
}

async fn write_megabytes(client: &mut Client, megabytes: usize) {
    let value = "v".repeat(64 << 10);
    for number in 0..megabytes * 16 {
        let reply = client.command(&["SET", &format!("big:{number}"), &value]).await.unwrap();
        assert!(!reply.is_error(), "SET {number} answers {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_overwritten_never_fills_a_small_disk() {
    if skips() {
        return;
    }
    let settings = [("checkpoint.log_bytes_min", "4mb"), ("data.free_bytes_min", "8mb")];
    let mut cluster = Cluster::start_on_small_disks(1, 96, &settings).await;
    let mut client = cluster.leader_client().await;
    let value = "x".repeat(200_000);
    for number in 0..1200 {
        let reply = client.command(&["SET", "key", &value]).await.unwrap();
        let bytes = metric(&cluster, 0, "log_bytes").await;
        assert!(!reply.is_error(), "SET {number} answers {reply:?}, {bytes} bytes of log");
    }
    assert!(metric(&cluster, 0, "checkpoints_total").await > 5, "checkpoints were written");
    until(&cluster, 0, "log_bytes", |bytes| bytes < 48 << 20).await;
    // After a restart the data is the same.
    cluster.nodes[0].process().kill();
    cluster.start_node(0).await;
    cluster.wait_writable().await;
    let mut client = cluster.leader_client().await;
    assert_eq!(client.line("STRLEN key").await.unwrap().integer(), Some(200_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_without_disk_space_ends_no_process_and_is_written_later() {
    if skips() {
        return;
    }
    let settings = [("checkpoint.log_bytes_min", "24mb"), ("data.free_bytes_min", "1mb")];
    let mut cluster = Cluster::start_on_small_disks(1, 128, &settings).await;
    let mut client = cluster.leader_client().await;
    cluster.disks[0].fill(56 << 20).unwrap();
    write_megabytes(&mut client, 34).await;
    until(&cluster, 0, "checkpoint_no_room", |no_room| no_room == 1).await;
    let refused = cluster.nodes[0].admin().checkpoint().await.unwrap_err();
    assert!(refused.message().contains("free on the disk"), "unclear: {refused:?}");
    let refused = client.line("SAVE").await.unwrap().text();
    assert!(refused.starts_with("ERR a checkpoint needs"), "unclear: {refused}");
    let refused = client.line("BGSAVE").await.unwrap().text();
    assert!(refused.contains("too little disk space for a checkpoint"), "unclear: {refused}");
    assert_eq!(client.line("STRLEN big:0").await.unwrap().integer(), Some(64 << 10));
    let status = get(&cluster.nodes[0].http_address, "/v1/status").await.1;
    assert!(status.contains("\"checkpoint_no_room\":true"), "{status}");
    sleep(Duration::from_secs(3)).await;
    let log = cluster.nodes[0].process().output();
    assert_eq!(
        log.matches("no room for a checkpoint").count(),
        1,
        "a line for each change:\n{log}"
    );
    // A start with too little disk space does not end it either.
    cluster.nodes[0].process().kill();
    cluster.start_node(0).await;
    until(&cluster, 0, "checkpoint_no_room", |no_room| no_room == 1).await;
    assert!(cluster.nodes[0].is_running());
    cluster.disks[0].free().unwrap();
    until(&cluster, 0, "checkpoint_no_room", |no_room| no_room == 0).await;
    cluster.nodes[0].admin().checkpoint().await.expect("there is enough space now");
    cluster.wait_writable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disks_that_are_full_on_all_nodes_end_none_and_the_cluster_heals_by_itself() {
    if skips() {
        return;
    }
    let settings = [("checkpoint.log_bytes_min", "12mb"), ("data.free_bytes_min", "1mb")];
    let mut cluster = Cluster::start_on_small_disks(3, 96, &settings).await;
    let mut client = cluster.leader_client().await;
    for disk in &cluster.disks {
        disk.fill(30 << 20).unwrap();
    }
    let value = "v".repeat(64 << 10);
    let mut acknowledged = 0;
    for number in 0..384 {
        let reply = client.command(&["SET", &format!("big:{number}"), &value]).await;
        if reply.is_ok_and(|reply| !reply.is_error()) {
            acknowledged = number;
        } else {
            break;
        }
    }
    assert!(acknowledged > 50, "the disks were full from the beginning");
    for index in 0..3 {
        until(&cluster, index, "checkpoint_no_room", |no_room| no_room == 1).await;
    }
    sleep(Duration::from_secs(2)).await;
    for node in &mut cluster.nodes {
        assert!(node.is_running(), "node {} ended:\n{}", node.index, node.log_tail());
    }
    let key = format!("STRLEN big:{acknowledged}");
    assert_eq!(cluster.retry(0, &key).await.integer(), Some(64 << 10), "reads continue");
    for disk in &cluster.disks {
        disk.free().unwrap();
    }
    cluster.wait_writable().await;
    for index in 0..3 {
        until(&cluster, index, "checkpoint_no_room", |no_room| no_room == 0).await;
    }
    cluster.equal_digests().await;
}
