//! Large values from several clients at once. They must not disturb other requests: there is no
//! election, small writes do not wait for them, and each of them is stored or certainly not.

use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::cluster::Cluster;
use tokio::task::JoinHandle;

use crate::load::steady::{REPLY_TIMEOUT, Steady, wait_for_all};

const CLIENTS: usize = 4;

/// Many, and long enough to delay others.
const VALUES: (usize, usize) = (3, 40 << 20);

/// Once, close to the largest possible request.
const LARGEST: (usize, usize) = (1, 63 << 20);

/// Far above what a small write waits, below the timeout of a request.
const SMALL_WRITE_MAX: Duration = Duration::from_secs(15);

/// Long enough that a request can wait for the others on a slow machine, too.
const SETTINGS: [(&str, &str); 1] = [("raft.request_timeout_ms", "30000")];

/// Stores a value at these keys, one after the other; returns the replies.
fn store(
    cluster: &Cluster,
    node: usize,
    keys: Vec<String>,
    value_bytes: usize,
) -> JoinHandle<Vec<String>> {
    let address = cluster.nodes[node].resp_address.clone();
    tokio::spawn(async move {
        let value = vec![b'v'; value_bytes];
        let mut client = Client::connect_with_timeout(&address, 4 * REPLY_TIMEOUT).await.unwrap();
        let mut replies = Vec::new();
        for key in keys {
            let words: [&[u8]; 3] = [b"SET", key.as_bytes(), &value];
            match client.command(&words).await {
                Ok(reply) => replies.push(reply.text()),
                Err(error) => {
                    replies.push(format!("{error:?}"));
                    return replies;
                }
            }
        }
        replies
    })
}

async fn term(cluster: &mut Cluster) -> u64 {
    let statuses = cluster.statuses().await;
    statuses.iter().map(|(_, status)| status.term).max().unwrap_or(0)
}

/// Several clients store values of this size so many times at these nodes, with a client of small
/// writes at every node.
async fn store_at(cluster: &mut Cluster, nodes: &[usize], (times, bytes): (usize, usize)) {
    let before = term(cluster).await;
    let small: Vec<Steady> = (0..3).map(|node| Steady::start(cluster, node, "INCR n")).collect();
    wait_for_all(&small, 5).await;
    let large: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let keys = vec![format!("large:{number}"); times];
            store(cluster, nodes[number % nodes.len()], keys, bytes)
        })
        .collect();
    for client in large {
        let replies = client.await.unwrap();
        assert_eq!(replies, vec!["OK"; times], "{}", cluster.logs());
    }
    for client in small {
        let seen = client.finish().await;
        let well = seen.errors.is_empty() && seen.closed == 0 && seen.longest < SMALL_WRITE_MAX;
        assert!(well, "a client of small writes: {seen:?}\n{}", cluster.logs());
    }
    assert_eq!(term(cluster).await, before, "an election: {}", cluster.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_cost_the_cluster_neither_its_leader_nor_small_writes() {
    let mut cluster = Cluster::start_with(3, &SETTINGS).await;
    let leader = cluster.leader().await;
    store_at(&mut cluster, &[leader], VALUES).await;
    // Through the followers.
    store_at(&mut cluster, &[(leader + 1) % 3, (leader + 2) % 3], LARGEST).await;
    let mut client = cluster.client_with_timeout(leader, 4 * REPLY_TIMEOUT).await;
    for number in 0..CLIENTS {
        let length = client.line(&format!("STRLEN large:{number}")).await.unwrap();
        assert_eq!(length.text(), LARGEST.1.to_string());
    }
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_while_a_large_request_travels_lacks_nothing_of_it() {
    let small_pieces = [SETTINGS[0], ("limits.entry_piece_bytes", "32kb")];
    let mut cluster = Cluster::start_with(3, &small_pieces).await;
    let leader = cluster.leader().await;
    let follower = (leader + 1) % 3;
    // Each at its own key, so that none hides that another is missing.
    let keys = (0..8).map(|number| format!("large:{number}")).collect();
    let writer = store(&cluster, leader, keys, 8 << 20);
    let mut client = cluster.client_with_timeout(follower, 4 * REPLY_TIMEOUT).await;
    while client.line("DBSIZE").await.unwrap().text() == "0" {}
    for _ in 0..3 {
        assert_eq!(client.line("SAVE").await.unwrap().text(), "OK");
    }
    cluster.nodes[follower].process().kill();
    cluster.start_node(follower).await;
    assert_eq!(writer.await.unwrap(), ["OK"; 8], "{}", cluster.logs());
    cluster.equal_digests().await;
}
