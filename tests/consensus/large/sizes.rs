//! Requests and replies near the limits, through a follower: an oversized one fails alone, a long
//! one does not disturb others.

use ironkv_tests::clients::client::Client;
use ironkv_tests::cluster::Cluster;

use crate::load::steady::{REPLY_TIMEOUT, Steady, wait_for_all};

/// Two of them exceed a log entry and a message between nodes.
const BIG_BYTES: usize = 45 << 20;

/// Elections should not interfere with these tests.
const SLOW: [(&str, &str); 3] = [
    ("raft.request_timeout_ms", "60000"),
    ("raft.election_timeout_min_ms", "8000"),
    ("raft.election_timeout_max_ms", "10000"),
];

async fn command(client: &mut Client, words: &[&str]) -> String {
    let reply = client.command(words).await;
    reply.unwrap_or_else(|error| panic!("{}: {error:?}", words[0])).text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_too_large_fails_alone_on_every_node() {
    let mut cluster = Cluster::start_with(3, &SLOW).await;
    let leader = cluster.leader().await;
    let others: Vec<Steady> = (0..3).map(|node| Steady::start(&cluster, node, "INCR n")).collect();
    wait_for_all(&others, 5).await;
    let value = "v".repeat(BIG_BYTES);
    let mut answers = Vec::new();
    for node in [leader, (leader + 1) % 3, (leader + 2) % 3] {
        let mut client = cluster.client_with_timeout(node, 2 * REPLY_TIMEOUT).await;
        answers.push(command(&mut client, &["MSET", "a", &value, "b", &value]).await);
        assert_eq!(command(&mut client, &["EXISTS", "a", "b"]).await, "0");
    }
    assert!(answers[0].starts_with("ERR request is larger than a log entry may be"), "{answers:?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    wait_for_all(&others, 5).await;
    for client in others {
        let seen = client.finish().await;
        assert!(seen.errors.is_empty() && seen.closed == 0, "another client: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_replies_by_way_of_a_follower_harm_no_other_client() {
    let mut cluster = Cluster::start_with(3, &SLOW).await;
    let follower = cluster.follower().await;
    let mut client = cluster.client_with_timeout(follower, 4 * REPLY_TIMEOUT).await;
    // In parts: this test is about long replies, not about a long entry.
    let part = "v".repeat(1 << 20);
    for number in 1..=BIG_BYTES / part.len() {
        let length = command(&mut client, &["APPEND", "big", &part]).await;
        assert_eq!(length, (number * part.len()).to_string());
    }
    let others: Vec<Steady> = (0..4).map(|_| Steady::start(&cluster, follower, "INCR n")).collect();
    wait_for_all(&others, 5).await;
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let reads = ["GET big", "GET big", "SET x 1", "GET big"].map(words);
    // One request, because there is a write among them.
    for replies in [client.pipeline(&reads).await.unwrap(), {
        let mut lines = vec![words("MULTI")];
        lines.extend(reads.clone());
        lines.push(words("EXEC"));
        let mut replies = client.pipeline(&lines).await.unwrap();
        replies.pop().unwrap().elements().unwrap().to_vec()
    }] {
        let lengths: Vec<usize> = replies.iter().map(|reply| reply.text().len()).collect();
        assert_eq!(lengths, [BIG_BYTES, BIG_BYTES, 2, BIG_BYTES]);
    }
    wait_for_all(&others, 5).await;
    for client in others {
        let seen = client.finish().await;
        assert!(seen.errors.is_empty() && seen.closed == 0, "another client: {seen:?}");
    }
    // More than the leader sends through another node: executed, and the reply reports it.
    let mut lines = vec![words("MULTI")];
    lines.extend(std::iter::repeat_n(words("GET big"), 12));
    lines.extend([words("SET x 2"), words("EXEC")]);
    let answer = client.pipeline(&lines).await.unwrap().pop().unwrap();
    assert!(answer.text().starts_with("ERR executed, but the replies are larger"), "{answer:.80?}");
    assert_eq!(command(&mut client, &["GET", "x"]).await, "2");
}
