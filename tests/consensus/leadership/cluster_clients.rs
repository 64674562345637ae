//! What clients that follow redirections see when a leader dies: where they ask for the leader, and
//! where they are sent.

use std::time::Duration;

use ironkv_tests::clients::reply::Reply;
use ironkv_tests::cluster::Cluster;
use tokio::time::{Instant, sleep};

/// The others elect a leader not earlier than six seconds after the last message of the old one.
const SLOW_ELECTIONS: [(&str, &str); 4] = [
    ("routing.redirect", "moved"),
    ("raft.election_timeout_min_ms", "11000"),
    ("raft.election_timeout_max_ms", "12000"),
    ("raft.request_timeout_ms", "60000"),
];

/// After 0.3 s without a message, a leader counts as possibly gone.
const NOTICED_WITHIN: Duration = Duration::from_secs(4);
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// The port of the node that serves all slots, by CLUSTER SLOTS.
fn first_port(slots: &Reply) -> Option<i64> {
    let range = slots.elements()?.first()?.elements()?;
    range.get(2)?.elements()?.get(1)?.integer()
}

fn port(address: &str) -> i64 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_follows_redirections_is_not_sent_to_a_dead_leader() {
    let mut cluster = Cluster::start_with(3, &SLOW_ELECTIONS).await;
    let dead = cluster.leader().await;
    let address = cluster.nodes[dead].resp_address.clone();
    let follower = (dead + 1) % 3;
    let mut writer = cluster.client_with_timeout(follower, REPLY_TIMEOUT).await;
    let mut asker = cluster.client_with_timeout(follower, REPLY_TIMEOUT).await;
    let redirected = writer.line("SET a 1").await.unwrap().text();
    assert_eq!(redirected, format!("MOVED 15495 {address}"));
    assert_eq!(first_port(&asker.line("CLUSTER SLOTS").await.unwrap()), Some(port(&address)));
    cluster.nodes[dead].process().kill();
    let killed = Instant::now();
    let write = async {
        loop {
            let reply = writer.line("SET a 1").await.unwrap();
            let at = killed.elapsed();
            if reply.text() != redirected {
                return reply;
            }
            assert!(at < NOTICED_WITHIN, "sent to the dead leader after {at:?}");
            sleep(Duration::from_millis(20)).await;
        }
    };
    let ask = async {
        loop {
            let reply = asker.line("CLUSTER SLOTS").await.unwrap();
            let at = killed.elapsed();
            match first_port(&reply) {
                Some(named) if named != port(&address) => return named,
                Some(_) => assert!(at < NOTICED_WITHIN, "names the dead leader after {at:?}"),
                None => panic!("no node serves, after {at:?}: {reply:?}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let (written, named) = tokio::join!(write, ask);
    // The write waited for the next leader and was executed through this node.
    assert_eq!(written.text(), "OK");
    let leader = cluster.leader_except(dead).await;
    assert_eq!(named, port(&cluster.nodes[leader].resp_address));
}
