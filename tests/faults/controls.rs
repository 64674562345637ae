//! Negative controls: intended weaknesses of real processes must be detected.

use std::time::Duration;

use ironkv_tests::checkers::history::History;
use ironkv_tests::checkers::registers::{self, Call};
use ironkv_tests::cluster::Cluster;

use crate::load::{Context, Pace};
use crate::workloads::Lists;

/// A connection that requested stale reads gets them from an isolated node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_reads_of_a_follower_are_caught() {
    let mut cluster = Cluster::start_with(3, &[("reads.stale_lag_max_ms", "600000")]).await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    let history = History::new();
    let mut recorder = history.client();
    let mut writer = cluster.client(leader).await;
    let mut reader = cluster.client(follower).await;
    let readonly = reader.line("READONLY").await.unwrap();
    assert!(!readonly.is_error(), "READONLY answers {readonly:?}");
    for value in [1_u64, 2] {
        let pending = recorder.invoke(Call::Write(value));
        let reply = writer.line(&format!("SET control {value}")).await.unwrap();
        assert!(!reply.is_error(), "SET answers {reply:?}");
        pending.returned(None);
        if value == 1 {
            cluster.settle().await;
            cluster.links.isolate(&[follower], 3);
        }
    }
    let pending = recorder.invoke(Call::Read);
    let reply = reader.line("GET control").await.unwrap();
    pending
        .returned(Some(reply.integer().unwrap_or_else(|| panic!("GET answers {reply:?}")) as u64));
    cluster.links.heal();
    let verdict = registers::check(&history.operations());
    assert!(verdict.is_err(), "a stale read passed: {:?}", history.operations());
}

/// The same transactions without MULTI.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_without_multi_are_caught() {
    let cluster = Cluster::start(1).await;
    let context = Context::new(&cluster, Pace::Thinking);
    let mut lists = Lists::new(&context);
    lists.atomic = false;
    let clients: Vec<_> = (0..8).map(|_| tokio::spawn(lists.clone().run())).collect();
    tokio::time::sleep(Duration::from_secs(4)).await;
    context.stop();
    for client in clients {
        client.await.unwrap();
    }
    let verdict = lists.verdict();
    assert!(verdict.is_err(), "commands without a transaction passed as strictly serializable");
}
