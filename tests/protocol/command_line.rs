//! The command line with real nodes: its output for a healthy cluster, and for a broken one.

use std::process::{Output, Stdio};
use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use ironkv_tests::process::ironkv_command;
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(60);

async fn run(words: &[&str]) -> Output {
    let mut command = ironkv_command();
    command.args(words).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Repeats a command until its result is as wanted.
async fn until(words: &[&str], success: bool, parts: &[&str]) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        let output = run(words).await;
        let text = text(&output);
        if output.status.success() == success && parts.iter().all(|part| text.contains(part)) {
            return text;
        }
        assert!(Instant::now() < deadline, "{words:?} never shows {parts:?}:\n{text}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Columns of each member: role, state and whether it is caught up.
fn members(table: &str) -> Vec<(String, String, String)> {
    let rows = table.lines().skip(2).take(3);
    let columns = rows.map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    columns.map(|row| (row[1].clone(), row[2].clone(), row[6].clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_health_agree_on_every_node_and_show_every_loss() {
    let mut cluster = Cluster::start_with(3, &[("routing.redirect", "moved")]).await;
    let leader = cluster.leader().await;
    let followers: Vec<usize> = (0..3).filter(|index| *index != leader).collect();
    let grpc: Vec<String> = cluster.nodes.iter().map(|node| node.grpc_address.clone()).collect();
    let resp: Vec<String> = cluster.nodes.iter().map(|node| node.resp_address.clone()).collect();
    for index in 0..3 {
        let status = ["cluster", "status", "--address", &grpc[index]];
        let shown = members(&until(&status, true, &["leader"]).await);
        let up = |row: &&(String, String, String)| row.1 == "up" && row.2 == "yes";
        assert_eq!(shown.iter().filter(up).count(), 3, "{shown:?}");
        for flag in ["--quiet", "--write"] {
            until(&["health", "--address", &resp[index], flag], true, &["1 of 1"]).await;
        }
    }
    cluster.nodes[followers[0]].process().kill();
    for index in [leader, followers[1]] {
        let status = ["cluster", "status", "--address", &grpc[index]];
        let shown = members(&until(&status, true, &["down"]).await);
        let down: Vec<_> = shown.iter().filter(|row| row.1 == "down").collect();
        assert_eq!((down.len(), down[0].2.as_str()), (1, "no"), "{shown:?}");
    }
    cluster.nodes[leader].process().kill();
    let survivor = followers[1];
    let status = ["cluster", "status", "--address", &grpc[survivor]];
    let table = until(&status, false, &["unknown", "serves no requests"]).await;
    assert!(!members(&table).iter().any(|row| row.0 == "leader"), "{table}");
    let health = ["health", "--address", &resp[survivor], "--timeout-ms", "500"];
    until(&health, false, &["failed:"]).await;
    let remove = ["cluster", "remove", "1", "--address", &grpc[survivor]];
    until(&remove, false, &["majority"]).await;
    // A paused node accepts connections and answers nothing.
    cluster.nodes[survivor].process().pause();
    let before = Instant::now();
    until(&status, false, &["did not answer in time"]).await;
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    until(&health, false, &["frozen"]).await;
    cluster.nodes[survivor].process().resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_port_is_reported_with_advice() {
    let cluster = Cluster::start(1).await;
    let node = &cluster.nodes[0];
    let (resp, grpc, http) = (&node.resp_address, &node.grpc_address, &node.http_address);
    for address in [resp, http] {
        until(&["cluster", "status", "--address", address], false, &["gRPC port"]).await;
    }
    for address in [grpc, http] {
        until(&["command", "--address", address, "PING"], false, &["RESP port"]).await;
        until(&["health", "--address", address], false, &["RESP port"]).await;
        let port = address.rsplit(':').next().unwrap();
        let bench = ["bench", "--port", port, "-n", "50", "-c", "2", "-t", "get"];
        until(&bench, false, &["RESP port"]).await;
    }
    until(&["command", "--address", "localhost", "PING"], false, &["host and port"]).await;
    until(&["cluster", "init", "--address", grpc], true, &["exists already"]).await;
    let add = ["cluster", "add", "--address", grpc, "--member", grpc];
    until(&add, true, &["a voter of cluster", "nothing was changed"]).await;
}
