//! Disks that are full, torn or wrong.

use std::time::Duration;

use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::faults::disk::{self, SmallDisk};
use ironkv_tests::node::Node;
use ironkv_tests::process::{Process, is_root};
use tempfile::TempDir;

/// The newest log segment with records in it.
pub(crate) fn log_file(node: &Node) -> std::path::PathBuf {
    let files = disk::files(&node.data(), "segment-").unwrap();
    let written = files.into_iter().rfind(|path| disk::written_end(path).unwrap() > 64);
    written.expect("a log segment with records")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_tail_is_cut_and_the_rest_is_kept() {
    let mut cluster = Cluster::start(1).await;
    let mut client = cluster.leader_client().await;
    for number in 0..50 {
        client.line(&format!("SET key:{number} {number}")).await.unwrap();
    }
    cluster.nodes[0].process().kill();
    let path = log_file(&cluster.nodes[0]);
    let end = disk::written_end(&path).unwrap();
    // A record whose end never reached the disk: its beginning looks like that of the first record.
    // It comes after the zeros with which the last complete record may end.
    disk::copy_within(&path, 0, end.next_multiple_of(8) + 64, 40).unwrap();
    cluster.start_node(0).await;
    cluster.wait_writable().await;
    let mut client = cluster.leader_client().await;
    for number in 0..50 {
        let value = client.line(&format!("GET key:{number}")).await.unwrap();
        assert_eq!(value.integer(), Some(number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_whose_last_record_is_torn_gets_it_again() {
    let mut cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    let mut client = cluster.leader_client().await;
    for number in 0..50 {
        client.line(&format!("SET key:{number} {number}")).await.unwrap();
    }
    cluster.settle().await;
    cluster.nodes[follower].process().kill();
    // As in a power cut within a second of the last write: nothing records that it was flushed.
    let mark = cluster.nodes[follower].data().join("group-0/log/flushed");
    let _not_marked_yet = std::fs::remove_file(mark);
    let path = log_file(&cluster.nodes[follower]);
    disk::tear(&path, disk::written_end(&path).unwrap() - 3).unwrap();
    cluster.start_node(follower).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_record_before_good_ones_is_refused_by_file_and_offset() {
    let mut cluster = Cluster::start(1).await;
    let mut client = cluster.leader_client().await;
    for number in 0..200 {
        client.line(&format!("SET key:{number} some-value-of-some-length")).await.unwrap();
    }
    cluster.nodes[0].process().kill();
    let path = log_file(&cluster.nodes[0]);
    disk::flip_bit(&path, disk::written_end(&path).unwrap() / 2).unwrap();
    cluster.nodes[0].spawn();
    let ended = cluster.nodes[0].process().ended_within(Duration::from_secs(20)).await;
    let output = cluster.nodes[0].process.as_ref().map(Process::output).unwrap_or_default();
    assert!(ended.is_some_and(|status| !status.success()), "it serves a broken log:\n{output}");
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let last = output.lines().rev().take(10).collect::<Vec<_>>().join("\n");
    assert!(last.contains(&name), "which file is broken? {last}");
    assert!(last.contains("offset") || last.contains("byte"), "where is it broken? {last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    if !is_root() {
        eprintln!("SKIPPED: small disks need root");
        return;
    }
    let (_mount, disk, mut cluster) = on_a_small_disk("0").await;
    let mut client = cluster.leader_client().await;
    client.line("SET before 1").await.unwrap();
    disk.fill(0).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let value = "x".repeat(256 << 10);
    let mut refusal = None;
    for number in 0..200 {
        let mut client = cluster.leader_client().await;
        let reply = client.command(&["SET", &format!("full:{number}"), &value]).await.unwrap();
        if reply.is_error() {
            refusal = Some(reply.text());
            break;
        }
    }
    let refusal = refusal.expect("a full disk refuses writes");
    assert!(refusal.contains("disk") || refusal.contains("space"), "unclear: {refusal}");
    let mut client = cluster.client(0).await;
    assert_eq!(client.line("GET before").await.unwrap().text(), "1", "reads continue");
    assert!(cluster.nodes[0].is_running());
    disk.free().unwrap();
    cluster.wait_writable().await;
    cluster.nodes[0].process().kill();
    cluster.start_node(0).await;
    cluster.wait_writable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_free_disk_refuses_writes_before_it_is_full() {
    if !is_root() {
        eprintln!("SKIPPED: small disks need root");
        return;
    }
    let (_mount, disk, mut cluster) = on_a_small_disk("32mb").await;
    let mut client = cluster.leader_client().await;
    client.line("SET a 1").await.unwrap();
    disk.fill(16 << 20).unwrap();
    let refusal = refused(&mut cluster).await;
    assert!(refusal.starts_with("MISCONF") && refusal.contains("disk"), "unclear: {refusal}");
    assert_eq!(client.line("GET a").await.unwrap().text(), "1", "reads continue");
    let metrics = get(&cluster.nodes[0].http_address, "/metrics").await.1;
    assert!(metrics.contains("\nironkv_disk_full 1\n"), "{metrics}");
    assert!(cluster.nodes[0].admin().status().await.unwrap().disk_full);
    // There is enough space for a smaller limit.
    client.line("CONFIG SET data-free-bytes-min 8mb").await.unwrap();
    cluster.wait_writable().await;
    client.line("CONFIG SET data-free-bytes-min 32mb").await.unwrap();
    refused(&mut cluster).await;
    disk.free().unwrap();
    cluster.wait_writable().await;
    let metrics = get(&cluster.nodes[0].http_address, "/metrics").await.1;
    assert!(metrics.contains("\nironkv_disk_full 0\n"), "{metrics}");
    assert!(!cluster.nodes[0].admin().status().await.unwrap().disk_full);
}

/// One node with its own disk of 96 MiB. Drop them from the end: the node uses the disk, the disk
/// the folder.
async fn on_a_small_disk(free_bytes_min: &str) -> (TempDir, SmallDisk, Cluster) {
    let mount = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(mount.path(), 96).expect("root can mount");
    let data = mount.path().join("data").display().to_string();
    let settings = [("data.directory", data.as_str()), ("data.free_bytes_min", free_bytes_min)];
    let cluster = Cluster::start_with(1, &settings).await;
    (mount, disk, cluster)
}

/// Writes until a write is refused; returns the error.
async fn refused(cluster: &mut Cluster) -> String {
    let mut client = cluster.leader_client().await;
    let deadline = tokio::time::Instant::now() + SETTLE_LIMIT;
    loop {
        let reply = client.line("SET a 1").await.unwrap();
        if reply.is_error() {
            return reply.text();
        }
        assert!(tokio::time::Instant::now() < deadline, "writes are never refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
