//! A peer that answers every message with an error does not get messages in a tight loop, and is
//! replicated to again as soon as it works.

use std::time::Duration;

use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

use crate::load::writer::Writer;

const REFUSED_FOR: Duration = Duration::from_secs(6);

/// Most of it are heartbeats, ten per second. Without a pause there are more than a thousand
/// attempts per second.
const REFUSED_MAX: u64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_answers_errors_is_asked_at_a_pace_and_is_back_when_it_answers() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let refusing = (leader + 1) % 3;
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    for status in [403, 503] {
        let before = cluster.nodes[leader].admin().status().await.unwrap();
        let refused = cluster.links.refused();
        cluster.links.refuse(refusing, status);
        let began = Instant::now();
        sleep(REFUSED_FOR).await;
        let refused = cluster.links.refused() - refused;
        let allowed = REFUSED_MAX * began.elapsed().as_secs().max(1) / REFUSED_FOR.as_secs();
        eprintln!("{status}: refused {refused} times in {:?}", began.elapsed());
        assert!(refused > 20, "the peer was not asked");
        assert!(refused <= allowed, "refused {refused} times in {:?}", began.elapsed());
        let count = writer.count();
        writer.wait_for(20).await;
        assert!(writer.count() >= count + 20, "the others serve");

        cluster.links.heal();
        let healed = Instant::now();
        let goal = cluster.nodes[leader].admin().status().await.unwrap().committed.unwrap().index;
        loop {
            let status = cluster.nodes[refusing].admin().status().await.unwrap();
            if status.ready && status.applied.is_some_and(|applied| applied.index >= goal) {
                break;
            }
            assert!(healed.elapsed() < SETTLE_LIMIT, "not followed again: {status:?}");
            sleep(Duration::from_millis(10)).await;
        }
        eprintln!("{status}: caught up after {:?}", healed.elapsed());
        // The peer heard from the leader before its election timeout.
        let after = cluster.nodes[leader].admin().status().await.unwrap();
        assert_eq!((after.term, after.leader_node_id), (before.term, before.leader_node_id));
    }
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}
