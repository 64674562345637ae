//! The restart guard: a node that forgot in a restart which lease it granted must not help to elect
//! another leader while that lease may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ironkv_tests::checkers::history::{self, History};
use ironkv_tests::checkers::registers::{Answer, Call, check};
use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::session::{Outcome, outcome_of};
use ironkv_tests::cluster::Cluster;
use tokio::time::sleep;

/// If there is a fault, about every second round finds it.
const ROUNDS: usize = 4;

/// Long, so that the lease outlives the restart of a process.
const SETTINGS: [(&str, &str); 2] =
    [("raft.election_timeout_min_ms", "4200"), ("raft.election_timeout_max_ms", "4400")];

type Recorder = history::Client<Call<u64>, Answer<u64>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_grants_no_vote_while_a_lease_may_hold() {
    let mut cluster = Cluster::start_with(3, &SETTINGS).await;
    for round in 0..ROUNDS {
        let leader = cluster.leader().await;
        let (restarted, rival) = ((leader + 1) % 3, (leader + 2) % 3);
        let key = format!("guard:{round}");
        let history = History::new();
        let (stop, values) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
        // The rival gets no messages from the leader, so it asks for votes repeatedly.
        cut(&cluster, leader, rival);
        sleep(Duration::from_millis(2500)).await;
        let reader = tokio::spawn(read(
            cluster.nodes[leader].resp_address.clone(),
            key.clone(),
            history.client(),
            Arc::clone(&stop),
        ));
        let writer = tokio::spawn(write(
            [leader, rival].map(|index| cluster.nodes[index].resp_address.clone()),
            key,
            history.client(),
            (Arc::clone(&stop), values),
        ));
        sleep(Duration::from_millis(200)).await;
        cluster.nodes[restarted].process().kill();
        cut(&cluster, leader, restarted);
        cluster.start_node(restarted).await;
        sleep(Duration::from_millis(4000)).await;
        stop.store(true, Ordering::Relaxed);
        reader.await.unwrap();
        writer.await.unwrap();
        cluster.links.heal();
        let verdict = check(&history.operations());
        assert_eq!(verdict, Ok(()), "round {round}: {:#?}", history.operations());
        assert!(history.counts().0 > 10, "too little was answered");
        cluster.wait_writable().await;
        cluster.settle().await;
    }
}

fn cut(cluster: &Cluster, one: usize, other: usize) {
    cluster.links.cut((one, other));
    cluster.links.cut((other, one));
}

async fn read(address: String, key: String, mut recorder: Recorder, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let pending = recorder.invoke(Call::Read);
        match ask(&address, &["GET", &key]).await {
            Outcome::Done(reply) => pending.returned(reply.integer().map(|value| value as u64)),
            Outcome::Refused(_) => pending.failed(),
            Outcome::Unknown(_) => pending.unknown(),
        }
        sleep(Duration::from_millis(3)).await;
    }
}

/// Writes through the leader as long as possible, and through the rival.
async fn write(
    addresses: [String; 2],
    key: String,
    mut recorder: Recorder,
    (stop, values): (Arc<AtomicBool>, Arc<AtomicU64>),
) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let value = values.fetch_add(1, Ordering::Relaxed);
        turn += 1;
        let pending = recorder.invoke(Call::Write(value));
        match ask(&addresses[turn % 2], &["SET", &key, &value.to_string()]).await {
            Outcome::Done(reply) => {
                assert!(!reply.is_error(), "SET answers {reply:?}");
                pending.returned(None);
            }
            Outcome::Refused(_) => pending.failed(),
            Outcome::Unknown(_) => pending.unknown(),
        }
        sleep(Duration::from_millis(3)).await;
    }
}

async fn ask(address: &str, words: &[&str]) -> Outcome {
    let limit = Duration::from_millis(300);
    let mut client = match Client::connect_with_timeout(address, limit).await {
        Ok(client) => client,
        Err(error) => return Outcome::Refused(format!("{error:?}")),
    };
    match client.command(words).await {
        Ok(reply) => outcome_of(reply),
        Err(error) => Outcome::Unknown(format!("{error:?}")),
    }
}
