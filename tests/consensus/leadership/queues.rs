//! More requests than can be committed: the waiting ones are bounded, and refused ones are not
//! executed.

use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// More than fit into the four entries in flight and the queue, 1 MiB each.
const CLIENTS: usize = 120;
const WRITES: usize = 40;
const VALUE_BYTES: usize = 100_000;

/// The clients send 480 MB.
const GROWTH_BYTES_MAX: u64 = 160 << 20;

const SETTINGS: [(&str, &str); 2] =
    [("limits.queue_bytes_max", "1mb"), ("raft.request_timeout_ms", "120000")];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Written,
    Busy,
    Unknown,
}

/// Sends all writes at once and reads the replies; a write without a reply is unknown.
async fn flood(mut client: Client, number: usize) -> Vec<Outcome> {
    let value = vec![b'v'; VALUE_BYTES];
    let mut outcomes = Vec::new();
    let keys: Vec<String> = (0..WRITES).map(|write| key(number, write)).collect();
    let commands: Vec<Vec<&[u8]>> =
        keys.iter().map(|key| vec![&b"SET"[..], key.as_bytes(), &value]).collect();
    let mut bytes = Vec::new();
    commands.iter().for_each(|words| bytes.extend(ironkv_tests::clients::client::encode(words)));
    if client.send_raw(&bytes).await.is_ok() {
        while outcomes.len() < WRITES
            && let Ok(reply) = client.receive().await
        {
            let text = reply.text();
            assert!(text == "OK" || text.starts_with("BUSY "), "{text}");
            outcomes.push(if text == "OK" { Outcome::Written } else { Outcome::Busy });
        }
    }
    outcomes.resize(WRITES, Outcome::Unknown);
    outcomes
}

fn key(client: usize, write: usize) -> String {
    format!("flood-{client}-{write}")
}

async fn figure(cluster: &Cluster, index: usize, name: &str) -> u64 {
    let (code, body) = get(&cluster.nodes[index].http_address, "/v1/status").await;
    assert_eq!(code, 200, "{body}");
    let status: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    status[name].as_u64().expect("a number")
}

/// Floods a node while two others are paused, resumes them, and checks every key.
async fn flood_without_majority(mut cluster: Cluster, flooded: usize) {
    let stopped: Vec<usize> = (0..3).filter(|index| *index != flooded).collect();
    let limit = SETTLE_LIMIT * 3;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(cluster.client_with_timeout(flooded, limit).await);
    }
    let before = figure(&cluster, flooded, "resident_bytes").await;
    stopped.iter().for_each(|index| cluster.nodes[*index].process().pause());
    let mut floods = JoinSet::new();
    for (number, client) in clients.into_iter().enumerate() {
        floods.spawn(async move { (number, flood(client, number).await) });
    }
    let mut outcomes = vec![Vec::new(); CLIENTS];
    // Clients that are refused have sent everything; a few wait in the queue.
    let refused = CLIENTS / 4;
    let all = async {
        let mut done = 0;
        while done < refused {
            let (number, of_client) = floods.join_next().await.expect("clients").expect("no panic");
            outcomes[number] = of_client;
            done += 1;
        }
    };
    tokio::time::timeout(SETTLE_LIMIT, all).await.expect("refusals while nothing can be committed");
    let mut largest = 0;
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_secs(2) {
        let queued = figure(&cluster, flooded, "queued_bytes").await;
        assert!(queued <= 2 << 20, "{queued} bytes wait");
        largest = largest.max(figure(&cluster, flooded, "resident_bytes").await);
        sleep(Duration::from_millis(100)).await;
    }
    let growth = largest.saturating_sub(before);
    eprintln!("resident bytes grew by {growth}");
    assert!(growth < GROWTH_BYTES_MAX, "{growth}");

    stopped.iter().for_each(|index| cluster.nodes[*index].process().resume());
    while let Some(done) = floods.join_next().await {
        let (number, of_client) = done.expect("no panic");
        outcomes[number] = of_client;
    }
    cluster.wait_writable().await;
    let mut client = cluster.client_with_timeout(flooded, limit).await;
    assert_eq!(client.line("SET afterwards 1").await.expect("an answer").text(), "OK");
    let (mut busy, mut written) = (0, 0);
    for (number, outcomes) in outcomes.iter().enumerate() {
        for (write, outcome) in outcomes.iter().enumerate() {
            let exists = client.line(&format!("EXISTS {}", key(number, write))).await;
            let exists = exists.expect("an answer").integer();
            match outcome {
                Outcome::Busy => {
                    busy += 1;
                    assert_eq!(exists, Some(0), "refused and executed: {}", key(number, write));
                }
                Outcome::Written => {
                    written += 1;
                    assert_eq!(exists, Some(1), "lost: {}", key(number, write));
                }
                Outcome::Unknown => {}
            }
        }
    }
    eprintln!("{busy} refused, {written} written");
    assert!(busy >= refused * WRITES, "{busy}");
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_cannot_commit_bounds_its_queue_and_executes_nothing_of_what_it_refuses() {
    let mut cluster = Cluster::start_with(3, &SETTINGS).await;
    let leader = cluster.leader().await;
    flood_without_majority(cluster, leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_without_a_leader_bounds_its_queue_and_executes_nothing_of_what_it_refuses() {
    let mut cluster = Cluster::start_with(3, &SETTINGS).await;
    let follower = cluster.follower().await;
    flood_without_majority(cluster, follower).await;
}
