//! The same requests to IronKV and to a real redis-server must get the same replies. The requests
//! are in `*.txt` in this folder; `script.rs` describes their format.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod compare;
mod play;
mod script;

use ironkv_tests::cluster::Cluster;
use ironkv_tests::redis::Redis;

/// The node to which the requests are sent.
#[derive(Debug, Clone, Copy)]
enum Target {
    OneNode,
    Leader,
    Follower,
}

async fn check(target: Target) {
    let redis = Redis::start(&[]).await;
    let nodes = if matches!(target, Target::OneNode) { 1 } else { 3 };
    let mut cluster = Cluster::start(nodes).await;
    let index = match target {
        Target::Follower => cluster.follower().await,
        _ => cluster.leader().await,
    };
    let address = cluster.nodes[index].resp_address.clone();
    let mut report = play::Report::default();
    for story in script::stories() {
        play::play(&story, redis.address(), &address, &mut report).await;
    }
    report.assert_equal(&format!("{target:?}"));
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_answers_as_redis_does() {
    check(Target::OneNode).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_of_three_answers_as_redis_does() {
    check(Target::Leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_of_three_answers_as_redis_does() {
    check(Target::Follower).await;
}

/// Tests the comparison itself: Redis agrees with Redis, so no line of the scripts is random, and a
/// difference is detected.
#[tokio::test]
async fn redis_agrees_with_itself_and_a_seeded_difference_is_found() {
    let (one, other) = (Redis::start(&[]).await, Redis::start(&[]).await);
    let mut report = play::Report::default();
    for mut story in script::stories() {
        // The Redis here does not reply like 7.2 or IronKV.
        story.lines.retain(|line| {
            !matches!(line.likeness, script::Likeness::Text(_) | script::Likeness::Works)
        });
        play::play(&story, one.address(), other.address(), &mut report).await;
    }
    report.assert_equal("Redis against itself");
    let seeded = "# seeded\nSET a 1\nDEBUG SET-ACTIVE-EXPIRE 1\nCONFIG GET port\n";
    let mut report = play::Report::default();
    for story in script::parse("seeded.txt", seeded) {
        play::play(&story, one.address(), other.address(), &mut report).await;
    }
    assert_eq!(report.differences(), 2, "the ports differ, in RESP2 and in RESP3");
}
