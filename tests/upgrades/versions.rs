//! The version that a node runs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::process::ironkv_command;
use tokio::time::{Duration, Instant, sleep};

/// Limits the feature level to that of the released version.
const HELD: (&str, &str) = ("cluster.feature_level_max", "1");

/// Settings that only the new version knows and tests need: little of the log is kept behind a
/// checkpoint.
const NEW: (&str, &str) = ("log.retained_bytes", "1mb");

/// The program of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The last one that was released.
    Released,
    /// The one under test.
    New,
    /// The same, with a limited feature level.
    NewHeld,
}

/// The program of the released version; the first test that needs it builds it.
pub fn released() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/upgrades/released");
        let built = Command::new(script).output().expect("a shell");
        let errors = String::from_utf8_lossy(&built.stderr).into_owned();
        assert!(built.status.success(), "no released version to upgrade from: {errors}");
        PathBuf::from(String::from_utf8_lossy(&built.stdout).trim())
    };
    PROGRAM.get_or_init(build).clone()
}

/// A cluster of the released version.
pub async fn released_cluster(nodes: usize, settings: &[(&str, &str)]) -> Cluster {
    let mut cluster = Cluster::empty(settings);
    cluster.program = Some(released());
    cluster.grow(nodes).await
}

/// Stops a node in order and starts it again as this version.
pub async fn replace(cluster: &mut Cluster, index: usize, version: Version) {
    let node = &mut cluster.nodes[index];
    node.process().terminate();
    let ended = node.process().ended_within(Duration::from_secs(30)).await;
    assert!(ended.is_some(), "node {index} does not stop:\n{}", node.log_tail());
    node.program = (version == Version::Released).then(released);
    let mut settings = node.settings.clone();
    let more: &[(&str, &str)] = match version {
        Version::Released => &[],
        Version::New => &[NEW],
        Version::NewHeld => &[NEW, HELD],
    };
    settings.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    node.configure(&settings).unwrap();
    cluster.start_node(index).await;
    cluster.nodes[index].wait_ready().await;
}

/// The nodes in the order of a roll: the leader last.
pub async fn leader_last(cluster: &mut Cluster) -> Vec<usize> {
    let leader = cluster.leader().await;
    let nodes = cluster.nodes.len();
    (1..=nodes).map(|step| (leader + step) % nodes).collect()
}

/// Makes this node the leader.
pub async fn lead(cluster: &mut Cluster, index: usize) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let leader = cluster.leader().await;
        if leader == index {
            return;
        }
        let id = cluster.node_id(index).await;
        // Refused until it has caught up.
        let transferred = cluster.nodes[leader].admin().transfer(id).await;
        assert!(Instant::now() < deadline, "node {index} does not lead: {transferred:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// The feature level of the cluster, as a node reports it.
pub async fn feature_level(cluster: &Cluster, index: usize) -> u32 {
    cluster.nodes[index].admin().status().await.unwrap().feature_level.max(1)
}

/// Waits until every node runs at this level.
pub async fn reached(cluster: &Cluster, level: u32) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    for index in 0..cluster.nodes.len() {
        while feature_level(cluster, index).await != level {
            assert!(Instant::now() < deadline, "node {index} does not reach level {level}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Runs `ironkv cluster downgrade check`; returns whether it succeeds, and its output.
pub fn downgrade_check(cluster: &Cluster, index: usize) -> (bool, String) {
    let mut command = ironkv_command();
    command.args(["cluster", "downgrade", "check", "--json", "--address"]);
    let output = command.arg(&cluster.nodes[index].grpc_address).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let possible = answer["possible"].as_bool();
    assert_eq!(possible, Some(output.status.success()), "{text}");
    (output.status.success(), text)
}
