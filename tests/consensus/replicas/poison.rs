//! An entry that ends every node which executes it, and the repair.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ironkv::base::disk::RealDisk;
use ironkv::base::feature_level::FeatureLevel;
use ironkv::base::threads::RealThreads;
use ironkv::consensus::log::{Log, LogOptions, Record};
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::process::ironkv_command;
use tokio::time::{Instant, sleep};

/// A group entry with one item of an unknown kind: version, time, seed, count, kind, length.
const POISON: &[u8] =
    &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 250, 0, 0, 0, 0];

/// Appends the entry to the log, as a leader that can execute it would; returns its index.
async fn poison(directory: &Path) -> u64 {
    let options = LogOptions { segment_bytes: 4 << 20, ..LogOptions::default() };
    let log = directory.join("data/group-0/log");
    assert!(log.exists(), "{}", log.display());
    let fatal = Arc::new(|error: &std::io::Error| panic!("{error}"));
    let (log, state) = Log::open(Arc::new(RealDisk), &log, options, &RealThreads, fatal).unwrap();
    let mut position = state.last.expect("a log with entries");
    position.index += 1;
    let payload = Bytes::from_static(POISON);
    let (done, appended) = tokio::sync::oneshot::channel();
    let done = Box::new(move |result| done.send(result).unwrap());
    log.append(vec![Record { position, payload }], done);
    appended.await.unwrap().unwrap();
    log.close().await;
    position.index
}

/// Waits for the last entry that a new cluster writes by itself, so that the logs have the same
/// end.
async fn wait_for_the_highest_level(cluster: &Cluster) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    for node in &cluster.nodes {
        let reached = async || match node.admin().status().await {
            Ok(status) => status.feature_level == FeatureLevel::HIGHEST.0,
            Err(_) => false,
        };
        while !reached().await {
            assert!(Instant::now() < deadline, "the feature level does not rise");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn recover(directory: &Path, index: u64, checksum: Option<&str>) -> (bool, String) {
    let mut command = ironkv_command();
    command.args(["recover", "skip-entry", "--index", &index.to_string()]);
    if let Some(checksum) = checksum {
        command.args(["--checksum", checksum]);
    }
    let output = command.arg(directory.join("data")).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Restarts every node that has ended, like a supervisor, until a majority has ended twice. The
/// third may never learn that the entry is committed.
async fn end_again_and_again(cluster: &mut Cluster) {
    let deadline = Instant::now() + 2 * SETTLE_LIMIT;
    let mut ends = [0; 3];
    while ends.iter().filter(|count| **count >= 2).count() < 2 {
        for node in &mut cluster.nodes {
            if !node.is_running() {
                node.spawn();
            }
        }
        sleep(Duration::from_millis(100)).await;
        for node in &mut cluster.nodes {
            if !node.is_running() {
                assert!(node.log_tail().contains("unknown kind 250"), "{}", node.log_tail());
                ends[node.index] += 1;
            }
        }
        assert!(Instant::now() < deadline, "some continue: {ends:?}");
    }
    stop(cluster).await;
}

async fn stop(cluster: &mut Cluster) {
    for node in &mut cluster.nodes {
        node.process().kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_ends_every_node_is_skipped_on_all_of_them() {
    let mut cluster = Cluster::start(3).await;
    let mut client = cluster.leader_client().await;
    assert_eq!(client.line("SET before 1").await.unwrap().text(), "OK");
    wait_for_the_highest_level(&cluster).await;
    cluster.settle().await;
    stop(&mut cluster).await;
    let directories: Vec<_> = cluster.nodes.iter().map(|node| node.directory.clone()).collect();
    let mut index = 0;
    for directory in &directories {
        let here = poison(directory).await;
        assert!(index == 0 || index == here, "the logs ended at {index} and {here}");
        index = here;
    }
    end_again_and_again(&mut cluster).await;
    let (shown, text) = recover(&directories[0], index, None);
    assert!(shown, "{text}");
    let checksum = text.lines().find_map(|line| line.strip_prefix("checksum  ")).unwrap();
    let (done, text) = recover(&directories[0], index, Some("0123456789abcdef"));
    assert!(!done && text.contains("it is another entry"), "{text}");
    for directory in &directories {
        let (done, text) = recover(directory, index, Some(checksum));
        assert!(done, "{text}");
    }
    cluster.start_all().await;
    cluster.wait_writable().await;
    cluster.equal_digests().await;
    let mut client = cluster.leader_client().await;
    assert_eq!(client.line("GET before").await.unwrap().text(), "1");
    // What a checkpoint contains was executed or skipped permanently.
    cluster.nodes[0].admin().checkpoint().await.unwrap();
    stop(&mut cluster).await;
    let (done, text) = recover(&directories[0], index, Some(checksum));
    assert!(!done && text.contains("holds the effect"), "{text}");
    cluster.start_all().await;
    cluster.equal_digests().await;
}
